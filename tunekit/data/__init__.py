"""Data: from files and Hub ids to rows keyed by role, to windows, to batches."""

"""Models: checkpoints with their processors, guarded where the libraries are silent, and their precision."""

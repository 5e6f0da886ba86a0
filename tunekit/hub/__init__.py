"""The Hub: what leaves a run for it, what comes back from it, and what a recipe needs of it."""

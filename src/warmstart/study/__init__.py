"""Floor 6: trials of a recipe: run, and compare."""

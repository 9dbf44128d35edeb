"""Floor 4: a run's memory: what its folder holds beside weights, written and loaded again."""

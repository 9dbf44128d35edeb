"""Floor 0: what every room may lean on: errors, named seeds, atomic files, the console, units, the run folder."""

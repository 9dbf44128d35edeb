"""Floor 0: what every room may use: errors, seeds, atomic files, the console, units, the run folder."""

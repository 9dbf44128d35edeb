"""Known data sets: how the files of each are read as they are distributed, and GLUE's submission."""

"""Floor 1: files of any accepted form to documents and rows, with file and line for every complaint."""

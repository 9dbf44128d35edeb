"""Floor 1: reads files of every accepted format as documents and rows; each error names file and line."""

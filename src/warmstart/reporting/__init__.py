"""Floor 2: run folders to one self-contained HTML page."""

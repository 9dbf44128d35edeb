"""Floor 2: from run folders to one self-contained HTML page."""

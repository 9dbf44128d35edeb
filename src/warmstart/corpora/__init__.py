"""Floor 2: raw text of any size to one flat, memory-mapped, checksummed row of ids."""

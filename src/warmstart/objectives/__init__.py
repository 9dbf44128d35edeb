"""Floor 2: pre-training frames: ids in, Examples with their goals out."""

"""Floor 1: the ImageProcessor (for images what the Tokenizer is for texts), and augmentation."""

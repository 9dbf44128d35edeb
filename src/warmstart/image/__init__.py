"""Floor 1: images as rows of numbers: the ImageProcessor (to images what the Tokenizer is to texts); augmentation."""

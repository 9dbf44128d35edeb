"""Floor 1: images as rows of numbers: the Raster, which is to an image what the Tokenizer is to a text; augmentation."""

"""Floor 1: text to ids and back: named cleaning rules and the Tokenizer."""

"""Floor 1: cleaning rules, and the Tokenizer: text ↔ ids."""

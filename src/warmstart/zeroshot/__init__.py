"""Floor 4: what a language model knows before it is fine-tuned: likelihoods of texts, and who asks for them."""

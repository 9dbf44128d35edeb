"""Floor 3: weights from one model to another, with an account of every tensor."""

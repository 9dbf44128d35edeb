"""Floor 4: a model on a file: predictions in a stream, metrics with intervals."""

"""Floor 6: embeddings: sources of vectors, extraction, evaluation, neighbours."""

"""Embeddings: sources of vectors, extraction, evaluation, neighbours."""

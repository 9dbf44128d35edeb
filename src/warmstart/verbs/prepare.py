"""``warmstart prepare``: raw text to a corpus folder."""

from typing import Any

from warmstart.corpora.prepare import prepare as make
from warmstart.corpora.settings import PrepareSettings


def prepare(settings: PrepareSettings) -> dict[str, Any]:
    """Prepares a corpus; returns {"corpus", "documents", "tokens", "text_bytes", "vocab_size"}."""
    corpus = make(settings)
    return {
        "corpus": settings.out,
        "documents": corpus.num_documents,
        "tokens": corpus.num_tokens,
        "text_bytes": corpus.manifest.text_bytes,
        "vocab_size": corpus.tokenizer().vocab_size,
    }

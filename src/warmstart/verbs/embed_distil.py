"""``warmstart embed distil``: static vectors of sentences from a model."""

import time
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.files import temporary_folder
from warmstart.config.embed_requests import EmbedDistilRequest
from warmstart.embed.contextual import ContextualEncoder, EncoderOptions
from warmstart.embed.static import distil


def embed_distil(request: EmbedDistilRequest) -> dict[str, Any]:
    """Writes a folder of static vectors: {"out", "tokens", "width", "seconds"}.

    Raises:
        BadInput: the folder exists, no model there, or more principal components than there are.
    """
    target = Path(request.out)
    if target.exists():
        raise BadInput("the folder exists", where=request.out, next_step="choose another, or remove it first")
    began_s = time.monotonic()
    encoder = ContextualEncoder.load(
        request.source, EncoderOptions(request.layer, request.pooling, precision=request.precision)
    )
    found = distil(encoder, min(request.size, encoder.width), request.sif)
    with temporary_folder(target) as stage:
        found.save(stage)
    seconds = round(time.monotonic() - began_s, 1)
    return {"out": request.out, "tokens": len(found.table_VD), "width": found.width, "seconds": seconds}

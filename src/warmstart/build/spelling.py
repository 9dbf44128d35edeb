"""What a model that reads characters knows of a vocabulary: the spelling of each token."""

import torch

from warmstart.models.characters import CharacterInputs
from warmstart.models.model import Model
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.spelling import spellings


@torch.no_grad()
def write_spellings(model: Model, tokenizer: Vocabulary) -> None:
    """Tells each part of ``model`` that reads characters how the tokens are spelled, in place."""
    parts = [part for part in model.modules() if isinstance(part, CharacterInputs)]
    spelled = spellings(require_text(tokenizer, "model.characters")) if parts else []
    for part in parts:
        part.write_spelling(spelled)

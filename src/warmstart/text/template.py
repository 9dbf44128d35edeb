"""Template: the special tokens around one text or a pair of texts, as ``transformers`` adds them.

``tasks`` frames our own texts; a template is for other programs, which then frame texts in the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tokenizers import processors


@dataclass(frozen=True)
class Template:
    """A list of ``$A`` and ``$B`` for the texts and of special tokens; ``:1`` after one of these sets its token type.

    ``pair`` is ``None`` where there are no pairs.

    >>> Template(("[CLS]", "$A", "[SEP]"), ("[CLS]", "$A", "[SEP]", "$B:1", "[SEP]:1")).specials
    ['[CLS]', '[SEP]']
    """

    single: tuple[str, ...]
    pair: tuple[str, ...] | None = None

    @property
    def special_tokens(self) -> list[str]:
        """The special tokens, each once."""
        names = [word.partition(":")[0] for word in (*self.single, *(self.pair or ()))]
        return [name for name in dict.fromkeys(names) if name not in ("$A", "$B")]

    @property
    def has_token_types(self) -> bool:
        """Whether some token type is not 0: only then does a model need token types."""
        return any(word.partition(":")[2] not in ("", "0") for word in (*self.single, *(self.pair or ())))

    def build_post_processor(self, token_to_id: Callable[[str], int]) -> Any:
        """The template as a post-processor of the ``tokenizers`` library."""
        pair = None if self.pair is None else list(self.pair)
        specials = [(name, token_to_id(name)) for name in self.special_tokens]
        return processors.TemplateProcessing(single=list(self.single), pair=pair, special_tokens=specials)

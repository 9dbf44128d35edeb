"""How texts are framed for a reader outside: the special tokens round one text or two, as ``transformers`` will put them.

Our own frames are made in ``tasks``; a template only tells other programs about them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tokenizers import processors


@dataclass(frozen=True)
class Template:
    """Words: ``$A`` and ``$B`` for the texts, else a special token, each with ``:1`` behind it where its type is not 0.

    ``pair`` is ``None`` where two texts are never framed together.

    >>> Template(("[CLS]", "$A", "[SEP]"), ("[CLS]", "$A", "[SEP]", "$B:1", "[SEP]:1")).specials
    ['[CLS]', '[SEP]']
    """

    single: tuple[str, ...]
    pair: tuple[str, ...] | None = None

    @property
    def special_tokens(self) -> list[str]:
        """The special tokens that are put in, each once."""
        names = [word.partition(":")[0] for word in (*self.single, *(self.pair or ()))]
        return [name for name in dict.fromkeys(names) if name not in ("$A", "$B")]

    @property
    def has_token_types(self) -> bool:
        """Whether some token is of a type other than 0: only then does a model need to be told of types."""
        return any(word.partition(":")[2] not in ("", "0") for word in (*self.single, *(self.pair or ())))

    def build_post_processor(self, id_of: Callable[[str], int]) -> Any:
        """The library's form of it; ``id_of`` gives a special token's id."""
        pair = None if self.pair is None else list(self.pair)
        specials = [(name, id_of(name)) for name in self.special_tokens]
        return processors.TemplateProcessing(single=list(self.single), pair=pair, special_tokens=specials)

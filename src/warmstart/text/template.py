"""Template: the special tokens around one text or a pair of texts, as ``transformers`` adds them.

``tasks`` frames our own texts; a template is for other programs, which then frame texts in the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tokenizers
from tokenizers import processors


@dataclass(frozen=True)
class Template:
    """A list of ``$A`` and ``$B`` for the texts and of special tokens; ``:1`` after one of these sets its token type.

    ``pair`` is ``None`` where there are no pairs.

    >>> Template(("[CLS]", "$A", "[SEP]"), ("[CLS]", "$A", "[SEP]", "$B:1", "[SEP]:1")).special_tokens
    ['[CLS]', '[SEP]']
    """

    single: tuple[str, ...]
    pair: tuple[str, ...] | None = None

    @staticmethod
    def begin(tokens: tuple[str, ...]) -> "Template":
        """Each text behind the same tokens, as Llama's behind ``<s>``."""
        return Template((*tokens, "$A"), (*tokens, "$A", *tokens, "$B"))

    @staticmethod
    def read(backend: tokenizers.Tokenizer) -> "Template | None":
        """What a tokenizer of the library puts around one text; ``None``: nothing, or nothing that stands apart from it."""
        bare: list[int] = []
        for text in ("a", "1", ".", "的", "я", "ا"):  # of which a vocabulary of any script knows one
            framed, bare = backend.encode(text), backend.encode(text, add_special_tokens=False).ids
            if bare:
                break
        first = next((n for n in range(len(framed.ids)) if bare and framed.ids[n : n + len(bare)] == bare), 0)
        before, after = framed.tokens[:first], framed.tokens[first + len(bare) :]
        return Template((*before, "$A", *after)) if bare and (before or after) else None

    def replace(self, token: str, other: str) -> "Template":
        """The same with another token in the place of one."""

        def changed(words: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(other if word == token else word for word in words)

        return Template(changed(self.single), None if self.pair is None else changed(self.pair))

    @property
    def before(self) -> tuple[str, ...]:
        """What stands before one text."""
        return self.single[: self.single.index("$A")]

    @property
    def after(self) -> tuple[str, ...]:
        """What stands behind one text."""
        return self.single[self.single.index("$A") + 1 :]

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

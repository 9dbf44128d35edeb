"""What may not come next: the end before its time, forbidden words, n tokens that have come before, all but a prefix.

Everything is a function of the tokens that each row has so far, done for all rows at once on their device.

R rows, T tokens so far, V vocabulary, n the length of what may not come twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from warmstart.base.errors import BadInput
from warmstart.decode.settings import GenerateSettings

if TYPE_CHECKING:
    from warmstart.text.tokenizer import Tokenizer

Words = tuple[tuple[int, ...], ...]
IsComplete = Callable[[list[int]], bool]
"""Whether the tokens of a text so far are all of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The same for all rows, as ids.

    Attributes:
        end_id: the token that ends a text; ``None``: nothing does.
        min_new: tokens before which it does not come.
        no_repeat: n, or ``None``.
        ignored: tokens that may come again all the same, and after which nothing is blocked.
        forbidden: words, each a row of tokens.
        prefix: how every text begins.
        more_ends: other tokens that end a text as well.
        absent: ids that no token has, which are never chosen; the model's own probabilities are told with them.
        is_complete: whether the tokens of a text so far are all of it; of a search that is not for the best of several.
    """

    end_id: int | None
    min_new: int = 0
    no_repeat: int | None = None
    ignored: tuple[int, ...] = ()
    forbidden: Words = ()
    prefix: tuple[int, ...] = ()
    more_ends: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()
    is_complete: IsComplete | None = None

    @property
    def ends(self) -> tuple[int, ...]:
        """All tokens that end a text; a text is told to end with the first."""
        return self.more_ends if self.end_id is None else (self.end_id, *self.more_ends)

    @property
    def restricts(self) -> bool:
        """Whether it depends on the text so far what may not come."""
        return self.no_repeat is not None or bool(self.min_new or self.forbidden or self.prefix)

    def apply(self, logits_RV: torch.Tensor, tokens_RT: torch.Tensor, blocked_R1: torch.Tensor | float) -> None:
        """Puts ``blocked`` in the place of the logits of what may not come after ``tokens``, in place."""
        step = tokens_RT.shape[1]
        if step < len(self.prefix):
            only = logits_RV[:, self.prefix[step]].clone()
            logits_RV.fill_(float("-inf"))[:, self.prefix[step]] = only
            return
        if self.no_repeat is not None and step >= self.no_repeat:
            self._block_repeated(logits_RV, tokens_RT, self.no_repeat, blocked_R1)
        for end in self.ends if step < self.min_new else ():
            _put(logits_RV, slice(None), end, blocked_R1)
        for word in self.forbidden:
            before = torch.tensor(word[:-1], dtype=torch.int64, device=tokens_RT.device)
            if step >= len(before):
                rows = (tokens_RT[:, step - len(before) :] == before).all(1)
                _put(logits_RV, rows, word[-1], blocked_R1)

    def _block_repeated(
        self, logits_RV: torch.Tensor, tokens_RT: torch.Tensor, n: int, blocked_R1: torch.Tensor | float
    ) -> None:
        """Blocks every token that has followed an earlier occurrence of the last n - 1."""
        last = tokens_RT[:, tokens_RT.shape[1] - n + 1 :]
        windows = tokens_RT.unfold(1, n, 1)  # [R, T - n + 1, n]
        again = (windows[:, :, :-1] == last[:, None, :]).all(2)
        following = windows[:, :, -1]
        if self.ignored:
            free = torch.tensor(self.ignored, device=tokens_RT.device)
            again &= ~torch.isin(following, free) & ~torch.isin(last, free).any(1, keepdim=True)
        rows, places = again.nonzero(as_tuple=True)
        values = blocked_R1[rows, 0] if isinstance(blocked_R1, torch.Tensor) else logits_RV.new_tensor(blocked_R1)
        logits_RV.index_put_((rows, following[rows, places]), values)


def _put(logits_RV: torch.Tensor, rows: slice | torch.Tensor, token: int, blocked_R1: torch.Tensor | float) -> None:
    logits_RV[rows, token] = blocked_R1[rows, 0] if isinstance(blocked_R1, torch.Tensor) else blocked_R1


def limits_of(
    settings: GenerateSettings, tokenizer: "Tokenizer", end_id: int | None, more_ends: Sequence[int] = (), rows: int = 0,
    forced: Sequence[int] = (),
) -> Limits:  # fmt: skip
    """The limits that ``settings`` ask for, spelled by a vocabulary.

    Args:
        settings: how to generate.
        tokenizer: of the model.
        end_id: the token that ends a text, if one does.
        more_ends: others.
        rows: of the model's token table, which may have more than the vocabulary has tokens.
        forced: tokens that every text begins with, before the prefix of the settings.

    Raises:
        BadInput: a word or a prefix that the vocabulary cannot spell, or a prefix longer than a text may be.
    """
    ignored = {token for word in settings.ignored for token in _spellings(word, tokenizer, "--ignored")[0]}
    ignored |= {
        way[0] for word in settings.ignored for way in _spellings(word, tokenizer, "--ignored") if len(way) == 1
    }
    forbidden = tuple(way for word in settings.forbidden for way in _spellings(word, tokenizer, "--forbidden"))
    prefix = (*forced, *(spell(settings.prefix, tokenizer, "--prefix") if settings.prefix else ()))
    if len(prefix) > settings.max_new:
        raise BadInput(
            "the prefix has more tokens than a text may have", where="--prefix", value=len(prefix),
            allowed=f"at most {settings.max_new} tokens", next_step="raise --max-new",
        )  # fmt: skip
    others = tuple(end for end in dict.fromkeys(more_ends) if end != end_id and end < rows)
    return Limits(
        end_id, settings.min_new, settings.no_repeat, tuple(sorted(ignored)), forbidden, prefix, others,
        tokenizer.absent_ids(rows),
    )  # fmt: skip


def _spellings(word: str, tokenizer: "Tokenizer", where: str) -> Words:
    """The tokens of a word, also after a blank, where the vocabulary has other tokens for it there (byte-level BPE)."""
    ways = tuple(spell(word, tokenizer, where)), tuple(int(token) for token in tokenizer.encode(f" {word}"))
    return tuple(dict.fromkeys(ways))


def spell(word: str, tokenizer: "Tokenizer", where: str) -> Sequence[int]:
    """The tokens of a word; a special token may be named by its own name.

    Raises:
        BadInput: nothing comes of it, or the vocabulary lacks a part of it.
    """
    found = np.array([tokenizer.token_to_id(word)]) if tokenizer.has_token(word) else tokenizer.encode(word)
    has_unknown = tokenizer.special_token("unk") not in (None, tokenizer.special_token("eos"))
    unknown = tokenizer.special_token_id("unk") if has_unknown else -1
    if len(found) == 0 or unknown in found:
        raise BadInput(
            "the vocabulary cannot spell this", where=where, value=word, allowed="words of the model's vocabulary",
            next_step="write it as the training texts do",
        )  # fmt: skip
    return [int(token) for token in found]

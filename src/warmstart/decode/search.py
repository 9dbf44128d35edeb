"""One search for every kind of model: sources in, texts out.

An :class:`~warmstart.decode.ensemble.Ensemble` says what the models answer; here tokens are chosen and texts end.

What a text is does not depend on what it is batched with, but for rounding.

B sources, R rows of each, V vocabulary, T tokens so far.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator
from warmstart.decode.beams import BLOCKED, BeamStep, candidates, compatible, diverse, standard
from warmstart.decode.cached_decoder import DecodeMode, Source
from warmstart.decode.ensemble import Ensemble, Reader
from warmstart.decode.lattice import Frame, Lattice, Ranking, rank
from warmstart.decode.limits import Limits
from warmstart.decode.packed import log_total, packed_softmax
from warmstart.decode.sampling import choose
from warmstart.decode.settings import GenerateSettings
from warmstart.models.model import Model

Stop = Literal["end", "text", "limit", "context"]
MOST_ROWS = 64  # texts that grow at a time
MOST_SOURCE = 8192  # tokens of sources that are read together


@dataclass(frozen=True, slots=True)
class Text:
    """One text that was found.

    Attributes:
        ids: its tokens, without the end.
        stopped: by an end token, by what it says, by ``max_new``, or because the context is full.
        log_prob: sum of the log-probabilities of its tokens, the end included, before temperature and filters.
        score: the same divided by the length penalty.
    """

    ids: tuple[int, ...]
    stopped: Stop
    log_prob: float
    score: float


@dataclass(slots=True)
class _SearchProgress:
    """One source on its way: how long its texts may be, and what has been found."""

    number: int
    place: int  # among the sources of this search
    length: int  # of the source, in tokens
    most: int
    stopped: Stop  # what stops a text that reaches ``most``
    found: list[Text] = field(default_factory=list)
    lattice: Lattice | None = None
    done: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """A search: how the model is asked, how tokens are chosen, what may not come, and whether lattices are kept."""

    mode: DecodeMode
    settings: GenerateSettings
    limits: Limits
    lattices: bool = False


def search(
    model: Model, sources: Sequence[Source], asked: Search, first: int = 0,
    keep: Callable[[int, Lattice], None] | None = None, advance: Callable[[float], None] | None = None,
) -> list[list[Text]]:  # fmt: skip
    """The texts of each source, best first (samples: in their order), in the order of the sources.

    Args:
        model: is put into evaluation mode.
        sources: any number; those of similar length are read together.
        asked: what to do.
        first: the number of the first source where these are a part of more; names the draws.
        keep: takes the number and the lattice of each source, where lattices are kept.
        advance: is told after some sources how many these were.

    Raises:
        BadInput: a beam of more than half the vocabulary.
    """
    return search_together([Reader(model, asked.mode, sources)], asked, first, keep, advance)


@torch.inference_mode()
def search_together(
    readers: Sequence[Reader], asked: Search, first: int = 0,
    keep: Callable[[int, Lattice], None] | None = None, advance: Callable[[float], None] | None = None,
) -> list[list[Text]]:  # fmt: skip
    """As :func:`search`, by models that choose each token together; all have the same sources, each in its own form.

    A text may be as long as all of them can read.
    """
    limits, sources = asked.limits, readers[0].sources
    rows = min(one.model.settings.backbone.vocab_size for one in readers)
    most = (rows - len(limits.absent)) // candidates(1, len(limits.ends))
    if asked.settings.rows > most and asked.settings.searches:
        raise BadInput(
            "the beam is too wide for this vocabulary", where="--beam", value=asked.settings.beam,
            allowed=f"at most {most}, half of the vocabulary or less where several tokens end a text",
        )  # fmt: skip
    lengths = np.max([one.lengths for one in readers], axis=0).tolist() if sources else []
    waiting = [
        _begin(first, place, lengths[place], asked, min(one.room(place) for one in readers))
        for place in range(len(sources))
    ]
    order = sorted(waiting, key=lambda one: -one.length)
    per = max(1, MOST_ROWS // asked.settings.rows)
    with contextlib.ExitStack() as stack:
        together = min(len(order), per) * asked.settings.rows
        softmaxes = [stack.enter_context(packed_softmax(one.model.eval(), together)) for one in readers]
        while order:
            count = max(1, min(per, MOST_SOURCE // max(1, order[0].length)))
            ensemble = Ensemble(readers, softmaxes, [one.place for one in order[:count]])
            _DecodeState(ensemble, order[:count], asked).run()
            if advance is not None:
                advance(len(order[:count]))
            order = order[count:]
    for one in waiting:
        if keep is not None and one.lattice is not None:
            keep(one.number, one.lattice)
    return [one.found for one in waiting]


def _begin(first: int, place: int, length: int, asked: Search, room: int) -> _SearchProgress:
    most = max(1, min(asked.settings.max_new, room))
    lattice = (
        Lattice(next(iter(asked.limits.ends), None)) if asked.lattices or asked.settings.compat != "none" else None
    )
    stopped: Stop = "limit" if most == asked.settings.max_new else "context"
    return _SearchProgress(first + place, place, length, most, stopped, lattice=lattice)


class _DecodeState:
    """The texts of some sources, growing together, a token a step."""

    def __init__(self, ensemble: Ensemble, sources: list[_SearchProgress], asked: Search) -> None:
        self.settings, self.limits = asked.settings, asked.limits
        self.complete: dict[tuple[int, int], int] = {}  # source and row → tokens of a text that is complete
        self.sources = sources
        self.rows = asked.settings.rows
        self.decoder, self.device = ensemble, ensemble.device
        self.ends = torch.tensor(self.limits.ends, dtype=torch.int64, device=self.device)
        self.absent = torch.tensor(self.limits.absent, dtype=torch.int64, device=self.device)
        self.tokens = torch.empty(len(sources), 1, 0, dtype=torch.int64, device=self.device)  # [B, R, T]
        self.scores = torch.zeros(len(sources), 1, device=self.device)
        self.ended = torch.zeros(len(sources), 1, device=self.device)
        self.uniform = self._draws()

    def _draws(self) -> NDArray[np.float64]:
        """[B, R, T] the uniform numbers of samples, each row's own."""
        if self.settings.searches or self.settings.greedy:
            return np.zeros((len(self.sources), self.rows, 0))
        seed, most = self.settings.seed, max(one.most for one in self.sources)
        return np.array(
            [
                [generator(seed, "generate", one.number, row).random(most) for row in range(self.rows)]
                for one in self.sources
            ]
        )

    def run(self) -> None:
        """Grows until every source has its texts."""
        step = 0
        logits = self.decoder.first_logits()
        while True:
            self._take(step, self._choose(step, logits))
            step += 1
            self._leave_done()
            if not self.sources:
                return
            # a source that is done and waits to leave may stand at the end of the context
            waiting = any(one.done for one in self.sources)
            logits = self.decoder.next_logits(self.tokens[:, :, -1], step, clamp=waiting)

    def _choose(self, step: int, logits_BRV: torch.Tensor) -> BeamStep:
        count, rows, _ = logits_BRV.shape
        logits = logits_BRV.flatten(0, 1)
        totals_R1 = log_total(logits)
        if len(self.absent):
            logits.index_fill_(1, self.absent, float("-inf"))
        totals_BR1 = totals_R1.view(count, rows, 1)
        tokens = self.tokens.flatten(0, 1)
        compat = self.settings.compat != "none"
        if not self.settings.searches:
            return self._draw(step, logits, totals_R1, tokens)
        self.limits.apply(logits, tokens, totals_R1 + BLOCKED if compat else float("-inf"))
        logits_BRV = logits.view(count, rows, -1)
        if compat:
            return compatible(logits_BRV, totals_BR1, self.scores, self.ended, self.rows)
        if self.settings.groups > 1:
            return diverse(
                logits_BRV, totals_BR1, self.scores, self.ends, self.rows, self.settings.groups, self.settings.diversity
            )
        return standard(logits_BRV, totals_BR1, self.scores, self.ends, self.rows)

    def _draw(self, step: int, logits_RV: torch.Tensor, totals_R1: torch.Tensor, tokens_RT: torch.Tensor) -> BeamStep:
        """One token for each row by itself; all rows begin as copies of the first."""
        count, rows = len(self.sources), self.rows
        if len(logits_RV) < count * rows:
            given = (logits_RV, totals_R1, tokens_RT)
            logits_RV, totals_R1, tokens_RT = (x.repeat_interleave(rows, 0) for x in given)
        raw = logits_RV
        if self.limits.restricts:
            logits_RV = logits_RV.clone()
            self.limits.apply(logits_RV, tokens_RT, float("-inf"))
        drawn = torch.empty(0)
        if not self.settings.greedy:
            drawn = torch.from_numpy(self.uniform[:, :, step].reshape(-1).copy()).to(logits_RV.device)
        ids = choose(logits_RV, self.settings, drawn)
        gained = (raw.gather(1, ids[:, None]) - totals_R1).view(count, rows)
        parents = torch.arange(rows, device=ids.device).expand(count, -1)
        if self.scores.shape[1] < rows:
            self.scores = self.scores.expand(-1, rows)
            self.ended = self.ended.expand(-1, rows)
            parents = torch.zeros_like(parents)
        # a row that has ended goes on as a dummy, whose score is that of its end
        scores = torch.where(self.ended > 0, self.scores, self.scores + gained)
        return BeamStep(ids.view(count, rows), parents, scores, parents[:, :0], scores[:, :0])

    def _take(self, step: int, chosen: BeamStep) -> None:
        """Enters a step: texts that have ended are found, the others go on."""
        before = self.tokens
        is_end = torch.isin(chosen.tokens, self.ends)
        if len(self.ends) > 1:  # a text ends with the first, whichever it was
            chosen = chosen._replace(tokens=torch.where(is_end, self.ends[0], chosen.tokens))
        was_ended = self.ended.gather(1, chosen.parents)
        rows = chosen.parents[:, :, None].expand(-1, -1, step)
        self.tokens = torch.cat([before.gather(1, rows), chosen.tokens[:, :, None]], 2)
        self.scores = chosen.scores
        ends = is_end.to(was_ended.dtype)
        self.decoder.reorder(chosen.parents)
        if self.settings.compat != "none":
            self.ended = ends
        elif not self.settings.searches:
            self.ended = torch.maximum(was_ended, ends)
            self._end_complete()
        else:
            self.ended = torch.zeros_like(ends)
            self._find_ended(step, before, chosen)
        self._record(step, chosen)
        for place, one in enumerate(self.sources):
            if not one.done:
                one.done = self._is_done(place, one, step)

    def _end_complete(self) -> None:
        """Ends the rows whose texts are complete by what they say."""
        if self.limits.is_complete is None:
            return
        going = (self.ended == 0).nonzero().tolist()
        for place, row in going:
            ids = self.tokens[place, row].tolist()
            if self.limits.is_complete(ids):
                self.ended[place, row] = 1
                self.complete[self.sources[place].number, row] = len(ids)

    def _find_ended(self, step: int, before_BRT: torch.Tensor, chosen: BeamStep) -> None:
        """Puts what a search has ended into the texts of its source."""
        scores = chosen.ended_scores.tolist()
        parents = chosen.ended_parents.tolist()
        for place, one in enumerate(self.sources):
            for parent, total in zip(parents[place], scores[place], strict=True):
                if total > float("-inf") and not one.done:
                    ids = tuple(before_BRT[place, parent].tolist())
                    if len(self.ends) > 1 and any(text.ids == ids for text in one.found):
                        continue  # it has ended with a likelier token
                    one.found.append(Text(ids, "end", total, self.settings.worth(total, step + 1)))

    def _record(self, step: int, chosen: BeamStep) -> None:
        """The lattice's frame: the beam and, behind it, what has ended."""
        if all(one.lattice is None for one in self.sources):
            return
        tokens, parents, scores = (x.tolist() for x in (chosen.tokens, chosen.parents, chosen.scores))
        ended, ended_parents = chosen.ended_scores.tolist(), chosen.ended_parents.tolist()
        for place, one in enumerate(self.sources):
            if one.lattice is None or one.done:
                continue
            frame = Frame(list(tokens[place]), list(parents[place]), list(scores[place]))
            for parent, total in zip(ended_parents[place], ended[place], strict=True):
                if total > float("-inf") and self.limits.ends:
                    frame.tokens.append(self.limits.ends[0])
                    frame.parents.append(parent)
                    frame.scores.append(total)
            one.lattice.frames.append(frame)

    def _is_done(self, place: int, one: _SearchProgress, step: int) -> bool:
        """Whether a source has its texts; these are then complete and in order."""
        last = step + 1 == one.most
        if self.settings.compat != "none":
            return self._done_compatibly(place, one, last)
        if not self.settings.searches:
            return self._done_singly(place, one, last)
        if last:
            for row, total in enumerate(self.scores[place].tolist()):
                if total > float("-inf"):
                    ids = tuple(self.tokens[place, row].tolist())
                    one.found.append(Text(ids, one.stopped, total, self.settings.worth(total, step + 1)))
        one.found.sort(key=lambda text: -text.score)
        del one.found[self.settings.best :]
        if last or len(one.found) < self.settings.best:
            return last
        # no text that goes on can be worth more than its score now at the greatest length
        return one.found[-1].score >= self.settings.worth(float(self.scores[place].max()), one.most)

    def _done_compatibly(self, place: int, one: _SearchProgress, last: bool) -> bool:
        if not last and not bool(self.ended[place].all()):
            return False
        assert one.lattice is not None
        best = rank(one.lattice, Ranking(alpha=self.settings.length_penalty))
        one.found = [Text(tuple(best.ids), "end" if best.ended else one.stopped, best.log_prob, best.score)]
        return True

    def _done_singly(self, place: int, one: _SearchProgress, last: bool) -> bool:
        """Rows of their own: done when each has ended or is long enough."""
        if not last and not bool(self.ended[place].all()):
            return False
        for row, (ids, total, ended) in enumerate(
            zip(self.tokens[place].tolist(), self.scores[place].tolist(), self.ended[place].tolist(), strict=True)
        ):
            length = self.complete.get((one.number, row))
            if length is not None:
                one.found.append(Text(tuple(ids[:length]), "text", total, self.settings.worth(total, length)))
                continue
            text = tuple(ids[: ids.index(self.limits.ends[0])] if ended else ids)
            worth = self.settings.worth(total, len(text) + bool(ended))
            one.found.append(Text(text, "end" if ended else one.stopped, total, worth))
        return True

    def _leave_done(self) -> None:
        """Sources that are done leave, once they are many enough to be worth moving the others."""
        going = [place for place, one in enumerate(self.sources) if not one.done]
        if going and len(going) > 0.75 * len(self.sources):
            return
        self.sources = [self.sources[place] for place in going]
        if not going:
            return
        kept = torch.tensor(going, device=self.device)
        self.decoder.select(kept)
        self.tokens, self.scores, self.ended = self.tokens[kept], self.scores[kept], self.ended[kept]
        self.uniform = self.uniform[going]

"""Texts of one side alone, beside the pairs of an encoder-decoder: each is learned by the language model of its side.

Ramachandran et al. 2016 keep the losses of both language models while they fine-tune. A text of the source's side is all of
turn 0, and has no target; one of the target's side has turns 1 2 3 … and no source. Both have the special tokens that they
have in a pair. An encoder that sees whole sources learns as a masked language model (Devlin et al. 2019, section 3.1).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from warmstart.base.arrays import Ints, count_up
from warmstart.example.example import LM, SOURCE_LM, TARGET_LM, Example, Goal
from warmstart.example.noise import MASKED_SHARE
from warmstart.tasks.framing import Frame
from warmstart.tasks.seq2seq_frames import source_room, target_room, template_of

SideFrame = Callable[[Ints, Frame, np.random.Generator], Example]
"""A text of one side → its Example; the generator decides what is masked, where anything is."""


def frame_source_text(ids: Ints, frame: Frame, draw: np.random.Generator) -> Example:
    """The text as a source, of which each token predicts the next.

    Worked example, with one word a token: ``he sings`` gives::

        ids        he    sings
        turns      0     0
        source_lm  read 0 1 → sings [END]
    """
    text, _ = _source_of(ids, frame)
    count = len(text) - 1
    return Example.full_sight(text[:-1], {SOURCE_LM: Goal.each(count_up(count), text[1:])})


def frame_masked_source(ids: Ints, frame: Frame, draw: np.random.Generator) -> Example:
    """The text as a source of which 15 % of the tokens, one at least, are guessed; its special tokens are not.

    Worked example, where the draw masks ``sings``::

        ids        he  [MASK]  [END]
        turns      0   0       0
        source_lm  read 1 → sings
    """
    assert frame.noise is not None
    text, first = _source_of(ids, frame)
    room = min(len(ids), source_room(frame))
    chosen = first + np.sort(draw.permutation(room)[: max(1, round(MASKED_SHARE * room))])
    noisy = text.copy()
    noisy[chosen] = frame.noise.corrupt(text[chosen], draw)
    return Example.full_sight(noisy, {SOURCE_LM: Goal.each(chosen, text[chosen])})


def _source_of(ids: Ints, frame: Frame) -> tuple[Ints, int]:
    """The text with the special tokens of a source, and where it begins."""
    template = template_of(frame)
    parts = (template.before, ids[: source_room(frame)], template.after)
    return np.concatenate([np.array(part, np.int64) for part in parts]), len(template.before)


def frame_target_text(ids: Ints, frame: Frame, draw: np.random.Generator) -> Example:
    """The text as a target; the softmax of the targets is learned.

    Worked example, with one word a token: ``a song`` gives::

        ids        [END]  a     song
        turns      1      2     3
        target_lm  read 0 1 2 → a song [END]
    """
    template = template_of(frame)
    text = np.concatenate([np.array(template.first, np.int64), ids[: target_room(frame)]])
    count = len(text) + 1
    goal = replace(Goal.each(count_up(count), np.append(text, template.end)), head=LM)
    return Example(np.append([template.start], text), count_up(count) + 1, count_up(count), {TARGET_LM: goal})


@dataclass(frozen=True, slots=True, eq=False)
class SideTexts:
    """Texts of one side, as ids: one of them goes with each pair, another one in every epoch.

    Attributes:
        texts: the ids of each.
        frame: how they are framed.
        framing: the frame of the pairs.
    """

    texts: list[Ints]
    frame: SideFrame
    framing: Frame

    def draw(self, rng: np.random.Generator) -> Example:
        """One of them."""
        return self.frame(self.texts[int(rng.integers(len(self.texts)))], self.framing, rng)

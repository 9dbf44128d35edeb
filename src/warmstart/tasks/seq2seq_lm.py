"""Texts of one side alone, beside the pairs of an encoder-decoder: each is learned by the language model of its side.

Ramachandran et al. 2016 keep the losses of both language models while they fine-tune. A text of the source's side is all of
turn 0, and has no target; one of the target's side has turns 1 2 3 … and no source. Both have the special tokens that they
have in a pair.
"""

from dataclasses import dataclass, replace

import numpy as np

from warmstart.base.arrays import Ints, count_up
from warmstart.example.example import LM, SOURCE_LM, TARGET_LM, Example, Goal
from warmstart.tasks.framing import Frame
from warmstart.tasks.seq2seq_frames import source_room, target_room, template_of


def frame_source_text(ids: Ints, frame: Frame) -> Example:
    """The text as a source, of which each token predicts the next.

    Worked example, with one word a token: ``he sings`` gives::

        ids        he    sings
        turns      0     0
        source_lm  read 0 1 → sings [END]
    """
    template = template_of(frame)
    text = np.concatenate([np.array(template.before, np.int64), ids[: source_room(frame)], template.after]).astype(
        np.int64
    )
    count = len(text) - 1
    return Example.full_sight(text[:-1], {SOURCE_LM: Goal.each(count_up(count), text[1:])})


def frame_target_text(ids: Ints, frame: Frame) -> Example:
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
    """Framed texts of one side: one of them goes with each pair, another one in every epoch."""

    examples: list[Example]

    def draw(self, rng: np.random.Generator) -> Example:
        """One of them."""
        return self.examples[int(rng.integers(len(self.examples)))]

"""Words per second of a linear-chain CRF alone, training and best paths, beside a padded loop, on this machine.

    python bench/crf.py [--json] [--classes 13] [--batch 32] [--rounds 30]

The same emissions of ragged sentences for all, taken in turn, the median of all rounds. ``torch_loop`` is what everybody
writes first: a step for each place of the longest sentence, over padded rows, with a gradient by autograd. ``torchcrf`` is
the package ``pytorch-crf``, where it is installed. All three are checked for equal losses and paths first.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from warmstart.models.chains import best_scores, log_partition, pack_chains, path_scores

Run = Callable[[], Any]


class Sentences:
    """Ragged sentences of 1 to 60 words, 18 on average, with tags and a CRF's scores."""

    def __init__(self, count: int, classes: int) -> None:
        draw = torch.Generator().manual_seed(0)
        self.lengths = (torch.rand(count, generator=draw).pow(2) * 51).long() + 1
        words = int(self.lengths.sum())
        self.emissions = torch.randn(words, classes, generator=draw).requires_grad_()
        self.transitions = torch.randn(classes, classes, generator=draw).requires_grad_()
        self.tags = torch.randint(classes, (words,), generator=draw)
        self.texts = torch.repeat_interleave(torch.arange(count), self.lengths)

    def padded(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """[B, T, C] emissions, [B, T] tags and mask."""
        parts = pad_sequence(self.emissions.split(self.lengths.tolist()), batch_first=True)
        tags = pad_sequence(self.tags.split(self.lengths.tolist()), batch_first=True)
        return parts, tags, torch.arange(parts.shape[1]) < self.lengths[:, None]


def ours(given: Sentences) -> tuple[Run, Run]:
    """Loss with its gradient, and paths."""

    def loss() -> torch.Tensor:
        chains = pack_chains(given.texts)
        packed = given.emissions[chains.order]
        total = log_partition(packed, given.transitions, chains)
        value = (total - path_scores(packed, given.transitions, given.tags[chains.order], chains)).sum()
        value.backward()
        return value.detach()

    def paths() -> list[int]:
        chains = pack_chains(given.texts)
        packed = best_scores(given.emissions.detach()[chains.order], given.transitions.detach(), chains)
        return torch.empty_like(packed).index_copy(0, chains.order, packed).argmax(1).tolist()

    return loss, paths


def loop(given: Sentences) -> tuple[Run, Run]:
    """Place by place over padded rows."""

    def loss() -> torch.Tensor:
        parts, tags, mask = given.padded()
        alpha, score = parts[:, 0], parts[:, 0].gather(1, tags[:, :1])[:, 0]
        for place in range(1, parts.shape[1]):
            on = mask[:, place]
            step = (alpha[:, :, None] + given.transitions).logsumexp(1) + parts[:, place]
            alpha = torch.where(on[:, None], step, alpha)
            own = parts[:, place].gather(1, tags[:, place, None])[:, 0]
            score = score + on * (own + given.transitions[tags[:, place - 1], tags[:, place]])
        value = (alpha.logsumexp(1) - score).sum()
        value.backward()
        return value.detach()

    @torch.no_grad()
    def paths() -> list[int]:
        parts, _, mask = given.padded()
        best, back = parts[:, 0], []
        for place in range(1, parts.shape[1]):
            found = (best[:, :, None] + given.transitions).max(1)
            back.append(found.indices)
            best = torch.where(mask[:, place, None], found.values + parts[:, place], best)
        every: list[int] = []
        for row, length in enumerate(given.lengths.tolist()):
            path = [int(best[row].argmax())]
            for pointers in reversed(back[: length - 1]):
                path.append(int(pointers[row, path[-1]]))
            every += reversed(path)
        return every

    return loss, paths


def torchcrf(given: Sentences) -> tuple[Run, Run] | None:
    """The package, where there is one."""
    try:
        from torchcrf import CRF
    except ImportError:
        return None
    made = CRF(given.transitions.shape[0], batch_first=True)
    with torch.no_grad():
        made.start_transitions.zero_()
        made.end_transitions.zero_()
        made.transitions.copy_(given.transitions)

    def loss() -> torch.Tensor:
        parts, tags, mask = given.padded()
        value = -made(parts, tags, mask, reduction="sum")
        value.backward()
        return value.detach()

    @torch.no_grad()
    def paths() -> list[int]:
        parts, _, mask = given.padded()
        return [tag for row in made.decode(parts, mask) for tag in row]

    return loss, paths


def race(given: Sentences, rounds: int) -> dict[str, list[float]]:
    """Words per second of training and of best paths, by name."""
    sides = {"ours": ours(given), "torch_loop": loop(given), "torchcrf": torchcrf(given)}
    there = {name: runs for name, runs in sides.items() if runs is not None}
    answers = {name: (float(loss()), paths()) for name, (loss, paths) in there.items()}
    for name, (loss, path) in answers.items():
        assert abs(loss / answers["ours"][0] - 1) < 1e-4 and path == answers["ours"][1], name
    times: dict[str, list[list[float]]] = {name: [[], []] for name in there}
    for _ in range(rounds):
        for name, runs in there.items():
            for kind, run in enumerate(runs):
                begun = time.perf_counter()
                run()
                times[name][kind].append(time.perf_counter() - begun)
    return {name: [len(given.tags) / statistics.median(one) for one in both] for name, both in times.items()}


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--classes", type=int, default=13)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    found = race(Sentences(given.batch, given.classes), given.rounds)
    for place, unit in enumerate(("words/s of training", "words/s of best paths")):
        mine, *_ = (speeds := {name: both[place] for name, both in found.items()}).values()
        peers = {name: speed for name, speed in speeds.items() if name != "ours"}
        ratios = {name: mine / speed for name, speed in peers.items()}
        if given.json:
            print(json.dumps({"ours": mine, "peers": peers, "ratios": ratios, "unit": unit}))
            continue
        print(f"{unit}, {given.batch} sentences, {given.classes} classes")
        for name, speed in speeds.items():
            print(f"  {name:<12}{speed:>12,.0f}" + (f"  ours is {ratios[name]:.1f}x" if name in ratios else ""))


if __name__ == "__main__":
    sys.exit(main())

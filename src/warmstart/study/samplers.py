"""How a search draws settings: at random (Bergstra and Bengio 2012), or by those before (TPE, Bergstra et al. 2011).

A point is in shares of what is chosen by default, so that both sides of a comparison are searched alike. The first point of
every search is the default itself.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator

RATES, LENGTHS = (0.25, 4.0), (0.5, 1.0, 2.0)
"""Between which shares of the rate, and by which of the length, both as chosen by default, a search draws."""
AT_RANDOM = 4
"""Points before TPE begins to learn from them; Optuna's own ten would be all of a small search."""


class Point(NamedTuple):
    """Settings of one training: shares of rate and length, and of each field that varies a value, or none."""

    rate: float
    length: float
    values: tuple[str, ...]


class Sampler(Protocol):
    """Draws points, and is told what they came to; ``learns``: whether that moves the next ones."""

    learns: bool

    def draw(self) -> Point:
        """The next point."""
        ...

    def tell(self, point: Point, value: float) -> None:
        """What a point came to on dev; greater is better."""
        ...


class RandomSampler:
    """Every point by chance."""

    learns = False

    def __init__(self, seed: int, others: Sequence[Sequence[str]]) -> None:
        """``others``: of each field that varies its values; none of them is drawn as often as one of them."""
        self._draw, self._others = generator(seed, "search"), others

    def draw(self) -> Point:
        """The next point."""
        values = tuple(str(self._draw.choice(["", *some])) for some in self._others)
        rate = float(np.exp(self._draw.uniform(*np.log(RATES))))
        return Point(rate, float(self._draw.choice(LENGTHS)), values)

    def tell(self, point: Point, value: float) -> None:
        """Chance learns nothing."""


class TPESampler:
    """Points like those that did well (Optuna's TPE), after a few by chance."""

    learns = True

    def __init__(self, seed: int, others: Sequence[Sequence[str]]) -> None:
        """``others`` as in :class:`RandomSampler`.

        Raises:
            BadInput: Optuna is not installed.
        """
        try:
            import optuna
        except ImportError:
            raise BadInput(
                "this search needs the package optuna", where="--sampler", value="tpe", allowed="random without it",
                next_step="pip install 'warmstart[search]'",
            ) from None  # fmt: skip
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        kinds = optuna.distributions
        self._spaces = {
            "rate": kinds.FloatDistribution(*RATES, log=True),
            "length": kinds.CategoricalDistribution(LENGTHS),
            **{f"value {n}": kinds.CategoricalDistribution(("", *some)) for n, some in enumerate(others)},
        }
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=AT_RANDOM)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._create = optuna.trial.create_trial

    def draw(self) -> Point:
        """The next point."""
        params = self._study.ask(self._spaces).params
        rate, length, *values = (params[name] for name in self._spaces)
        return Point(float(rate), float(length), tuple(map(str, values)))

    def tell(self, point: Point, value: float) -> None:
        """Keeps the point with its value."""
        params = dict(zip(self._spaces, (point.rate, point.length, *point.values), strict=True))
        self._study.add_trial(self._create(params=params, distributions=self._spaces, value=value))


SAMPLERS: dict[str, Callable[[int, Sequence[Sequence[str]]], Sampler]] = {"random": RandomSampler, "tpe": TPESampler}
"""Name of a way to draw → what draws."""

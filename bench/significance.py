"""Whether intervals hold what they say and tests keep their level: simulated comparisons whose truth is known.

    python bench/significance.py [--studies 1600] [--json]

Two arms of three to five seeds answer the same n examples. Each example has a difficulty that both arms share, each arm its
own taste, and each seed changes a part of its answers and is good or bad by some luck. Of equally good arms (``none``) the
shares of rejections are levels, which should be 5 %; the interval should hold the true gain in 95 %. Beside the intervals
of this package stand those of a hierarchical bootstrap (seeds drawn, then examples, 400 times, percentiles), and the tests
over the examples alone, which know nothing of seeds.
"""

import argparse
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import norm

from warmstart.metrics.comparison import compare
from warmstart.metrics.paired import compare_means, mcnemar

Array = Any
SETTINGS = [
    (100, 3, 0.0), (500, 2, 0.0), (500, 3, 0.0), (500, 5, 0.0), (500, 2, 0.1), (500, 3, 0.1), (500, 5, 0.1), (500, 1, 0.0),
]  # fmt: skip
"""Examples, seeds, and standard deviation of the luck of a seed, in probit units."""
RESAMPLES = 400


def chances(examples: int, draw: np.random.Generator, gain: float) -> list[Array]:
    """[2][n] how likely each arm is right on each example; the second arm is worse by ``gain`` probit units on average."""
    difficulty = draw.normal(0.8, 0.8, examples)
    return [difficulty + draw.normal(0, 0.5, examples) - shift for shift in (0.0, gain)]


def answers(scores: Array, seeds: int, luck: float, draw: np.random.Generator) -> Array:
    """[seeds, n] 1 where right; all seeds of an arm share most of what is chance."""
    common = draw.normal(0, 0.9, len(scores))
    own = draw.normal(0, np.sqrt(1 - 0.9**2), (seeds, len(scores))) + draw.normal(0, luck, (seeds, 1))
    return ((scores + common + own) > 0).astype(np.int8)


def bootstrap(first: Array, second: Array, draw: np.random.Generator) -> tuple[float, float]:
    """Percentiles of the difference of means over resampled seeds and, of all of them together, examples."""
    seeds, examples = first.shape
    chosen = draw.integers(0, seeds, (2, RESAMPLES, seeds))
    counts = np.stack([np.eye(seeds)[side].mean(1) for side in chosen])
    weights = draw.multinomial(examples, np.full(examples, 1 / examples), RESAMPLES) / examples
    gains = ((counts[0] @ first - counts[1] @ second) * weights).sum(1)
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(low), float(high)


def study(setting: tuple[int, int, float], gain: float, truth: float, draw: np.random.Generator) -> dict[str, bool]:
    """One simulated comparison: which intervals hold the truth, and which tests see a difference."""
    examples, seeds, luck = setting
    first, second = (answers(one, seeds, luck, draw) for one in chances(examples, draw, gain))
    means = [side.mean(1).tolist() for side in (first, second)]
    found = compare(*means, pseudo_values=(first, second))
    low, high = bootstrap(first, second, draw)
    paired = compare_means(first.mean(0), second.mean(0), 0, 400)
    return {
        "interval holds": found.low <= truth <= found.high,
        "bootstrap holds": low <= truth <= high,
        "test": found.p < 0.05,
        "randomisation": paired.p_permutation < 0.05,
        "McNemar": mcnemar(first[0], second[0]).p < 0.05,
    }


def true_gain(gain: float) -> float:
    """The difference of the expected shares of right answers, over all examples that there may be."""
    spread = np.sqrt(1 + 0.8**2 + 0.5**2)
    return float(norm.cdf(0.8 / spread) - norm.cdf((0.8 - gain) / spread))


def measure(studies: int, settings: Sequence[tuple[int, int, float]] = SETTINGS) -> list[dict[str, Any]]:
    """One row for each setting and gain: shares of the studies."""
    rows = []
    for setting in settings:
        for gain in (0.0, 0.25):
            draw, truth = np.random.default_rng([setting[0], setting[1], int(100 * gain)]), true_gain(gain)
            found = [study(setting, gain, truth, draw) for _ in range(studies)]
            shares = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
            rows.append({"examples": setting[0], "seeds": setting[1], "luck": setting[2], "gain": truth} | shares)
    return rows


def main() -> None:
    """Simulates and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1600)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.studies)
    if options.json:
        print(json.dumps(rows))
        return
    print(" | ".join(rows[0]))
    for row in rows:
        print(" | ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))


if __name__ == "__main__":
    main()

"""Exact distributions of the scores that a leaderboard may show; every outcome is enumerated.

The predictions of a submission are fixed and the labels of the test patients are unknown. Patients
with the same predictions form a group, in which each patient is tumoral with the same unknown
probability p ~ Beta(a, b). Hence:

- the number of tumoral patients among n of a group is BetaBinomial(n, a, b);
- a board scores a random subset of the test patients, so the numbers that it holds of each group
  are multivariate hypergeometric.

A score is the balanced accuracy, (recall + specificity) / 2. Test sets of a few dozen patients are
small enough to sum over all outcomes.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import product
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.errors import LymphokitError

Floats = NDArray[np.float64]
Counts = NDArray[np.integer]
LEVEL = 0.95  # of all intervals shown
_MOST_OUTCOMES = 5_000_000  # some seconds; the competition's 42 patients have 600,000 at most
_DECIMALS = 12  # scores equal to these decimals are one score, computed in two ways


class LeaderboardError(LymphokitError):
    """Board scores, or the size of a board, do not fit the submissions."""


@dataclass(frozen=True)
class Beta:
    """Beta distribution of an unknown share: positive and negative patients seen, plus the prior.

    The counts may be fractions. a / (a + b) is the mean.
    """

    a: float
    b: float

    @cache  # noqa: B019  frozen, and few in a process that ends soon
    def count_pmf(self, n: int) -> Floats:
        """Beta-binomial probabilities of 0 to n positive patients among n: (n + 1,).

        As `scipy.stats.betabinom.pmf`, whose import takes longer than a whole comparison.
        """
        k = np.arange(n)
        # p(k + 1) / p(k), in which the beta functions cancel.
        ratios = (n - k) * (self.a + k) / ((k + 1) * (self.b + n - k - 1))
        pmf = np.cumprod(np.concatenate([[1.0], ratios]))
        pmf /= pmf.sum()
        pmf.flags.writeable = False  # the cache hands the same array to all callers
        return pmf


@dataclass(frozen=True)
class Group:
    """Test patients with the same predictions: their number and the share of tumoral ones."""

    size: int
    tumoral: Beta

    def remaining(self, tumoral: int, reactive: int) -> "Group":
        """Rest of the group after these patients were seen, its share updated by them."""
        share = Beta(self.tumoral.a + tumoral, self.tumoral.b + reactive)
        return Group(self.size - tumoral - reactive, share)


@dataclass(frozen=True)
class Distribution:
    """Discrete distribution: ascending values, and their probabilities, which sum to 1."""

    values: Floats
    probabilities: Floats

    @classmethod
    def from_outcomes(cls, outcomes: Iterable[tuple[Floats, Floats]]) -> Self:
        """Merge arrays of values and of their weights; the weights are normalised."""
        pairs = [(np.ravel(values), np.ravel(weights)) for values, weights in outcomes]
        values = np.concatenate([values for values, _ in pairs]).round(_DECIMALS)
        unique, place = np.unique(values, return_inverse=True)
        total = np.bincount(place, weights=np.concatenate([weights for _, weights in pairs]))
        return cls(unique, total / total.sum())

    @property
    def mean(self) -> float:
        """Expected value."""
        return float(self.values @ self.probabilities)

    @property
    def p_positive(self) -> float:
        """Probability of a value above 0."""
        return float(self.probabilities[self.values > 0].sum())

    @property
    def p_negative(self) -> float:
        """Probability of a value below 0."""
        return float(self.probabilities[self.values < 0].sum())

    @property
    def p_zero(self) -> float:
        """Probability of exactly 0."""
        return float(self.probabilities[self.values == 0].sum())

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Central interval with at least probability `level`: at most half of the rest per side."""
        tail, cumulative = (1 - level) / 2, np.cumsum(self.probabilities)
        # 1e-12: rounding in the sum must not move an end to the next value.
        low = int(np.searchsorted(cumulative, tail - 1e-12, side="left"))
        high = int(np.searchsorted(cumulative, 1 - tail - 1e-12, side="left"))
        return float(self.values[low]), float(self.values[high])


def hypergeometric(sizes: tuple[int, ...], drawn: tuple[int, ...]) -> float:
    """Probability that a random subset holds these numbers of groups of these sizes."""
    return math.prod(map(math.comb, sizes, drawn)) / math.comb(sum(sizes), sum(drawn))


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of a subset that holds `drawn` patients of each group.

    tumoral: numbers of tumoral patients of each group, an open grid with one axis per group;
    probabilities: on that grid, shape (drawn[0] + 1, drawn[1] + 1, ...).
    """

    drawn: tuple[int, ...]
    tumoral: tuple[Counts, ...]
    probabilities: Floats

    def score(self, predictions: Sequence[int]) -> Floats:
        """Scores on the grid of a file that predicts this label, 0 or 1, in each group.

        With patients of one label alone, the score is recall or specificity.
        """
        hits, cleared = np.zeros((), np.int64), np.zeros((), np.int64)
        for n, tumoral, label in zip(self.drawn, self.tumoral, predictions, strict=True):
            hits, cleared = (hits + tumoral, cleared) if label else (hits, cleared + n - tumoral)
        n_tumoral = sum(self.tumoral)
        n_reactive = sum(self.drawn) - n_tumoral
        # An undefined rate has a numerator of 0, so any denominator but 0 leaves it out of the sum.
        total = hits / np.maximum(n_tumoral, 1) + cleared / np.maximum(n_reactive, 1)
        return np.asarray(total / np.add(n_tumoral > 0, n_reactive > 0, dtype=np.int64))


def require_few(groups: Sequence[Group], most: int = _MOST_OUTCOMES) -> None:
    """Raise LeaderboardError where there are too many outcomes to enumerate them all.

    On average over n_drawn: a group of n patients has (n + 1) (n + 2) / 2 outcomes, and one of
    n_patients + 1 combinations has n_drawn patients.
    """
    n_patients = sum(group.size for group in groups)
    pairs = math.prod((group.size + 1) * (group.size + 2) // 2 for group in groups)
    if pairs // (n_patients + 1) > most:
        raise LeaderboardError(
            f"{n_patients:,} patients in {len(groups)} groups of equal predictions have too many "
            "outcomes to enumerate them; name files of the competition's test patients, and fewer"
        )


def outcomes(groups: Sequence[Group], n_drawn: int) -> Iterator[Outcomes]:
    """Enumerate all outcomes of a random subset of n_drawn patients.

    Raises LeaderboardError as `require_few` does.
    """
    require_few(groups)
    sizes = tuple(group.size for group in groups)
    for drawn in product(*(range(min(size, n_drawn) + 1) for size in sizes)):
        if sum(drawn) != n_drawn:
            continue
        pmfs = [group.tumoral.count_pmf(n) for group, n in zip(groups, drawn, strict=True)]
        joint = hypergeometric(sizes, drawn) * reduce(np.multiply.outer, pmfs)
        yield Outcomes(drawn, np.ogrid[tuple(slice(n + 1) for n in drawn)], joint)


def distribution(groups: Sequence[Group], n_drawn: int, *files: Sequence[int]) -> Distribution:
    """Distribution of the score of a file, or of the lead of a first over a second.

    On a random subset of n_drawn of the patients. files: for one file or two, the label, 0 or 1,
    that it predicts in each group; the lead is the score of the first minus that of the second.
    """
    return Distribution.from_outcomes(
        (reduce(np.subtract, map(found.score, files)), found.probabilities)
        for found in outcomes(groups, n_drawn)
    )

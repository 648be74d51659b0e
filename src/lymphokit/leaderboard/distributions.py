"""Exact distributions of the scores that a leaderboard may show; every outcome is enumerated.

The predictions of a submission are fixed and the labels of the test patients are unknown. Patients
with the same predictions form a group, in which each patient is tumoral with the same probability
p:

- with p known, the number of tumoral patients among n is Binomial(n, p);
- with p ~ Beta(a, b), it is BetaBinomial(n, a, b), which has a larger variance;
- a board scores a random subset of the test patients, so the number that it holds of each group is
  (multivariate) hypergeometric.

A score is the balanced accuracy, (recall + specificity) / 2. Test sets of a few dozen patients are
small enough to sum over all outcomes.

Speed: `lymphokit compare` prints within two seconds; importing scipy.stats alone takes as long, so
the beta-binomial distribution is written out here.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, reduce
from itertools import product
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.integer]
LEVEL = 0.95  # of all intervals shown
_DECIMALS = 12  # scores equal to these decimals are one score, computed in two ways


@dataclass(frozen=True)
class Beta:
    """Beta distribution of an unknown share, by its mean and concentration.

    concentration: a + b, the number of patients that the share was estimated from, plus the
    prior's; infinite for a known share.
    """

    mean: float
    concentration: float

    @classmethod
    def from_counts(cls, positive: float, negative: float, prior: float) -> Self:
        """Posterior after these counts, fractions allowed, with the prior Beta(prior, prior)."""
        concentration = positive + negative + 2 * prior
        return cls((positive + prior) / concentration, concentration)

    def as_known(self) -> "Beta":
        """Take the mean as the known share."""
        return Beta(self.mean, math.inf)

    def updated(self, positive: int, negative: int) -> "Beta":
        """Posterior after more patients were seen; a known share stays."""
        if math.isinf(self.concentration) or positive + negative == 0:
            return self
        concentration = self.concentration + positive + negative
        return Beta((self.mean * self.concentration + positive) / concentration, concentration)

    def count_pmf(self, n: int) -> Floats:
        """Probabilities of 0 to n positive patients among n: (n + 1,)."""
        return _count_pmf(self.mean, self.concentration, n)


@dataclass(frozen=True)
class Group:
    """Test patients with the same predictions: their number and the share of tumoral ones."""

    size: int
    tumoral: Beta

    def count_pmf(self, n: int) -> Floats:
        """Probabilities of 0 to n tumoral patients among n of the group: (n + 1,)."""
        return self.tumoral.count_pmf(n)

    def as_known(self) -> "Group":
        """Take the mean of the share as known."""
        return Group(self.size, self.tumoral.as_known())

    def remaining(self, tumoral: int, reactive: int) -> "Group":
        """Rest of the group after these patients were seen, its share updated by them."""
        return Group(self.size - tumoral - reactive, self.tumoral.updated(tumoral, reactive))


@dataclass(frozen=True)
class MergedGroup:
    """Two groups of which only the total number of tumoral patients matters."""

    first: Group
    second: Group

    @property
    def size(self) -> int:
        """Number of patients."""
        return self.first.size + self.second.size

    @cache  # noqa: B019  frozen, and short-lived
    def count_pmf(self, n: int) -> Floats:
        """Probabilities of 0 to n tumoral patients among n drawn from both: (n + 1,)."""
        sizes = (self.first.size, self.second.size)
        total = np.zeros(n + 1)
        for i, j in compositions(sizes, n):
            # The distribution of a sum of two independent counts is a convolution.
            total += hypergeometric(sizes, (i, j)) * np.convolve(
                self.first.count_pmf(i), self.second.count_pmf(j)
            )
        return total


class FileGroups(NamedTuple):
    """Test patients by the prediction of a file."""

    positive: Group  # predicted tumoral
    negative: Group


class PairGroups(NamedTuple):
    """Test patients by the predictions of two files, A and B."""

    both: Group  # predicted tumoral by both
    only_a: Group
    only_b: Group
    neither: Group


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

    @classmethod
    def from_mixture(cls, parts: Iterable[tuple[float, "Distribution"]]) -> Self:
        """Mix distributions by their weights."""
        return cls.from_outcomes((one.values, p * one.probabilities) for p, one in parts)

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

    @property
    def mean_positive_part(self) -> float:
        """Expected value of max(value, 0)."""
        return float(np.maximum(self.values, 0) @ self.probabilities)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Central interval with at least probability `level`: at most half of the rest per side."""
        tail, cumulative = (1 - level) / 2, np.cumsum(self.probabilities)
        # 1e-12: rounding in the sum must not move an end to the next value.
        low = int(np.searchsorted(cumulative, tail - 1e-12, side="left"))
        high = int(np.searchsorted(cumulative, 1 - tail - 1e-12, side="left"))
        last = len(self.values) - 1
        return float(self.values[min(low, last)]), float(self.values[min(high, last)])


def balanced_accuracy(
    tumoral_correct: Counts, n_tumoral: Counts, reactive_correct: Counts, n_reactive: Counts
) -> Floats:
    """Mean of recall and specificity, elementwise; with one label only, the one that is defined."""
    n_defined = (n_tumoral > 0).astype(np.int64) + (n_reactive > 0)
    # An undefined rate has a numerator of 0, so any denominator but 0 leaves it out of the sum.
    recall = tumoral_correct / np.maximum(n_tumoral, 1)
    specificity = reactive_correct / np.maximum(n_reactive, 1)
    return np.asarray((recall + specificity) / np.maximum(n_defined, 1), dtype=np.float64)


def hypergeometric(sizes: tuple[int, ...], drawn: tuple[int, ...]) -> float:
    """Probability that a random subset holds these numbers of groups of these sizes."""
    log = sum(_log_choose(size, part) for size, part in zip(sizes, drawn, strict=True))
    return math.exp(log - _log_choose(sum(sizes), sum(drawn)))


def compositions(sizes: tuple[int, ...], n_drawn: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to draw n_drawn patients from groups of these sizes."""
    for drawn in product(*(range(min(size, n_drawn) + 1) for size in sizes[:-1])):
        last = n_drawn - sum(drawn)
        if 0 <= last <= sizes[-1]:
            yield *drawn, last


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
        """Scores on the grid of a file that predicts this label, 0 or 1, in each group."""
        reactive = [n - tumoral for n, tumoral in zip(self.drawn, self.tumoral, strict=True)]
        zero = np.zeros((), dtype=np.int64)
        return balanced_accuracy(
            sum((n for n, label in zip(self.tumoral, predictions, strict=True) if label), zero),
            sum(self.tumoral, zero),
            sum((n for n, label in zip(reactive, predictions, strict=True) if not label), zero),
            sum(reactive, zero),
        )


def outcomes(groups: Sequence[Group | MergedGroup], n_drawn: int) -> Iterator[Outcomes]:
    """Enumerate all outcomes of a random subset of n_drawn patients."""
    sizes = tuple(group.size for group in groups)
    for drawn in compositions(sizes, n_drawn):
        pmfs = [group.count_pmf(n) for group, n in zip(groups, drawn, strict=True)]
        joint = hypergeometric(sizes, drawn) * reduce(np.multiply.outer, pmfs)
        yield Outcomes(drawn, np.ogrid[tuple(slice(n + 1) for n in drawn)], joint)


def score_distribution(groups: FileGroups, n_drawn: int) -> Distribution:
    """Distribution of the score of a file on a random subset of n_drawn of its patients."""
    return Distribution.from_outcomes(
        (found.score((1, 0)), found.probabilities) for found in outcomes(groups, n_drawn)
    )


def unseen_score_distribution(
    positive_rate: Beta, tumoral: tuple[Beta, Beta], n_drawn: int
) -> Distribution:
    """Distribution of the score of a file of which only rates are known, on n_drawn patients.

    positive_rate: share predicted tumoral; tumoral: shares of tumoral patients among those
    predicted tumoral and among those predicted reactive.
    """
    return Distribution.from_outcomes(
        (found.score((1, 0)), weight * found.probabilities)
        for n, weight in enumerate(positive_rate.count_pmf(n_drawn))
        for found in outcomes((Group(n, tumoral[0]), Group(n_drawn - n, tumoral[1])), n_drawn)
    )


def lead_distribution(groups: PairGroups, n_drawn: int) -> Distribution:
    """Distribution of the score of A minus the score of B on a random subset of n_drawn patients.

    Where the predictions agree, both files are right or both wrong. These patients cancel in the
    difference but for the denominators of recall and specificity, so only their total number of
    tumoral patients matters: merged into one group they save most of the work.
    """
    agreed = MergedGroup(groups.both, groups.neither)
    return Distribution.from_outcomes(
        (found.score((1, 0, 1)) - found.score((0, 1, 1)), found.probabilities)
        for found in outcomes((groups.only_a, groups.only_b, agreed), n_drawn)
    )


@lru_cache(maxsize=4096)
def _count_pmf(mean: float, concentration: float, n: int) -> Floats:
    if math.isinf(concentration):
        terms = (math.comb(n, k) * mean**k * (1 - mean) ** (n - k) for k in range(n + 1))
    else:
        a, b = mean * concentration, (1 - mean) * concentration
        terms = (_beta_binomial(k, n, a, b) for k in range(n + 1))
    pmf = np.fromiter(terms, dtype=np.float64, count=n + 1)
    pmf.flags.writeable = False  # the cache hands the same array to all callers
    return pmf


def _beta_binomial(k: int, n: int, a: float, b: float) -> float:
    """As `scipy.stats.betabinom.pmf`, whose import takes longer than a whole comparison."""
    log = _log_beta(k + a, n - k + b) - _log_beta(a, b)
    return math.exp(_log_choose(n, k) + log)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@lru_cache(maxsize=65536)
def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

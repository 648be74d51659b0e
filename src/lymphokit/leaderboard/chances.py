"""What a board may say of a submission, exactly: every outcome with its chance, none simulated.

A submission is fixed; what is not known are the labels of its patients. A share of those that it
calls tumoral are, and a smaller share of those that it calls reactive. With such a share known,
the number of tumoral patients among n is binomial; with a share known from m patients alone, it is
beta-binomial, which is wider. A board part is so many patients drawn at random, so how many of
each group it holds is hypergeometric. All boards are small enough to go through every outcome.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.integer]
_SAME = 12  # decimals: two scores that agree in them are one score, computed in two ways


@dataclass(frozen=True)
class Share:
    """A share of patients, 0 to 1: a beta distribution, or one number.

    weight: how many patients the knowledge of it is worth, the prior's included; infinite where
    the share is taken as known.
    """

    mean: float
    weight: float

    @classmethod
    def seen(cls, yes: float, no: float, prior: float) -> Self:
        """The share of yes after so many; the prior adds as many (above 0) to each."""
        weight = yes + no + 2 * prior
        return cls((yes + prior) / weight, weight)

    def known(self) -> "Share":
        """The same share as if it were known exactly."""
        return Share(self.mean, math.inf)

    def and_seen(self, yes: int, no: int) -> "Share":
        """The share after some more patients were seen."""
        if math.isinf(self.weight) or yes + no == 0:
            return self
        weight = self.weight + yes + no
        return Share((self.mean * self.weight + yes) / weight, weight)

    def pmf(self, n: int) -> Floats:
        """Chances of 0 to n yes among n patients: (n + 1,)."""
        return _pmf(self.mean, self.weight, n)


@dataclass(frozen=True)
class Group:
    """Patients about whom the files say the same: how many, and which share truly is tumoral."""

    size: int
    tumoral: Share

    def known(self) -> "Group":
        """The same group, its share taken as known."""
        return Group(self.size, self.tumoral.known())

    def without(self, tumoral: int, reactive: int) -> "Group":
        """Those left when some patients were seen on a board, from whom the share is learnt."""
        rest = self.size - tumoral - reactive
        return Group(rest, self.tumoral.and_seen(tumoral, reactive))


@dataclass(frozen=True)
class Distribution:
    """Every value that can come, in ascending order, and its chance; the chances add up to 1."""

    values: Floats
    chances: Floats

    @classmethod
    def of(cls, outcomes: list[tuple[Floats, Floats]]) -> Self:
        """From arrays of values and of their chances, whose sum need not be 1."""
        values = np.concatenate([np.ravel(value) for value, _ in outcomes]).round(_SAME)
        chances = np.concatenate([np.ravel(chance) for _, chance in outcomes])
        unique, place = np.unique(values, return_inverse=True)
        total = np.bincount(place, weights=chances)
        return cls(unique, total / total.sum())

    @property
    def mean(self) -> float:
        """The expected value."""
        return float(self.values @ self.chances)

    @property
    def above(self) -> float:
        """The chance of a value above 0."""
        return float(self.chances[self.values > 0].sum())

    @property
    def below(self) -> float:
        """The chance of a value below 0."""
        return float(self.chances[self.values < 0].sum())

    @property
    def level(self) -> float:
        """The chance of exactly 0."""
        return float(self.chances[self.values == 0].sum())

    @property
    def mean_of_gain(self) -> float:
        """The expected value where all below 0 counts as 0."""
        return float(np.maximum(self.values, 0) @ self.chances)

    def interval(self, level: float) -> tuple[float, float]:
        """The central values that hold at least `level`: at most half of the rest on each side."""
        tail, reached = (1 - level) / 2, np.cumsum(self.chances)
        low = int(np.searchsorted(reached, tail - 1e-12, side="left"))
        high = int(np.searchsorted(reached, 1 - tail - 1e-12, side="left"))
        last = len(self.values) - 1
        return float(self.values[min(low, last)]), float(self.values[min(high, last)])


def balanced_accuracy(
    right_tumoral: Counts, n_tumoral: Counts, right_reactive: Counts, n_reactive: Counts
) -> Floats:
    """Mean of recall and specificity, elementwise; of the one that is defined, as boards do it."""
    present = (n_tumoral > 0).astype(np.int64) + (n_reactive > 0)
    recall = right_tumoral / np.maximum(n_tumoral, 1)
    specificity = right_reactive / np.maximum(n_reactive, 1)
    return np.asarray((recall + specificity) / np.maximum(present, 1), dtype=np.float64)


def scores(n_called: int, n_spared: int) -> Floats:
    """Scores by the numbers of tumoral patients among those called tumoral and called reactive."""
    right, missed = np.ogrid[: n_called + 1, : n_spared + 1]
    n_tumoral = right + missed
    return balanced_accuracy(right, n_tumoral, n_spared - missed, n_called + n_spared - n_tumoral)


def ways(sizes: tuple[int, ...], drawn: tuple[int, ...]) -> float:
    """The chance that a random part holds so many of each group: multivariate hypergeometric."""
    log = sum(_log_choose(size, part) for size, part in zip(sizes, drawn, strict=True))
    return math.exp(log - _log_choose(sum(sizes), sum(drawn)))


def board_score(called: Group, spared: Group, drawn: int) -> Distribution:
    """Balanced accuracy of a file on a random part of `drawn` of its patients.

    called, spared: those whom the file calls tumoral and reactive. Draw all for the whole test.
    """
    outcomes = []
    for n_called in _parts(called.size, spared.size, drawn):
        n_spared = drawn - n_called
        chance = ways((called.size, spared.size), (n_called, n_spared))
        joint = np.outer(called.tumoral.pmf(n_called), spared.tumoral.pmf(n_spared))
        outcomes.append((scores(n_called, n_spared), chance * joint))
    return Distribution.of(outcomes)


def any_board_score(called: Share, tumoral: tuple[Share, Share], drawn: int) -> Distribution:
    """The same for a file that is not at hand: how many it calls tumoral is not known either.

    called: the share called tumoral; tumoral: the share that truly is of those called tumoral,
    and of those called reactive.
    """
    outcomes = []
    for n_called, chance in enumerate(called.pmf(drawn)):
        n_spared = drawn - n_called
        joint = np.outer(tumoral[0].pmf(n_called), tumoral[1].pmf(n_spared))
        outcomes.append((scores(n_called, n_spared), chance * joint))
    return Distribution.of(outcomes)


def lead(both: Group, first: Group, second: Group, neither: Group, drawn: int) -> Distribution:
    """By how much file A is ahead of file B on a random part of `drawn` patients.

    The groups are whom both call tumoral, A alone, B alone, neither. On a patient of whom the
    files say the same both are right or both wrong, so only the groups `first` and `second`
    decide who is ahead, and on each of their patients exactly one file is right: A on the tumoral
    of `first` and the reactive of `second`, B on the others. Balanced accuracy divides a tumoral
    patient by the number of tumoral ones and a reactive one by theirs; only for these numbers do
    the other two groups count. The shares hold what is known of A and B out of fold.
    """
    sizes = (first.size, second.size, both.size + neither.size)
    tumoral_agreed: dict[int, Floats] = {}
    outcomes = []
    for n_first, n_second in np.ndindex(first.size + 1, second.size + 1):
        agreed = drawn - n_first - n_second
        if not 0 <= agreed <= sizes[2]:
            continue
        if agreed not in tumoral_agreed:
            tumoral_agreed[agreed] = _tumoral_of_two(both, neither, agreed)
        chance = ways(sizes, (n_first, n_second, agreed))
        outcomes.append(
            (
                _leads(n_first, n_second, agreed),
                chance
                * first.tumoral.pmf(n_first)[:, None, None]
                * second.tumoral.pmf(n_second)[None, :, None]
                * tumoral_agreed[agreed][None, None, :],
            )
        )
    return Distribution.of(outcomes)


def _leads(n_first: int, n_second: int, agreed: int) -> Floats:
    """A's lead by the numbers of tumoral patients in `first`, in `second` and where both agree."""
    x, y, z = np.ogrid[: n_first + 1, : n_second + 1, : agreed + 1]
    n_tumoral = x + y + z
    n_reactive = n_first + n_second + agreed - n_tumoral
    of_first = balanced_accuracy(x, n_tumoral, n_second - y, n_reactive)
    return of_first - balanced_accuracy(y, n_tumoral, n_first - x, n_reactive)


def _tumoral_of_two(one: Group, other: Group, drawn: int) -> Floats:
    """Chances of 0 to `drawn` tumoral patients in a random part of two groups."""
    total = np.zeros(drawn + 1)
    for part in _parts(one.size, other.size, drawn):
        chance = ways((one.size, other.size), (part, drawn - part))
        total += chance * np.convolve(one.tumoral.pmf(part), other.tumoral.pmf(drawn - part))
    return total


def _parts(one: int, other: int, drawn: int) -> Iterator[int]:
    """How many of the first of two groups a part may hold."""
    yield from range(max(0, drawn - other), min(one, drawn) + 1)


@lru_cache(maxsize=4096)
def _pmf(mean: float, weight: float, n: int) -> Floats:
    if math.isinf(weight):
        chances = np.array([_binomial(yes, n - yes, mean) for yes in range(n + 1)])
    else:
        a, b = mean * weight, (1 - mean) * weight
        chances = np.array([_beta_binomial(yes, n - yes, a, b) for yes in range(n + 1)])
    chances.flags.writeable = False
    return chances


def _binomial(yes: int, no: int, mean: float) -> float:
    return float(math.comb(yes + no, yes) * mean**yes * (1 - mean) ** no)


def _beta_binomial(yes: int, no: int, a: float, b: float) -> float:
    """As scipy.stats has it, to which tests hold it; importing that takes longer than comparing."""
    log = _log_beta(yes + a, no + b) - _log_beta(a, b)
    return math.exp(_log_choose(yes + no, yes) + log)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@lru_cache(maxsize=65536)
def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

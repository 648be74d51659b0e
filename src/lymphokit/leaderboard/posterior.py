"""Distributions on the private part of the test set, given the scores on the public part.

Bayes' rule: p(private | score) is proportional to the sum over all outcomes of the public part that
give the score, p(outcome) p(private | outcome). After an outcome the private part is what remains
of the groups, and the shares of tumoral patients are updated by the patients seen. A board rounds
its scores, so an outcome fits if it lies within half a unit of the last digit written.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from lymphokit.leaderboard.distributions import (
    Distribution,
    FileGroups,
    Group,
    PairGroups,
    balanced_accuracy,
    hypergeometric,
    lead_distribution,
    outcomes,
    score_distribution,
)

NEGLIGIBLE = 1e-4  # probability of the many unlikely outcomes that are left out
_MIN_DECIMALS = 2


class ImpossibleScoreError(Exception):
    """No labels of the public patients give these scores; `compare` reports it as a note."""

    def __init__(self, scores: Sequence[float]) -> None:
        self.scores = tuple(scores)
        super().__init__(scores)


def tolerance(score: float) -> float:
    """Half a unit of the last digit written, of the second decimal at least."""
    decimals = len(repr(float(score)).partition(".")[2])
    return 0.5 * 10.0 ** -max(decimals, _MIN_DECIMALS) + 1e-9


def private_score(groups: FileGroups, n_public: int, score: float) -> Distribution:
    """Distribution of the private score of a file, given its score on n_public patients.

    Raises ImpossibleScoreError where no outcome gives the score.
    """
    parts = []
    for part in outcomes(groups, n_public):
        for place in np.argwhere(abs(part.score((1, 0)) - score) <= tolerance(score)).tolist():
            reactive = [n - tumoral for n, tumoral in zip(part.drawn, place, strict=True)]
            rest = FileGroups(*_remaining(groups, place, reactive))
            private = score_distribution(rest, rest.positive.size + rest.negative.size)
            parts.append((float(part.probabilities[tuple(place)]), private))
    if not parts:
        raise ImpossibleScoreError((score,))
    return Distribution.from_mixture(parts)


def private_lead(groups: PairGroups, n_public: int, scores: tuple[float, float]) -> Distribution:
    """Distribution of the private score of A minus that of B, given both public scores.

    Outcomes with less than NEGLIGIBLE of the probability together are left out.
    Raises ImpossibleScoreError where no outcome gives both scores.
    """
    found = sorted(_public_outcomes(groups, n_public, scores), key=lambda one: -one[0])
    if not found:
        raise ImpossibleScoreError(scores)
    cumulative = np.cumsum([p for p, _ in found])
    n_kept = int(np.searchsorted(cumulative, (1 - NEGLIGIBLE) * cumulative[-1])) + 1
    return Distribution.from_mixture(
        (p, lead_distribution(rest, sum(group.size for group in rest)))
        for p, rest in found[:n_kept]
    )


def _public_outcomes(
    groups: PairGroups, n_public: int, scores: tuple[float, float]
) -> Iterator[tuple[float, PairGroups]]:
    """Probability of each public part that gives both scores, and the groups that remain.

    Few counts of correct patients give a score, so these are found first and then split over the
    groups. To filter `outcomes` instead takes 6 to 8 times as long.
    """
    sizes = tuple(group.size for group in groups)
    for n_tumoral in range(n_public + 1):
        n_reactive = n_public - n_tumoral
        correct = [_correct_counts(n_tumoral, n_reactive, score) for score in scores]
        for (hits_a, cleared_a), (hits_b, cleared_b) in product(*correct):
            for tumoral, reactive in product(
                _contingency_tables(n_tumoral, hits_a, hits_b),
                # Reactive patients that are not cleared are predicted tumoral.
                _contingency_tables(n_reactive, n_reactive - cleared_a, n_reactive - cleared_b),
            ):
                drawn = tuple(t + r for t, r in zip(tumoral, reactive, strict=True))
                if any(n > size for n, size in zip(drawn, sizes, strict=True)):
                    continue
                p = hypergeometric(sizes, drawn)
                for group, n, t in zip(groups, drawn, tumoral, strict=True):
                    p *= float(group.count_pmf(n)[t])
                yield p, PairGroups(*_remaining(groups, tumoral, reactive))


def _correct_counts(n_tumoral: int, n_reactive: int, score: float) -> list[tuple[int, int]]:
    """Numbers of correct tumoral and of correct reactive patients that give this score."""
    hits, cleared = np.ogrid[: n_tumoral + 1, : n_reactive + 1]
    reached = balanced_accuracy(hits, np.array(n_tumoral), cleared, np.array(n_reactive))
    return [(i, j) for i, j in np.argwhere(abs(reached - score) <= tolerance(score)).tolist()]


def _contingency_tables(n: int, n_a: int, n_b: int) -> list[tuple[int, int, int, int]]:
    """All splits of n patients in the order of PairGroups, A predicting n_a tumoral and B n_b."""
    return [
        (both, n_a - both, n_b - both, n - n_a - n_b + both)
        for both in range(max(0, n_a + n_b - n), min(n_a, n_b) + 1)
    ]


def _remaining(
    groups: Sequence[Group], tumoral: Sequence[int], reactive: Sequence[int]
) -> list[Group]:
    """Groups after these numbers of patients were seen in each."""
    return [group.remaining(t, r) for group, t, r in zip(groups, tumoral, reactive, strict=True)]

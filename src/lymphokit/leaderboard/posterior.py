"""Distributions on the private part of the test set, given the scores on the public part.

Bayes' rule: p(private | score) is proportional to the sum over all outcomes of the public part that
give the score, p(outcome) p(private | outcome). After an outcome the private part is what remains
of the groups, and the shares of tumoral patients are updated by the patients seen. A board rounds
its scores, so an outcome fits if it lies within half a unit of the last digit written.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from lymphokit.leaderboard.distributions import (
    Distribution,
    FileGroups,
    Group,
    PairGroups,
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
    found = _public_outcomes(groups, ((1, 0),), n_public, (score,))
    return _mixture((p, score_distribution(FileGroups(*rest), _size(rest))) for p, rest in found)


def private_lead(groups: PairGroups, n_public: int, scores: tuple[float, float]) -> Distribution:
    """Distribution of the private score of A minus that of B, given both public scores.

    Outcomes with less than NEGLIGIBLE of the probability together are left out.
    Raises ImpossibleScoreError where no outcome gives both scores.
    """
    predictions = ((1, 1, 0, 0), (1, 0, 1, 0))  # of A and of B, in the order of PairGroups
    found = sorted(_public_outcomes(groups, predictions, n_public, scores), key=lambda one: -one[0])
    cumulative = np.cumsum([p for p, _ in found])
    n_kept = int(np.searchsorted(cumulative, (1 - NEGLIGIBLE) * cumulative[-1])) + 1
    return _mixture(
        (p, lead_distribution(PairGroups(*rest), _size(rest))) for p, rest in found[:n_kept]
    )


def _public_outcomes(
    groups: Sequence[Group],
    predictions: Sequence[Sequence[int]],
    n_public: int,
    scores: Sequence[float],
) -> list[tuple[float, list[Group]]]:
    """Probability of each public part that gives the scores, and the groups that remain.

    predictions: for each file, its prediction in each group; scores: one per file.
    """
    found = []
    for part in outcomes(groups, n_public):
        fits = np.ones(part.probabilities.shape, dtype=bool)
        for labels, score in zip(predictions, scores, strict=True):
            fits &= abs(part.score(labels) - score) <= tolerance(score)
        for tumoral in np.argwhere(fits).tolist():
            rest = [
                group.remaining(t, n - t)
                for group, n, t in zip(groups, part.drawn, tumoral, strict=True)
            ]
            found.append((float(part.probabilities[tuple(tumoral)]), rest))
    if not found:
        raise ImpossibleScoreError(scores)
    return found


def _size(groups: Sequence[Group]) -> int:
    return sum(group.size for group in groups)


def _mixture(parts: Iterable[tuple[float, Distribution]]) -> Distribution:
    return Distribution.from_outcomes((one.values, p * one.probabilities) for p, one in parts)

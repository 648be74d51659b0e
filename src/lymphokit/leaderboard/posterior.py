"""Distributions on the private part of the test set, given the scores on the public part.

Bayes' rule: p(private | scores) is proportional to the sum over all outcomes of the public part
that give the scores, p(outcome) p(private | outcome). After an outcome the private part is what
remains of the groups, and the shares of tumoral patients are updated by the patients seen. A board
rounds its scores, so an outcome fits if it lies within half a unit of the last digit written.
"""

from collections.abc import Sequence

import numpy as np

from lymphokit.leaderboard.distributions import (
    Distribution,
    Group,
    LeaderboardError,
    distribution,
    outcomes,
    require_few,
)

_MOST_OUTCOMES = 1_000_000  # each that fits the scores is enumerated further


def tolerance(score: float) -> float:
    """Half a unit of the last digit written, of the second decimal at least."""
    decimals = len(repr(float(score)).partition(".")[2])
    return 0.5 * 10.0 ** -max(decimals, 2) + 1e-9


def private_distribution(
    groups: Sequence[Group], n_public: int, files: Sequence[Sequence[int]], scores: Sequence[float]
) -> Distribution:
    """As `distribution`, on the private part, given the score of each file on n_public patients.

    scores: one per file; with a NaN among them nothing is known of the public part.
    Raises LeaderboardError where no outcome gives the scores.
    """
    n_private = sum(group.size for group in groups) - n_public
    if np.isnan(scores).any():
        return distribution(groups, n_private, *files)
    require_few(groups, _MOST_OUTCOMES)
    found = []
    for part in outcomes(groups, n_public):
        fits = [
            abs(part.score(labels) - score) <= tolerance(score)
            for labels, score in zip(files, scores, strict=True)
        ]
        for tumoral in np.argwhere(np.logical_and.reduce(fits)).tolist():
            reactive = np.subtract(part.drawn, tumoral).tolist()
            rest = list(map(Group.remaining, groups, tumoral, reactive))
            private = distribution(rest, n_private, *files)
            found.append(
                (private.values, part.probabilities[tuple(tumoral)] * private.probabilities)
            )
    if not found:
        raise LeaderboardError(
            f"no labels of {n_public} public patients give the public score "
            f"{' and '.join(map(str, scores))}: correct board_public in the ledger, or give "
            "--public, the public share of the test patients"
        )
    return Distribution.from_outcomes(found)

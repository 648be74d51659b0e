"""What the private part may still say, once the public board has spoken.

Every way in which the public part can have come to the scores it shows is gone through, weighed
by its chance, and the shares learn from it; the rest of the patients are the private part. A score
of a board is rounded, so outcomes within half a unit of its last written digit fit.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np

from lymphokit.leaderboard.chances import (
    Distribution,
    Floats,
    Group,
    balanced_accuracy,
    board_score,
    lead,
    scores,
    ways,
)

LEFT_OUT = 1e-4  # of all chance: the many outcomes that are too unlikely to matter
_FEWEST_DECIMALS = 2

Groups = tuple[Group, Group, Group, Group]


def tolerance(score: float) -> float:
    """Half a unit of the last digit that was written, of the second decimal at least."""
    decimals = len(repr(float(score)).partition(".")[2])
    return 0.5 * 10.0 ** -max(decimals, _FEWEST_DECIMALS) + 1e-9


def private_score(called: Group, spared: Group, public: int, score: float) -> Distribution | None:
    """Balanced accuracy on the private part, given the score on `public` patients.

    None where no outcome gives that score.
    """
    outcomes = []
    for n_called in range(max(0, public - spared.size), min(called.size, public) + 1):
        n_spared = public - n_called
        drawn = ways((called.size, spared.size), (n_called, n_spared))
        off = abs(scores(n_called, n_spared) - score)
        for i, j in np.argwhere(off <= tolerance(score)).tolist():
            chance = drawn * called.tumoral.pmf(n_called)[i] * spared.tumoral.pmf(n_spared)[j]
            rest = called.without(i, n_called - i), spared.without(j, n_spared - j)
            outcomes.append((float(chance), rest))
    parts = [
        _weighed(chance, board_score(*rest, rest[0].size + rest[1].size))
        for chance, rest in outcomes
    ]
    return Distribution.of(parts) if parts else None


def private_lead(groups: Groups, public: int, shown: tuple[float, float]) -> Distribution | None:
    """A's lead over B on the private part, given both scores on `public` patients.

    groups: whom both call tumoral, A alone, B alone, neither. None where no outcome gives those
    scores. Outcomes that together have less than LEFT_OUT of the chance are left out.
    """
    found = sorted(_fitting(groups, public, shown), key=lambda one: -one[0])
    if not found:
        return None
    reached = np.cumsum([chance for chance, _ in found])
    enough = int(np.searchsorted(reached, (1 - LEFT_OUT) * reached[-1])) + 1
    return Distribution.of(
        [
            _weighed(chance, lead(*rest, sum(group.size for group in rest)))
            for chance, rest in found[:enough]
        ]
    )


def _weighed(chance: float, of: Distribution) -> tuple[Floats, Floats]:
    return of.values, chance * of.chances


def _fitting(
    groups: Groups, public: int, shown: tuple[float, float]
) -> Iterator[tuple[float, Groups]]:
    """Every public part that gives both scores: its chance, and the groups that it leaves."""
    for n_tumoral in range(public + 1):
        rights = [list(_rights(n_tumoral, public - n_tumoral, score)) for score in shown]
        for a, b in product(*rights):
            yield from _filled(groups, (n_tumoral, public - n_tumoral), a, b)


def _rights(n_tumoral: int, n_reactive: int, score: float) -> Iterator[tuple[int, int]]:
    """Numbers of tumoral and of reactive patients that a file has right at this score."""
    tumoral, reactive = np.ogrid[: n_tumoral + 1, : n_reactive + 1]
    reached = balanced_accuracy(tumoral, np.array(n_tumoral), reactive, np.array(n_reactive))
    fitting = np.argwhere(abs(reached - score) <= tolerance(score))
    yield from ((int(i), int(j)) for i, j in fitting)


def _filled(
    groups: Groups, sizes: tuple[int, int], a: tuple[int, int], b: tuple[int, int]
) -> Iterator[tuple[float, Groups]]:
    """Every way to put the tumoral and reactive patients into the groups, A and B being so right.

    a, b: numbers of tumoral and of reactive patients that each has right.
    """
    n_tumoral, n_reactive = sizes
    for tumoral, reactive in product(
        _squares(n_tumoral, a[0], b[0]), _squares(n_reactive, n_reactive - a[1], n_reactive - b[1])
    ):
        seen = [t + r for t, r in zip(tumoral, reactive, strict=True)]
        if any(n > group.size for n, group in zip(seen, groups, strict=True)):
            continue
        chance = ways(tuple(group.size for group in groups), tuple(seen))
        for group, n, t in zip(groups, seen, tumoral, strict=True):
            chance *= float(group.tumoral.pmf(n)[t])
        both, first, second, neither = (
            group.without(t, r) for group, t, r in zip(groups, tumoral, reactive, strict=True)
        )
        yield chance, (both, first, second, neither)


def _squares(n: int, called_by_a: int, called_by_b: int) -> Iterator[tuple[int, int, int, int]]:
    """Numbers called tumoral by both, A alone, B alone, neither, among n patients."""
    for both in range(max(0, called_by_a + called_by_b - n), min(called_by_a, called_by_b) + 1):
        yield (
            both,
            called_by_a - both,
            called_by_b - both,
            n - called_by_a - called_by_b + both,
        )

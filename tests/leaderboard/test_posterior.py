"""The private part given public scores equals an enumeration of the labels that fit."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from scipy.special import betaln

from lymphokit.leaderboard.distributions import Group, LeaderboardError, distribution
from lymphokit.leaderboard.posterior import private_distribution, tolerance
from tests.leaderboard.test_distributions import beta

FILE, PAIR = ((1, 0),), ((1, 1, 0, 0), (1, 0, 1, 0))
A, B = (1, 1, 1, 1, 0, 0, 0, 0), (1, 1, 0, 0, 1, 0, 0, 0)
ORDER = [(1, 1), (1, 0), (0, 1), (0, 0)]
SIZES = [list(zip(A, B, strict=True)).count(key) for key in ORDER]
SHARES = [beta(0.8, 9.0), beta(0.55, 3.0), beta(0.5, 2.5), beta(0.2, 11.0)]
GROUPS = list(map(Group, SIZES, SHARES))
PUBLIC = 4


def balanced(decisions, labels) -> float:
    right = {which: [] for which in set(labels)}
    for decision, label in zip(decisions, labels, strict=True):
        right[label].append(decision == label)
    return sum(sum(hits) / len(hits) for hits in right.values()) / len(right)


def chance_of(labels, groups) -> float:
    """Of a labelling whose groups have uncertain shares: a ratio of beta functions a group."""
    total = 0.0
    for members, share in groups:
        tumoral = sum(labels[i] for i in members)
        seen = share.a + tumoral, share.b + len(members) - tumoral
        total += betaln(*seen) - betaln(share.a, share.b)
    return math.exp(total)


def enumerated(groups, fits, function) -> dict[float, float]:
    """Probabilities of function(private, labels) over labels and parts that fit the public."""
    found: dict[float, float] = {}
    for labels in product((0, 1), repeat=8):
        for part in combinations(range(8), PUBLIC):
            if fits(part, labels):
                rest = tuple(sorted(set(range(8)) - set(part)))
                value = round(function(rest, labels), 9)
                found[value] = found.get(value, 0.0) + chance_of(labels, groups)
    total = sum(found.values())
    return {value: chance / total for value, chance in found.items()}


def on(decisions, part, labels) -> float:
    return balanced([decisions[i] for i in part], [labels[i] for i in part])


def check(found, expected) -> None:
    seen = dict(zip(found.values.round(9).tolist(), found.probabilities.tolist(), strict=True))
    assert all(
        seen.get(value, 0.0) == pytest.approx(expected[value], abs=1e-12) for value in expected
    )
    assert set(seen) <= set(expected)


def test_a_private_score_is_that_of_the_labellings_that_fit():
    positive, negative = beta(0.8, 6.0), beta(0.3, 5.0)
    groups = [(range(4), positive), (range(4, 8), negative)]
    expected = enumerated(
        groups,
        lambda part, labels: abs(on(A, part, labels) - 0.75) < 1e-6,
        lambda rest, labels: on(A, rest, labels),
    )
    found = private_distribution([Group(4, positive), Group(4, negative)], PUBLIC, FILE, [0.75])
    check(found, expected)


@pytest.mark.parametrize("scores", [(0.75, 0.5), (0.5, 0.75), (1.0, 0.5)])
def test_a_private_lead_is_that_of_the_labellings_that_fit(scores):
    members = [[i for i in range(8) if (A[i], B[i]) == key] for key in ORDER]
    expected = enumerated(
        list(zip(members, SHARES, strict=True)),
        lambda part, labels: (
            abs(on(A, part, labels) - scores[0]) < 1e-6
            and abs(on(B, part, labels) - scores[1]) < 1e-6
        ),
        lambda rest, labels: on(A, rest, labels) - on(B, rest, labels),
    )
    found = private_distribution(GROUPS, PUBLIC, PAIR, scores)
    check(found, expected)


def test_scores_that_no_labels_give_are_refused():
    with pytest.raises(LeaderboardError, match=r"4 public .*0\.43.*--public"):
        private_distribution([GROUPS[0], GROUPS[3]], PUBLIC, FILE, [0.43])
    with pytest.raises(LeaderboardError, match=r"0\.75 and 0\.43"):
        private_distribution(GROUPS, PUBLIC, PAIR, [0.75, 0.43])


def test_without_a_public_score_the_private_part_is_any_part():
    found = private_distribution(GROUPS, 3, PAIR, [0.75, math.nan])
    expected = distribution(GROUPS, 5, *PAIR)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)


def test_winning_in_public_makes_winning_in_private_likelier_but_not_sure():
    shares = beta(0.9, 60.0), beta(0.7, 3.0), beta(0.7, 3.0), beta(0.2, 20.0)
    groups = list(map(Group, (15, 5, 4, 6), shares))
    wins = private_distribution(groups, 15, PAIR, (1.0, 0.75))
    loses = private_distribution(groups, 15, PAIR, (0.75, 1.0))
    assert loses.p_positive < wins.p_positive < 1


@pytest.mark.parametrize(
    ("score", "expected"), [(0.85714, 5e-6), (0.857, 5e-4), (0.8, 5e-3), (1.0, 5e-3)]
)
def test_a_score_is_as_exact_as_it_was_written(score, expected):
    assert tolerance(score) == pytest.approx(expected, rel=1e-2)

"""Distributions of scores: by hand, by enumeration of all labels, by simulation, by scipy."""

import math
from dataclasses import astuple
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats
from scipy.special import betaln
from sklearn.metrics import balanced_accuracy_score

from lymphokit.leaderboard.distributions import (
    Beta,
    Distribution,
    Group,
    Outcomes,
    distribution,
    hypergeometric,
    outcomes,
)

FILE = (1, 0)  # predictions in two groups of patients
A, B = (1, 1, 0, 0), (1, 0, 1, 0)  # of two files in four groups


def beta(mean: float, concentration: float) -> Beta:
    return Beta(mean * concentration, (1 - mean) * concentration)


def by_hand(labellings, function) -> dict[float, float]:
    """Chances of each value of `function(labels)` over all labellings with their chances."""
    found: dict[float, float] = {}
    for labels, chance in labellings:
        value = round(function(labels), 9)
        found[value] = found.get(value, 0.0) + chance
    return found


def every_labelling(groups: list[Group]):
    """All labellings of patients with their chances, a ratio of beta functions for each group."""
    sizes = [group.size for group in groups]
    starts = np.cumsum([0, *sizes])
    for labels in product((0, 1), repeat=sum(sizes)):
        chance = 1.0
        for start, group in zip(starts, groups, strict=False):
            t, (a, b) = sum(labels[start : start + group.size]), astuple(group.tumoral)
            chance *= math.exp(betaln(a + t, b + group.size - t) - betaln(a, b))
        yield labels, chance


def as_dict(distribution: Distribution) -> dict[float, float]:
    pairs = zip(distribution.values, distribution.probabilities, strict=True)
    return {round(float(value), 9): float(chance) for value, chance in pairs if chance > 0}


def score(decisions, labels) -> float:
    """The mean over the labels that are there of how many are right, from the definition."""
    right = {which: [] for which in set(labels)}
    for decision, label in zip(decisions, labels, strict=True):
        right[label].append(decision == label)
    return sum(sum(hits) / len(hits) for hits in right.values()) / len(right)


def same(one: dict[float, float], other: dict[float, float]) -> None:
    assert one.keys() == other.keys()
    assert all(one[key] == pytest.approx(other[key], abs=1e-12) for key in one)


@pytest.mark.parametrize(("mean", "weight", "n"), [(0.3, 5.0, 7), (0.9, 84.0, 30), (0.5, 1.0, 0)])
def test_the_number_of_tumoral_patients_is_beta_binomial(mean, weight, n):
    expected = stats.betabinom.pmf(np.arange(n + 1), n, mean * weight, (1 - mean) * weight)
    np.testing.assert_allclose(beta(mean, weight).count_pmf(n), expected, rtol=1e-9)


def test_a_group_is_updated_by_the_patients_seen():
    rest = Group(9, Beta(3.5, 1.5)).remaining(tumoral=1, reactive=4)
    assert rest == Group(4, Beta(4.5, 5.5))


@pytest.mark.parametrize("labels", [(1, 1, 0, 0, 0), (1, 1), (0, 0, 0)])
@pytest.mark.parametrize("flipped", [(), (0,), (0, 1)])
def test_balanced_accuracy_is_scikit_learns(labels, flipped):
    decisions = [1 - x if i in flipped else x for i, x in enumerate(labels)]
    groups = [[i for i, d in enumerate(decisions) if d == called] for called in (1, 0)]
    tumoral = tuple(np.array(sum(labels[i] for i in group)) for group in groups)
    found = Outcomes(tuple(map(len, groups)), tumoral, np.ones(())).score(FILE)
    assert found == pytest.approx(score(decisions, labels))
    if len(set(labels)) == 2:
        assert found == pytest.approx(balanced_accuracy_score(labels, decisions))


def test_one_patient_of_each_call_by_hand():
    """Called tumoral: so with 3/4; called reactive: tumoral with 1/5.

    Both right 3/4 x 4/5: 1. Both tumoral 3/4 x 1/5, or both reactive 1/4 x 4/5: one of two, 0.5.
    Both wrong 1/4 x 1/5: 0.
    """
    found = distribution([Group(1, beta(0.75, 9.0)), Group(1, beta(0.2, 3.0))], 2, FILE)
    expected = {0.0: Fraction(1, 20), 0.5: Fraction(7, 20), 1.0: Fraction(12, 20)}
    same(as_dict(found), {value: float(chance) for value, chance in expected.items()})


def test_a_score_is_that_of_every_labelling_enumerated():
    groups = [Group(3, beta(0.8, 6.0)), Group(2, beta(0.3, 4.0))]
    found = distribution(groups, 5, FILE)
    expected = by_hand(every_labelling(groups), lambda labels: score((1, 1, 1, 0, 0), labels))
    same(as_dict(found), expected)


def test_a_score_on_a_part_is_that_of_every_choice_of_its_patients():
    decisions = (1, 1, 1, 0, 0)
    groups = [Group(3, beta(0.8, 6.0)), Group(2, beta(0.3, 4.0))]
    parts = list(combinations(range(5), 3))
    labellings = [
        ((part, labels), chance / len(parts))
        for labels, chance in every_labelling(groups)
        for part in parts
    ]
    expected = by_hand(
        labellings,
        lambda drawn: score([decisions[i] for i in drawn[0]], [drawn[1][i] for i in drawn[0]]),
    )
    same(as_dict(distribution(groups, 3, FILE)), expected)


def test_a_lead_is_that_of_every_labelling_and_part_enumerated():
    a, b = (1, 1, 1, 0, 0, 0), (1, 0, 0, 1, 0, 0)
    shares = [beta(0.9, 12.0), beta(0.6, 3.0), beta(0.55, 2.5), beta(0.2, 9.0)]
    groups = list(map(Group, (1, 2, 1, 2), shares))
    parts = list(combinations(range(6), 4))
    labellings = [
        ((part, labels), chance / len(parts))
        for labels, chance in every_labelling(groups)
        for part in parts
    ]

    def ahead(drawn) -> float:
        part, labels = drawn
        truth = [labels[i] for i in part]
        return score([a[i] for i in part], truth) - score([b[i] for i in part], truth)

    same(as_dict(distribution(groups, 4, A, B)), by_hand(labellings, ahead))


def test_an_uncertain_lead_agrees_with_simulation():
    a = np.array([1] * 12 + [1] * 4 + [0] * 3 + [0] * 9)
    b = np.array([1] * 12 + [0] * 4 + [1] * 3 + [0] * 9)
    sizes, means, weights = (12, 4, 3, 9), (0.9, 0.6, 0.5, 0.15), (40.0, 6.0, 5.0, 30.0)
    groups = [Group(n, beta(m, w)) for n, m, w in zip(sizes, means, weights, strict=True)]
    rng, leads = np.random.default_rng(3), []
    for _ in range(3600):
        shares = [rng.beta(m * w, (1 - m) * w) for m, w in zip(means, weights, strict=True)]
        labels = rng.random(28) < np.repeat(shares, sizes)
        part = rng.permutation(28)[:14]
        truth = labels[part].tolist()
        leads.append(score(a[part].tolist(), truth) - score(b[part].tolist(), truth))
    found = distribution(groups, 14, A, B)
    assert found.mean == pytest.approx(np.mean(leads), abs=4 * np.std(leads) / 60)
    assert found.p_positive == pytest.approx(np.mean(np.array(leads) > 1e-9), abs=0.03)
    assert found.p_zero == pytest.approx(np.mean(np.abs(leads) < 1e-9), abs=0.03)
    assert found.p_positive + found.p_zero + found.p_negative == pytest.approx(1)


def test_swapping_the_files_mirrors_the_lead():
    sizes, means = (5, 3, 2, 4), (0.9, 0.7, 0.4, 0.2)
    groups = [Group(n, beta(m, 7.0)) for n, m in zip(sizes, means, strict=True)]
    one, other = distribution(groups, 9, A, B), distribution(groups, 9, B, A)
    np.testing.assert_allclose(one.values, -other.values[::-1], atol=1e-12)
    np.testing.assert_allclose(one.probabilities, other.probabilities[::-1], atol=1e-12)


def test_files_that_agree_are_level_for_certain():
    agreed, none = Group(10, beta(0.8, 20.0)), Group(0, Beta(0.5, 0.5))
    assert distribution([agreed, none, none, agreed], 9, A, B).p_zero == 1.0


def test_an_interval_leaves_at_most_half_of_the_rest_on_each_side():
    uniform = Distribution(np.arange(100.0), np.full(100, 0.01))
    assert uniform.interval(0.95) == (2.0, 97.0)
    assert uniform.interval(1.0) == (0.0, 99.0)


def test_subset_probabilities_sum_to_one_over_all_ways_to_draw():
    sizes = (3, 2, 4)
    parts = [part for part in product(*(range(n + 1) for n in sizes)) if sum(part) == 5]
    groups = [Group(size, Beta(1.0, 1.0)) for size in sizes]
    assert [found.drawn for found in outcomes(groups, 5)] == parts
    assert sum(hypergeometric(sizes, part) for part in parts) == pytest.approx(1)
    assert hypergeometric((3, 2), (2, 0)) == pytest.approx(3 / 10)

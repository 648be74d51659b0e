"""Distributions of scores: by hand, by enumeration of all labels, by simulation, by scipy."""

import math
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from lymphokit.leaderboard.distributions import (
    Beta,
    Distribution,
    FileGroups,
    Group,
    PairGroups,
    balanced_accuracy,
    compositions,
    hypergeometric,
    lead_distribution,
    score_distribution,
    unseen_score_distribution,
)

EXACT = math.inf


def by_hand(labellings, function) -> dict[float, float]:
    """Chances of each value of `function(labels)` over all labellings with their chances."""
    found: dict[float, float] = {}
    for labels, chance in labellings:
        value = round(function(labels), 9)
        found[value] = found.get(value, 0.0) + chance
    return found


def every_labelling(shares):
    """All labellings of patients who are tumoral with these chances, independently."""
    for labels in product((0, 1), repeat=len(shares)):
        chance = math.prod(s if label else 1 - s for s, label in zip(shares, labels, strict=True))
        yield labels, chance


def as_dict(distribution: Distribution) -> dict[float, float]:
    pairs = zip(distribution.values, distribution.probabilities, strict=True)
    return {round(float(value), 9): float(chance) for value, chance in pairs if chance > 0}


def file_groups(*groups: tuple[int, float]) -> FileGroups:
    """Sizes and known shares of tumoral patients, of those predicted tumoral and reactive."""
    return FileGroups(*(Group(size, Beta(share, EXACT)) for size, share in groups))


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
def test_an_uncertain_share_is_beta_binomial(mean, weight, n):
    expected = stats.betabinom.pmf(np.arange(n + 1), n, mean * weight, (1 - mean) * weight)
    np.testing.assert_allclose(Beta(mean, weight).count_pmf(n), expected, rtol=1e-9)


@pytest.mark.parametrize(("mean", "n"), [(0.3, 7), (0.0, 4), (1.0, 4), (0.93, 42)])
def test_a_known_share_is_binomial(mean, n):
    expected = stats.binom.pmf(np.arange(n + 1), n, mean)
    np.testing.assert_allclose(Beta(mean, 9.0).as_known().count_pmf(n), expected, atol=1e-12)


def test_a_beta_distribution_is_updated_by_counts():
    share = Beta.from_counts(3, 1, prior=0.5)
    assert (share.mean, share.concentration) == (0.7, 5.0)
    later = share.updated(positive=1, negative=4)
    assert (later.mean, later.concentration) == (0.45, 10.0)
    assert share.as_known().updated(1, 4) == share.as_known()


@pytest.mark.parametrize("labels", [(1, 1, 0, 0, 0), (1, 1), (0, 0, 0)])
@pytest.mark.parametrize("flipped", [(), (0,), (0, 1)])
def test_balanced_accuracy_is_scikit_learns(labels, flipped):
    decisions = [1 - x if i in flipped else x for i, x in enumerate(labels)]
    right = [d == label for d, label in zip(decisions, labels, strict=True)]
    counts = [
        np.array(sum(ok for ok, label in zip(right, labels, strict=True) if label == which))
        for which in (1, 0)
    ]
    n = [np.array(labels.count(which)) for which in (1, 0)]
    found = balanced_accuracy(counts[0], n[0], counts[1], n[1])
    assert found == pytest.approx(score(decisions, labels))
    if len(set(labels)) == 2:
        assert found == pytest.approx(balanced_accuracy_score(labels, decisions))


def test_one_patient_of_each_call_by_hand():
    """Called tumoral: so with 3/4; called reactive: tumoral with 1/5.

    Both right 3/4 x 4/5: 1. Both tumoral 3/4 x 1/5, or both reactive 1/4 x 4/5: one of two, 0.5.
    Both wrong 1/4 x 1/5: 0.
    """
    found = score_distribution(file_groups((1, 0.75), (1, 0.2)), 2)
    expected = {0.0: Fraction(1, 20), 0.5: Fraction(7, 20), 1.0: Fraction(12, 20)}
    same(as_dict(found), {value: float(chance) for value, chance in expected.items()})


def test_a_score_is_that_of_every_labelling_enumerated():
    decisions = (1, 1, 1, 0, 0)
    found = score_distribution(file_groups((3, 0.8), (2, 0.3)), 5)
    expected = by_hand(
        every_labelling([0.8] * 3 + [0.3] * 2), lambda labels: score(decisions, labels)
    )
    same(as_dict(found), expected)


def test_a_part_is_every_choice_of_its_patients_enumerated():
    decisions = (1, 1, 1, 0, 0)
    found = score_distribution(file_groups((3, 0.8), (2, 0.3)), 3)
    parts = list(combinations(range(5), 3))
    labellings = [
        ((part, labels), chance / len(parts))
        for labels, chance in every_labelling([0.8] * 3 + [0.3] * 2)
        for part in parts
    ]
    expected = by_hand(
        labellings,
        lambda drawn: score([decisions[i] for i in drawn[0]], [drawn[1][i] for i in drawn[0]]),
    )
    same(as_dict(found), expected)


def test_a_lead_is_that_of_every_labelling_and_part_enumerated():
    a, b = (1, 1, 1, 0, 0, 0), (1, 0, 0, 1, 0, 0)
    shares = {(1, 1): 0.9, (1, 0): 0.6, (0, 1): 0.55, (0, 0): 0.2}
    groups = [
        Group(n, Beta(shares[key], EXACT)) for key, n in zip(shares, (1, 2, 1, 2), strict=True)
    ]
    parts = list(combinations(range(6), 4))
    labellings = [
        ((part, labels), chance / len(parts))
        for labels, chance in every_labelling([shares[pair] for pair in zip(a, b, strict=True)])
        for part in parts
    ]

    def ahead(drawn) -> float:
        part, labels = drawn
        truth = [labels[i] for i in part]
        return score([a[i] for i in part], truth) - score([b[i] for i in part], truth)

    same(as_dict(lead_distribution(PairGroups(*groups), 4)), by_hand(labellings, ahead))


def test_an_uncertain_lead_agrees_with_simulation():
    a = np.array([1] * 12 + [1] * 4 + [0] * 3 + [0] * 9)
    b = np.array([1] * 12 + [0] * 4 + [1] * 3 + [0] * 9)
    sizes, means, weights = (12, 4, 3, 9), (0.9, 0.6, 0.5, 0.15), (40.0, 6.0, 5.0, 30.0)
    groups = [Group(n, Beta(m, w)) for n, m, w in zip(sizes, means, weights, strict=True)]
    rng, leads = np.random.default_rng(3), []
    for _ in range(3600):
        shares = [rng.beta(m * w, (1 - m) * w) for m, w in zip(means, weights, strict=True)]
        labels = rng.random(28) < np.repeat(shares, sizes)
        part = rng.permutation(28)[:14]
        truth = labels[part].tolist()
        leads.append(score(a[part].tolist(), truth) - score(b[part].tolist(), truth))
    found = lead_distribution(PairGroups(*groups), 14)
    assert found.mean == pytest.approx(np.mean(leads), abs=4 * np.std(leads) / 60)
    assert found.p_positive == pytest.approx(np.mean(np.array(leads) > 1e-9), abs=0.03)
    assert found.p_zero == pytest.approx(np.mean(np.abs(leads) < 1e-9), abs=0.03)
    assert found.mean_positive_part == pytest.approx(np.maximum(leads, 0).mean(), abs=0.005)
    assert found.p_positive + found.p_zero + found.p_negative == pytest.approx(1)


def test_swapping_the_files_mirrors_the_lead():
    sizes, means = (5, 3, 2, 4), (0.9, 0.7, 0.4, 0.2)
    both, first, second, neither = (
        Group(n, Beta(m, 7.0)) for n, m in zip(sizes, means, strict=True)
    )
    one = lead_distribution(PairGroups(both, first, second, neither), 9)
    other = lead_distribution(PairGroups(both, second, first, neither), 9)
    np.testing.assert_allclose(one.values, -other.values[::-1], atol=1e-12)
    np.testing.assert_allclose(one.probabilities, other.probabilities[::-1], atol=1e-12)


def test_files_that_agree_are_level_for_certain():
    group = Group(10, Beta(0.8, 20.0))
    none = Group(0, Beta(0.5, 1.0))
    found = lead_distribution(PairGroups(group, none, none, group), 9)
    assert found.p_zero == 1.0
    assert found.mean_positive_part == 0.0


def test_an_unseen_file_is_the_mixture_of_all_files():
    rate, tumoral = Beta(0.7, 30.0), (Beta(0.9, 20.0), Beta(0.3, 9.0))
    found = unseen_score_distribution(rate, tumoral, 6)
    groups = [FileGroups(Group(n, tumoral[0]), Group(6 - n, tumoral[1])) for n in range(7)]
    files = [score_distribution(one, 6) for one in groups]
    mixed = Distribution.from_outcomes(
        (file.values, p * file.probabilities)
        for file, p in zip(files, rate.count_pmf(6), strict=True)
    )
    same(as_dict(found), as_dict(mixed))


def test_out_of_fold_uncertainty_widens_the_interval_and_keeps_the_mean_recall():
    groups = FileGroups(Group(30, Beta(0.9, 60.0)), Group(12, Beta(0.3, 30.0)))
    exact = FileGroups(*(group.as_known() for group in groups))
    known = score_distribution(exact, 42).interval(0.95)
    full = score_distribution(groups, 42).interval(0.95)
    assert full[0] < known[0]
    assert full[1] - full[0] > known[1] - known[0]


def test_an_interval_leaves_at_most_half_of_the_rest_on_each_side():
    uniform = Distribution(np.arange(100.0), np.full(100, 0.01))
    assert uniform.interval(0.95) == (2.0, 97.0)
    assert uniform.interval(1.0) == (0.0, 99.0)


def test_subset_probabilities_sum_to_one_over_all_compositions():
    sizes = (3, 2, 4)
    parts = [part for part in product(*(range(n + 1) for n in sizes)) if sum(part) == 5]
    assert list(compositions(sizes, 5)) == parts
    assert sum(hypergeometric(sizes, part) for part in parts) == pytest.approx(1)
    assert hypergeometric((3, 2), (2, 0)) == pytest.approx(3 / 10)

"""From out-of-fold figures to beta distributions of unknown shares."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from lymphokit.leaderboard.distributions import Beta
from lymphokit.leaderboard.oof_expectation import OutOfFold, pair_shares


def test_the_shares_of_one_file_are_those_counted_and_half_a_patient():
    figures = OutOfFold(71 / 84, 32 / 37, 84 / 121, 121)
    positive, negative = figures.tumoral_given_prediction()
    assert astuple(positive) == pytest.approx((71.5, 5.5))
    assert astuple(negative) == pytest.approx((13.5, 32.5))
    assert astuple(figures.positive_rate()) == pytest.approx((77, 46))


def test_conditioning_on_the_number_called_is_bayes_rule_on_recall_and_specificity():
    """The numbers of tumoral patients, from betas of recall, specificity and class mix.

    With n tumoral among 6 beta-binomial, those called among them and among the rest likewise, and
    4 called in all, the number of tumoral among the 4 is that of the share of the called.
    """
    n, k = 6, 4
    tp, fn, fp, tn = 7.0, 3.0, 2.0, 5.0
    joint = np.zeros(k + 1)
    for tumoral in range(n + 1):
        mix = stats.betabinom.pmf(tumoral, n, tp + fn + 1, fp + tn + 1)
        for right in range(min(k, tumoral) + 1):
            wrong = k - right
            if wrong <= n - tumoral:
                joint[right] += (
                    mix
                    * stats.betabinom.pmf(right, tumoral, tp + 0.5, fn + 0.5)
                    * stats.betabinom.pmf(wrong, n - tumoral, fp + 0.5, tn + 0.5)
                )
    model = OutOfFold(tp / 10, tn / 7, 10 / 17, 17.0)
    np.testing.assert_allclose(
        model.tumoral_given_prediction()[0].count_pmf(k), joint / joint.sum(), rtol=1e-9
    )


def mean(share: Beta) -> float:
    return share.a / (share.a + share.b)


def test_equally_good_files_leave_a_disagreement_at_the_class_mix():
    one = OutOfFold(0.8, 0.8, 0.7, 1e6)
    _, first, second, _ = pair_shares(one, one, disagreement=0.1)
    assert mean(first) == pytest.approx(0.7, abs=1e-3)
    assert mean(second) == pytest.approx(0.7, abs=1e-3)


def test_few_differences_out_of_fold_are_little_to_learn_from():
    a, b = OutOfFold(0.86, 0.84, 0.7, 120), OutOfFold(0.84, 0.84, 0.7, 120)
    _, first, second, _ = pair_shares(a, b, disagreement=3 / 42)
    assert sum(astuple(first) + astuple(second)) == pytest.approx(120 * 3 / 42 + 1, rel=1e-6)
    assert mean(first) > 0.7 > mean(second)


def test_the_cells_of_a_pair_add_up_to_those_of_each_file():
    a, b = OutOfFold(0.9, 0.7, 0.6, 200), OutOfFold(0.8, 0.75, 0.6, 200)
    both, first, second, neither = pair_shares(a, b, disagreement=0.2)

    def tumoral(*shares) -> float:
        return sum(share.a for share in shares)

    assert tumoral(both, first) == pytest.approx(0.9 * 120 + 0.5)
    assert tumoral(both, second) == pytest.approx(0.8 * 120 + 0.5)
    assert tumoral(neither, second) == pytest.approx(0.1 * 120 + 0.5)
    total = sum(sum(astuple(share)) for share in (both, first, second, neither))
    assert total == pytest.approx(200 + 2)
    assert (sum(astuple(first) + astuple(second)) - 1) / 200 == pytest.approx(0.2, rel=1e-6)


@pytest.mark.parametrize("differing", [0.0, 0.02, 0.9])
def test_no_cell_is_negative_however_much_the_files_differ(differing):
    a, b = OutOfFold(1.0, 0.6, 0.7, 100), OutOfFold(0.7, 1.0, 0.7, 100)
    for share in pair_shares(a, b, differing):
        assert share.a > 0
        assert share.b > 0

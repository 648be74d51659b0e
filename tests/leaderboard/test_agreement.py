"""From the ledger's figures back to counts of patients."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lymphokit.evaluation.uncertainty import score_table
from lymphokit.leaderboard.agreement import OutOfFold, of_row, pair_shares

TRUE = np.array([1] * 84 + [0] * 37)
DECIDED = np.array([1] * 71 + [0] * 13 + [0] * 32 + [1] * 5)


@pytest.fixture(scope="module")
def row() -> pd.Series:
    """The ledger's figures of 121 patients, 84 of them tumoral: 71 and 32 right."""
    decisions = pd.DataFrame(
        {
            "fold": 1,
            "repeat": 1,
            "patient": [f"P{i}" for i in range(121)],
            "part": "validation",
            "label": TRUE,
            "model": "stack",
            "n_fitted": np.inf,
            "probability": DECIDED.astype(float),
            "threshold": 0.5,
            "decision": DECIDED,
        }
    )
    scores = score_table(decisions, ["stack"], resamples=2000, level=0.95, seed=1).iloc[0]
    names = {"low": "balanced_accuracy_low", "high": "balanced_accuracy_high"}
    kept = ["balanced_accuracy", "recall", "precision", "low", "high"]
    return pd.Series({f"oof_{names.get(k, k)}": round(float(scores[k]), 6) for k in kept})


def test_class_mix_and_number_of_patients_come_back_from_a_row_of_the_ledger(row):
    found = of_row(row)
    assert found.recall == pytest.approx(71 / 84, abs=1e-6)
    assert found.specificity == pytest.approx(32 / 37, abs=2e-6)
    assert found.tumoral_share == pytest.approx(84 / 121, abs=1e-3)
    assert found.patients == pytest.approx(121, rel=0.12)  # of an interval from 2000 resamples


def test_what_a_perfect_row_leaves_open_is_nan(row):
    perfect = row.copy()
    perfect[:] = 1.0
    found = of_row(perfect)
    assert (found.recall, found.specificity) == (1.0, 1.0)
    assert math.isnan(found.tumoral_share)
    assert math.isnan(found.patients)


def test_the_shares_of_one_file_are_those_counted_and_half_a_patient():
    called, spared = OutOfFold(71 / 84, 32 / 37, 84 / 121, 121).tumoral_of()
    assert called.mean == pytest.approx(71.5 / 77)
    assert called.weight == pytest.approx(77)
    assert spared.mean == pytest.approx(13.5 / 46)
    assert OutOfFold(71 / 84, 32 / 37, 84 / 121, 121).called().mean == pytest.approx(77 / 123)


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
    np.testing.assert_allclose(model.tumoral_of()[0].pmf(k), joint / joint.sum(), rtol=1e-9)


def test_equally_good_files_leave_a_disagreement_at_the_class_mix():
    one = OutOfFold(0.8, 0.8, 0.7, 1e6)
    _, first, second, _ = pair_shares(one, one, differing=0.1)
    assert first.mean == pytest.approx(0.7, abs=1e-3)
    assert second.mean == pytest.approx(0.7, abs=1e-3)


def test_few_differences_out_of_fold_are_little_to_learn_from():
    a, b = OutOfFold(0.86, 0.84, 0.7, 120), OutOfFold(0.84, 0.84, 0.7, 120)
    _, first, second, _ = pair_shares(a, b, differing=3 / 42)
    assert first.weight + second.weight == pytest.approx(120 * 3 / 42 + 1, rel=1e-6)
    assert first.mean > 0.7 > second.mean


def test_the_cells_of_a_pair_add_up_to_those_of_each_file():
    a, b = OutOfFold(0.9, 0.7, 0.6, 200), OutOfFold(0.8, 0.75, 0.6, 200)
    both, first, second, neither = pair_shares(a, b, differing=0.2)

    def tumoral(*shares) -> float:
        return sum(s.mean * s.weight for s in shares)

    assert tumoral(both, first) == pytest.approx(0.9 * 120 + 0.5)
    assert tumoral(both, second) == pytest.approx(0.8 * 120 + 0.5)
    assert tumoral(neither, second) == pytest.approx(0.1 * 120 + 0.5)
    total = sum(share.weight for share in (both, first, second, neither))
    assert total == pytest.approx(200 + 2)
    assert (first.weight + second.weight - 1) / 200 == pytest.approx(0.2, rel=1e-6)


@pytest.mark.parametrize("differing", [0.0, 0.02, 0.9])
def test_no_cell_is_negative_however_much_the_files_differ(differing):
    a, b = OutOfFold(1.0, 0.6, 0.7, 100), OutOfFold(0.7, 1.0, 0.7, 100)
    for share in pair_shares(a, b, differing):
        assert 0 < share.mean < 1
        assert share.weight > 0

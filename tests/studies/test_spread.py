"""The spread of single splits, and what it is not."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from lymphokit.evaluation.uncertainty import score_table
from lymphokit.studies.permutation import observed_scores
from lymphokit.studies.spread import (
    scores_by_size_alone,
    split_scores,
    spread_decisions,
    spread_table,
)
from tests.studies.cohorts import FOLD_SETTINGS, labelled

REPEATS = 4
PATIENTS, MODELS = 60, 3


def decisions_of(cohort, repeats=REPEATS):
    return spread_decisions(
        cohort, repeats=repeats, fold_settings=FOLD_SETTINGS, rule="midpoint", seed=1
    )


@pytest.fixture(scope="module")
def decisions():
    return decisions_of(labelled(clinical=1.0, images=0.5)[0])


def test_every_patient_is_in_validation_once_a_drawing(decisions):
    splits = split_scores(decisions)
    drawings = splits[splits["split"] == "repeat"]
    assert (drawings["n_patients"] == PATIENTS).all()
    assert len(drawings) == MODELS * REPEATS
    parts = splits[splits["split"] == "part"]
    assert parts["n_patients"].sum() == MODELS * REPEATS * PATIENTS
    assert set(parts["n_patients"]) == {PATIENTS // 3}


def test_the_first_drawing_is_the_run(decisions):
    cohort, folds = labelled(clinical=1.0, images=0.5)
    run = observed_scores(cohort, cohort.batch(folds), "midpoint").set_index("model")
    splits = split_scores(decisions)
    first = splits[(splits["split"] == "repeat") & (splits["number"] == 1)].set_index("model")
    for metric in ("balanced_accuracy", "auc"):
        np.testing.assert_allclose(first[metric], run[metric].loc[first.index], atol=1e-12)


def test_drawing_more_often_does_not_narrow_the_interval():
    cohort = labelled(clinical=1.0)[0]
    widths = []
    for repeats in (2, 12):
        table = spread_table(decisions_of(cohort, repeats), resamples=400, level=0.95, seed=0)
        row = table[(table["model"] == "clinical") & (table["metric"] == "auc")].iloc[0]
        widths.append(row["high"] - row["low"])
    assert widths[1] > 0.8 * widths[0]  # twelve drawings as independent samples would give 0.4


def test_pooled_scores_and_intervals_are_those_of_the_score_table(decisions):
    settings = {"resamples": 200, "level": 0.9, "seed": 3}
    found = spread_table(decisions, **settings)
    auc = found[found["metric"] == "auc"]
    expected = score_table(decisions, auc["model"].tolist(), **settings)
    np.testing.assert_allclose(auc["pooled"], expected["auc"])
    np.testing.assert_allclose(auc["low"], expected["auc_low"])
    np.testing.assert_allclose(auc["high"], expected["auc_high"])


def test_the_table_summarises_the_parts(decisions):
    splits, table = (
        split_scores(decisions),
        spread_table(decisions, resamples=200, level=0.95, seed=3),
    )
    row = table[(table["model"] == "pooled") & (table["metric"] == "balanced_accuracy")].iloc[0]
    parts = splits[(splits["model"] == "pooled") & (splits["split"] == "part")]["balanced_accuracy"]
    assert (row["parts_min"], row["parts_max"]) == (parts.min(), parts.max())
    assert row["parts_sd"] == pytest.approx(np.std(parts, ddof=1))
    assert (row["n_parts"], row["n_repeats"], row["part_patients"]) == (3 * REPEATS, REPEATS, 20)


def test_the_band_by_size_alone_is_that_of_two_binomials():
    cohort = labelled(clinical=1.0)[0]
    clinical = decisions_of(cohort, repeats=1).query("model == 'clinical'")
    scores = scores_by_size_alone(clinical, "balanced_accuracy", resamples=20_000, seed=0)
    recall = (clinical.query("label == 1")["decision"] == 1).mean()
    specificity = (clinical.query("label == 0")["decision"] == 0).mean()
    tumoral, reactive = round((cohort.labels == 1).sum() / 3), round((cohort.labels == 0).sum() / 3)
    variance = (
        binom.var(tumoral, recall) / tumoral**2 + binom.var(reactive, specificity) / reactive**2
    ) / 4
    assert scores.std() == pytest.approx(np.sqrt(variance), rel=0.03)
    assert scores.mean() == pytest.approx((recall + specificity) / 2, abs=0.005)


def test_the_same_seed_gives_the_same_table(decisions):
    again = decisions_of(labelled(clinical=1.0, images=0.5)[0])
    settings = {"resamples": 100, "level": 0.95, "seed": 3}
    pd.testing.assert_frame_equal(
        spread_table(decisions, **settings), spread_table(again, **settings)
    )

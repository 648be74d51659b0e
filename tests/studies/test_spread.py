"""The spread of single splits, and what it is not."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from lymphokit.evaluation.uncertainty import score_table
from lymphokit.studies.refit_scores import score_as_it_is
from lymphokit.studies.spread import Spread
from tests.evaluation.cohorts import FOLD_SETTINGS, labelled

REPEATS = 4


def spread_of(cohort, repeats=REPEATS):
    return Spread.of(cohort, repeats=repeats, fold_settings=FOLD_SETTINGS, rule="midpoint", seed=1)


@pytest.fixture(scope="module")
def spread():
    return spread_of(labelled(clinical=1.0, images=0.5)[0])


def test_every_patient_is_in_validation_once_a_drawing(spread):
    parts = spread.parts()
    n_models, n = len(spread.verdicts), len(spread.cohort.labels)
    drawings = parts[parts["split"] == "repeat"]
    assert (drawings["n_patients"] == n).all()
    assert len(drawings) == n_models * REPEATS
    singles = parts[parts["split"] == "part"]
    assert singles["n_patients"].sum() == n_models * REPEATS * n
    assert set(singles["n_patients"]) == {n // 3}


def test_the_first_drawing_is_the_run(spread):
    cohort, folds = labelled(clinical=1.0, images=0.5)
    run = score_as_it_is(cohort, cohort.plan(folds), "midpoint").set_index("model")
    parts = spread.parts()
    first = parts[(parts["split"] == "repeat") & (parts["number"] == 1)].set_index("model")
    for metric in ("balanced_accuracy", "auc"):
        np.testing.assert_allclose(first[metric], run[metric].loc[first.index], atol=1e-12)


def test_drawing_more_often_does_not_narrow_the_interval():
    cohort = labelled(clinical=1.0)[0]
    settings = {"resamples": 400, "level": 0.95, "seed": 0}
    widths = []
    for repeats in (2, 12):
        table = spread_of(cohort, repeats).table(**settings)
        own = table[(table["model"] == "clinical") & (table["metric"] == "auc")].iloc[0]
        widths.append(own["high"] - own["low"])
    assert widths[1] > 0.8 * widths[0]  # twelve drawings as independent samples would give 0.4


def test_pooled_scores_and_intervals_are_those_of_the_score_table(spread):
    settings = {"resamples": 200, "level": 0.9, "seed": 3}
    expected = score_table(spread.decisions(), list(spread.verdicts), **settings)
    found = spread.table(**settings)
    auc = found[found["metric"] == "auc"]
    np.testing.assert_allclose(auc["pooled"], expected["auc"])
    np.testing.assert_allclose(auc["low"], expected["auc_low"])
    np.testing.assert_allclose(auc["high"], expected["auc_high"])


def test_the_table_says_what_the_parts_say(spread):
    parts, table = spread.parts(), spread.table(resamples=200, level=0.95, seed=3)
    row = table[(table["model"] == "pooled") & (table["metric"] == "balanced_accuracy")].iloc[0]
    own = parts[(parts["model"] == "pooled") & (parts["split"] == "part")]["balanced_accuracy"]
    assert (row["parts_min"], row["parts_max"]) == (own.min(), own.max())
    assert row["parts_sd"] == pytest.approx(np.std(own, ddof=1))
    assert (row["n_parts"], row["n_repeats"], row["part_patients"]) == (3 * REPEATS, REPEATS, 20)


def test_the_band_of_size_alone_is_that_of_two_binomials():
    cohort = labelled(clinical=1.0)[0]
    spread = spread_of(cohort, repeats=1)
    alone = spread.by_size_alone("clinical", "balanced_accuracy", resamples=20_000, seed=0)
    own = spread.decisions().query("model == 'clinical'")
    recall = (own.query("label == 1")["decision"] == 1).mean()
    cleared = (own.query("label == 0")["decision"] == 0).mean()
    tumoral, reactive = round((cohort.labels == 1).sum() / 3), round((cohort.labels == 0).sum() / 3)
    variance = (
        binom.var(tumoral, recall) / tumoral**2 + binom.var(reactive, cleared) / reactive**2
    ) / 4
    assert alone.std() == pytest.approx(np.sqrt(variance), rel=0.03)
    assert alone.mean() == pytest.approx((recall + cleared) / 2, abs=0.005)


def test_the_same_seed_gives_the_same_table(spread):
    again = spread_of(spread.cohort)
    settings = {"resamples": 100, "level": 0.95, "seed": 3}
    pd.testing.assert_frame_equal(spread.table(**settings), again.table(**settings))

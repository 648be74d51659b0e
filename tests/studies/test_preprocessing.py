"""The report's tables of 5.1 beside ours: what a row fits, and scores against a plain fit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.cohort.folds import make_folds
from lymphokit.evaluation.out_of_fold import derive_seed
from lymphokit.models.registry import create
from lymphokit.studies.preprocessing import (
    CLINICAL,
    JOINED,
    NORMALISED,
    PCA,
    RAW,
    PreprocessingCohort,
    compare_preprocessing,
    compared_models,
    preprocessing_terminal_table,
)
from tests.studies.cohorts import FOLD_SETTINGS, patients_and_bank

PATIENTS, BANK = patients_and_bank(images=2.0, clinical=1.0, n=45)
COHORT = PreprocessingCohort(PATIENTS, {"drawn": BANK})
SCHEMES = {
    "split": make_folds(PATIENTS, seed=1, **{**FOLD_SETTINGS, "scheme": "split"}),
    "folds": make_folds(PATIENTS, seed=1, **FOLD_SETTINGS),
}


@pytest.fixture(scope="module")
def models(settings: Callable[..., Any]) -> dict[str, dict[str, Any]]:
    changes = {"features": "drawn", "pca": 3}
    return compared_models(
        settings("mi_svm", **changes).model_dump(),
        settings("mi_svm_xgb", **changes, trees=5, cross_fit=2).model_dump(),
        settings("clinical_xgb", trees=5).model_dump(),
    )


@pytest.fixture(scope="module")
def table(models: dict[str, dict[str, Any]]) -> pd.DataFrame:
    uncertainty = {"resamples": 100, "level": 0.95}
    return compare_preprocessing(
        models, COHORT, SCHEMES, rule="half", uncertainty=uncertainty, seed=3
    )


def test_rows_differ_from_the_model_in_scaling_and_pca_alone(
    models: dict[str, dict[str, Any]],
) -> None:
    kept = {"scale", "pca"}
    assert [(models[row]["scale"], models[row]["pca"]) for row in (PCA, NORMALISED, RAW)] == [
        (True, 3),
        (True, None),
        (False, None),
    ]
    rest = [{k: v for k, v in models[row].items() if k not in kept} for row in (PCA, RAW)]
    assert rest[0] == rest[1]


def test_the_reports_figures_stand_beside_ours(table: pd.DataFrame) -> None:
    assert len(table) == 6 * 3
    report = table[table["source"] == "report"].set_index(["section", "row"])
    assert report.loc[("5.1.1", RAW), "balanced_accuracy"] == 0.54
    assert report.loc[("5.1.2", JOINED), "recall"] == 0.95
    assert report[["low", "high", "naive"]].isna().all(axis=None)
    ours = table[table["source"] != "report"]
    assert ours[["balanced_accuracy", "naive", "f1", "recall", "low"]].notna().all(axis=None)


@pytest.mark.parametrize("row", [PCA, NORMALISED, RAW, JOINED, CLINICAL])
def test_scores_of_the_split_are_those_of_a_plain_fit(
    row: str, models: dict[str, dict[str, Any]], table: pd.DataFrame
) -> None:
    part = SCHEMES["split"].set_index("patient")["part"].reindex(PATIENTS["patient"])
    training = np.flatnonzero(part == "train")
    scored = np.flatnonzero(part == "validation")
    bags = bags_of(PATIENTS, BANK if "features" in models[row] else None)
    labels, clinical = labels_of(PATIENTS), clinical_of(PATIENTS)
    model = create(models[row], seed=derive_seed(3, 1))
    model.fit(bags.take(training), labels[training], clinical.take(training))
    called = model.predict_proba(bags.take(scored), clinical.take(scored)) >= 0.5
    found = table.query("row == @row and source == 'split'").iloc[0]
    expected = balanced_accuracy_score(labels[scored], called)
    assert found["balanced_accuracy"] == pytest.approx(expected)
    assert found["f1"] == pytest.approx(f1_score(labels[scored], called))
    assert found["n_patients"] == len(scored)


def test_the_naive_score_is_never_below_the_nested_one(table: pd.DataFrame) -> None:
    ours = table[table["source"] != "report"]
    assert (ours["naive"] >= ours["balanced_accuracy"] - 1e-12).all()


def test_mi_svm_alone_is_the_row_with_pca(table: pd.DataFrame) -> None:
    alone = table[table["row"] == "With only MIL SVM"].drop(columns=["section", "row"])
    with_pca = table[table["row"] == PCA].drop(columns=["section", "row"])
    pd.testing.assert_frame_equal(alone.reset_index(drop=True), with_pca.reset_index(drop=True))


def test_the_terminal_table_has_a_line_for_every_row_and_source(table: pd.DataFrame) -> None:
    assert preprocessing_terminal_table(table).row_count == len(table)

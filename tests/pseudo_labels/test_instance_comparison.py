"""Naive instance networks compared: each row against the model by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from lymphokit.cohort.folds import make_folds
from lymphokit.pseudo_labels.instance_comparison import (
    compare_instance_networks,
    instance_terminal_table,
)
from tests.studies.cohorts import FOLD_SETTINGS, patients_and_bank

PATIENTS, _ = patients_and_bank(clinical=1.0, n=45)
SPLIT = make_folds(PATIENTS, seed=1, **{**FOLD_SETTINGS, "scheme": "split"})
N_CELLS = int(PATIENTS["n_cells"].sum())
BANKS = {
    name: np.random.default_rng(seed).uniform(size=(N_CELLS, 1)).astype(np.float32)
    for seed, name in enumerate(("first", "second"))
}


@pytest.fixture(scope="module")
def table(settings: Callable[..., Any]) -> pd.DataFrame:
    boosting = settings("instance_cnn_xgb", trees=5).model_dump()
    uncertainty = {"resamples": 100, "level": 0.95}
    return compare_instance_networks(
        BANKS, PATIENTS, SPLIT, boosting, rule="half", uncertainty=uncertainty, seed=3
    )


def test_every_network_aggregation_and_use_of_clinical_data_has_a_row(table: pd.DataFrame) -> None:
    keys = table[["network", "aggregation", "clinical"]]
    assert len(table) == 2 * 2 * 2
    assert not keys.duplicated().any()
    assert table[["balanced_accuracy", "naive", "auc"]].notna().all(axis=None)
    assert (table["naive"] >= table["balanced_accuracy"] - 1e-12).all()
    assert instance_terminal_table(table).row_count == len(table)


@pytest.mark.parametrize("network", list(BANKS))
@pytest.mark.parametrize("aggregation", ["mean", "max"])
def test_without_clinical_data_a_patient_is_its_cells(
    network: str, aggregation: str, table: pd.DataFrame
) -> None:
    scored = SPLIT.loc[SPLIT["part"] == "validation", "patient"]
    names = np.repeat(PATIENTS["patient"], PATIENTS["n_cells"])
    patients = pd.Series(BANKS[network][:, 0]).groupby(np.asarray(names)).agg(aggregation)
    labels = PATIENTS.set_index("patient").loc[scored, "label"]
    expected = balanced_accuracy_score(labels, patients.loc[scored] >= 0.5)
    row = table.query("network == @network and aggregation == @aggregation and not clinical").iloc[
        0
    ]
    assert row["balanced_accuracy"] == pytest.approx(expected)
    assert row["n_patients"] == len(scored)

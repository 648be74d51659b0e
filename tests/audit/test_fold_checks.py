"""A patient on two sides, missing, doubled or predicted as what they are not is found by name."""

from collections.abc import Callable

import pandas as pd
import pytest

from lymphokit.audit.fold_checks import check_folds, check_predictions
from tests.audit import runs

# In fold 1, P0 and P2 train (inner 0 and 1) and P1 validates; P24 is a test patient.
FIRST = "fold == 1 and patient == "


def changed(patient: str, **values: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(folds: pd.DataFrame) -> pd.DataFrame:
        rows = folds.query(f"{FIRST} '{patient}'").index
        for column, value in values.items():
            folds.loc[rows, column] = value
        return folds

    return change


def added(patient: str, part: str, inner: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    row = {"fold": 1, "repeat": 1, "patient": patient, "part": part, "inner": inner}
    return lambda folds: pd.concat([folds, pd.DataFrame([row])], ignore_index=True)


def test_clean_folds_pass() -> None:
    check = check_folds(runs.folds(), runs.patients())
    assert check.faults == ()
    assert check.compared.startswith("2 folds of 24 patients, 5 test patients: 0 ")


@pytest.mark.parametrize(
    ("plant", "finding"),
    [
        (added("P0", "validation", -1), "P0: folds.csv: is 2 times in fold 1 (train and validat"),
        (added("P0", "train", 0), "P0: folds.csv: is 2 times in fold 1 (train and train)"),
        (added("P24", "train", 0), "P24: folds.csv: is a test patient, but in fold 1 (train)"),
        (added("P99", "train", 0), "P99: folds.csv: is in fold 1 and not in patients.csv"),
        (
            lambda folds: folds.query(f"not ({FIRST} 'P2')"),
            "P2: folds.csv: is in no part of fold 1",
        ),
        (
            changed("P0", part="validation", inner=-1),
            "P0: folds.csv: validates 2 times in repeat 1",
        ),
        (changed("P1", part="train", inner=0), "P1: folds.csv: validates 0 times in repeat 1"),
        (changed("P0", inner=-1), "P0: folds.csv: is in part train, inner fold -1 of fold 1"),
        (changed("P1", inner=1), "P1: folds.csv: is in part validation, inner fold 1 of fold 1"),
        (changed("P0", part="tuning"), "P0: folds.csv: is in part tuning, inner fold 0 of fold 1"),
    ],
)
def test_a_planted_fault_is_found(
    plant: Callable[[pd.DataFrame], pd.DataFrame], finding: str
) -> None:
    check = check_folds(plant(runs.folds()), runs.patients())
    assert finding in runs.findings(check)
    assert {fault.patient for fault in check.faults} == {finding.partition(":")[0]}


def test_one_split_a_repeat_validates_only_some() -> None:
    split = runs.folds().query("fold == 1")
    assert check_folds(split, runs.patients()).faults == ()


def test_clean_predictions_pass() -> None:
    check = check_predictions(runs.predictions(), runs.folds(), runs.patients())
    assert check.faults == ()
    assert check.compared.startswith("174 predictions of 6 tables: 0 ")


@pytest.mark.parametrize(
    ("column", "value", "finding"),
    [
        (
            "inner",
            1,
            "P0: predictions.csv of fold 1 has them as inner 1 with label 0, expected inner 0",
        ),
        ("part", "validation", "P0: predictions.csv of fold 1 has them as validation with label 0"),
        ("label", 1, "P0: predictions.csv of fold 1 has them as inner 0 with label 1"),
        ("patient", "P2", "P2: predictions.csv of fold 1 predicts them twice"),
        ("patient", "P2", "P0: predictions.csv of fold 1 lacks them"),
        (
            "patient",
            "P99",
            "P99: predictions.csv of fold 1 predicts them, who are not in this fold",
        ),
    ],
)
def test_a_row_that_breaks_with_the_folds_is_found(
    column: str, value: object, finding: str
) -> None:
    tables = runs.predictions()
    rows = tables[1, "pooled"]
    rows.loc[rows["patient"] == "P0", column] = value
    found = runs.findings(check_predictions(tables, runs.folds(), runs.patients()))
    assert finding in found
    assert "fold 2" not in found
    assert all(line.endswith(": pooled") for line in found.splitlines())


def test_a_test_patient_with_a_label_is_found_once_for_all_models() -> None:
    tables = runs.predictions()
    for table in tables.values():
        table.loc[table["patient"] == "P24", "label"] = 1
    check = check_predictions(tables, runs.folds(), runs.patients())
    assert (
        "test with label 1, expected test with label -1: clinical, pooled, d_mil"
        in runs.findings(check)
    )
    assert len(check.faults) == 2

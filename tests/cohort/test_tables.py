"""The tables of a run come back as they were written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lymphokit.cohort.tables import (
    FOLD_COLUMNS,
    TableError,
    read_cells,
    read_fold,
    read_folds,
    read_patients,
    read_predictions,
    read_table,
    write_table,
)

IDS = ["NA", "null", "007", "1e3", "P,1", "nan"]


@pytest.fixture
def patients(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    n = len(IDS)
    table = pd.DataFrame(
        {
            "patient": IDS,
            "part": ["train"] * (n - 1) + ["test"],
            "label": [0, 1, 0, 1, 0, -1],
            "gender": ["F", "M"] * (n // 2),
            "age_years": np.random.default_rng(0).random(n) * 90,
            "lymphocytes_giga_per_litre": np.random.default_rng(1).random(n) * 50,
            "n_cells": range(n),
        }
    )
    path = tmp_path / "patients.csv"
    write_table(table, path)
    return path, table


@pytest.fixture
def folds(tmp_path: Path) -> Path:
    rows = [(fold, 1, patient, "train", 0) for fold in (1, 2) for patient in IDS]
    write_table(pd.DataFrame(rows, columns=list(FOLD_COLUMNS)), tmp_path / "folds.csv")
    return tmp_path / "folds.csv"


def test_patients_come_back_bit_for_bit_whatever_their_ids(
    patients: tuple[Path, pd.DataFrame],
) -> None:
    path, table = patients
    pd.testing.assert_frame_equal(read_patients(path), table, check_exact=True)


def test_cells_keep_ids_and_file_names_that_look_like_numbers(tmp_path: Path) -> None:
    table = pd.DataFrame({"cell": [0], "patient": ["01"], "image": ["02"], "path": ["03"]})
    write_table(table, tmp_path / "cells.csv")
    pd.testing.assert_frame_equal(read_cells(tmp_path / "cells.csv"), table)


def test_an_empty_field_is_missing_and_leaves_numbers_numbers(tmp_path: Path) -> None:
    table = pd.DataFrame({"patient": ["NA", "B"], "probability": [np.nan, 0.1]})
    write_table(table, tmp_path / "oof.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "oof.csv"), table, check_exact=True)


@pytest.mark.parametrize("fold", [2, "2"])
def test_one_fold_has_the_rows_of_the_table(folds: Path, fold: int | str) -> None:
    expected = read_folds(folds).query("fold == 2")
    assert len(expected) == len(IDS)
    pd.testing.assert_frame_equal(read_fold(folds, fold), expected)


def test_a_fold_that_is_not_there_is_an_error(folds: Path) -> None:
    with pytest.raises(TableError, match=r"folds\.csv: no fold 7, only 1, 2"):
        read_fold(folds, 7)


def test_a_table_of_another_kind_is_an_error_that_names_the_file(folds: Path) -> None:
    with pytest.raises(TableError, match=r"folds\.csv: no column cell, image, path"):
        read_cells(folds)


def test_predictions_are_read_model_after_model_and_fold_after_fold(tmp_path: Path) -> None:
    paths = []
    for number in range(6):
        paths.append(tmp_path / f"{number}.csv")
        columns = {"part": "test", "inner": -1, "label": -1, "probability": number / 10}
        write_table(pd.DataFrame({"patient": IDS, **columns}), paths[-1])
    tables = read_predictions(paths, ["a", "b"])
    found = {name: [table["probability"][0] for table in tables[name]] for name in tables}
    assert found == {"a": [0.0, 0.1, 0.2], "b": [0.3, 0.4, 0.5]}
    assert tables["a"][0]["patient"].tolist() == IDS
    assert read_predictions([], []) == {}

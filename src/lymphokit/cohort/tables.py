"""Read and write the CSV tables of a run: patients, cells, folds, and every table of predictions.

Patient ids are text: `007` keeps its zeros, and `NA` and `null` stay ids. Numbers come back bit for
bit as they were written.
"""

import io
import textwrap
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lymphokit.errors import LymphokitError
from lymphokit.files import read_regular

PATIENT_COLUMNS = (
    "patient",
    "part",
    "label",
    "gender",
    "age_years",
    "lymphocytes_giga_per_litre",
    "n_cells",
)
CELL_COLUMNS = ("cell", "patient", "image", "path")
FOLD_COLUMNS = ("fold", "repeat", "patient", "part", "inner")

PREDICTION_COLUMNS = ("patient", "part", "inner", "label", "probability")

# Lowest and highest value of the columns with numbers, and whether they are whole.
_NUMBERS = {
    "label": (-1, 1, True),
    "age_years": (-200, 200, False),
    "lymphocytes_giga_per_litre": (0, np.inf, False),
    "n_cells": (0, 2**31, True),
    "cell": (0, 2**31, True),
    "fold": (1, 2**31, True),
    "repeat": (1, 2**31, True),
    "inner": (-1, 2**31, True),
    "probability": (0, 1, False),
    "held_out": (-1, 2**31, True),
    "round": (0, 2**31, True),
}
_MOST_COLUMNS = 5000
_OTHER_PARTS = "part is not the one that the other columns mean"

# pandas would read a column of names such as 1, 2, 3 as numbers.
_TEXT = dict.fromkeys(("patient", "image", "path", "file", "model", "blend"), str)


class TableError(LymphokitError):
    """A table of the run lacks columns or rows that a reader needs."""


def read_table(
    path: str | Path, columns: Iterable[str] = (), *, may_lack: str = ""
) -> pd.DataFrame:
    """Read any table of the run; an empty field is missing, every other text is itself.

    columns: those that the table must have; in each that _NUMBERS knows, every value is such a
    number, and in a column of ids none is missing. may_lack: the one where a number may be missing.
    Raises TableError for a file that is no table, and for one without these columns and values.
    """
    try:
        table = _parse(read_regular(Path(path)))
    # pandas' errors are ValueErrors, except the warning of rows longer than the header.
    except (OSError, ValueError, OverflowError, pd.errors.ParserWarning) as error:
        raise _damaged(path, getattr(error, "strerror", None) or error) from error
    if lacking := [column for column in columns if column not in table]:
        raise _damaged(path, f"no column {', '.join(lacking)}")
    for column in columns:
        values = table[column].dropna() if column == may_lack else table[column]
        if wrong := _finding(values, column):
            raise _damaged(path, f"{column} {wrong}")
    return table


def _parse(content: bytes) -> pd.DataFrame:
    text = content.decode()  # strictly UTF-8
    if "\0" in text:
        raise ValueError("it holds null characters")
    if text.partition("\n")[0].count(",") > _MOST_COLUMNS:
        raise ValueError(f"it has more than {_MOST_COLUMNS:,} columns")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
        # Only the empty field is missing: by default pandas drops ids such as NA and null.
        return pd.read_csv(
            io.StringIO(text), dtype=_TEXT, keep_default_na=False, na_values=[""], index_col=False
        )


def _finding(values: "pd.Series[Any]", column: str) -> str:
    """What is wrong with the values of a column; empty where nothing is."""
    if column in _TEXT and values.isna().any():
        return "is missing in a row"
    if column not in _NUMBERS or values.empty:
        return ""
    lowest, highest, whole = _NUMBERS[column]
    if not pd.api.types.is_numeric_dtype(values) or not values.between(lowest, highest).all():
        return f"is not a number from {lowest:g} to {highest:g} in every row"
    return "is not a whole number in every row" if whole and (values % 1 != 0).any() else ""


def _damaged(path: str | Path, finding: object) -> TableError:
    shown = textwrap.shorten(str(finding), 300)
    return TableError(f"{path}: {shown}; delete the file, the next run writes it anew")


def _require(path: str | Path, is_right: "pd.Series[bool] | bool", finding: str) -> None:
    """Raise TableError unless all rows are right."""
    if not np.all(is_right):
        raise _damaged(path, finding)


def read_patients(path: str | Path) -> pd.DataFrame:
    """Read patients.csv: a row per patient, in natural order, with PATIENT_COLUMNS.

    part is train or test; label is 1 tumoral, 0 reactive, -1 test.
    Raises TableError for any other content.
    """
    table = read_table(path, PATIENT_COLUMNS)
    _require(path, not table["patient"].duplicated().any(), "lists a patient twice")
    _require(path, table["part"] == np.where(table["label"] < 0, "test", "train"), _OTHER_PARTS)
    return table


def read_cells(path: str | Path) -> pd.DataFrame:
    """Read cells.csv: a row per cell, patient after patient, with CELL_COLUMNS.

    Raises TableError for any other content.
    """
    table = read_table(path, CELL_COLUMNS)
    _require(path, table["cell"] == np.arange(len(table)), "its cells are not numbered from 0")
    outside = table["path"].map(lambda text: Path(text).is_absolute() or ".." in Path(text).parts)
    _require(path, not outside.any(), "a path leads out of the raw data")
    return table


def read_folds(path: str | Path) -> pd.DataFrame:
    """Read folds.csv: a row per labelled patient and fold, with FOLD_COLUMNS.

    part is train or validation; inner is the inner fold from 0, -1 in validation.
    Raises TableError for any other content.
    """
    table = read_table(path, FOLD_COLUMNS)
    part = np.where(table["inner"] < 0, "validation", "train")
    _require(path, table["part"] == part, _OTHER_PARTS)
    return table


def read_fold(path: str | Path, fold: int | str) -> pd.DataFrame:
    """Read the rows of one fold of folds.csv, with the index they have there.

    fold may be a wildcard, which is text. Raises TableError where the table has no such fold.
    """
    folds = read_folds(path)
    rows = folds[folds["fold"] == int(fold)]
    if rows.empty:
        numbers = ", ".join(str(number) for number in sorted(set(folds["fold"])))
        raise TableError(f"{path}: no fold {fold}, only {numbers}; check the settings `folds`")
    return rows


def read_predictions(
    paths: Sequence[str | Path], models: Sequence[str]
) -> dict[str, list[pd.DataFrame]]:
    """Read predictions.csv of each model in every fold, from paths model after model.

    Raises TableError for a file with other columns or values.
    """
    n_folds = len(paths) // max(len(models), 1)
    starts = range(0, len(paths), n_folds or 1)
    tables = (
        [read_table(path, PREDICTION_COLUMNS) for path in paths[start : start + n_folds]]
        for start in starts
    )
    return dict(zip(models, tables, strict=True))


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, without its index."""
    table.to_csv(path, index=False)

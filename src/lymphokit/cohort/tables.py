"""Read and write the CSV tables of a run: patients, cells, folds, and every table of predictions.

Patient ids are text: `007` keeps its zeros, and `NA` and `null` stay ids. Numbers come back bit for
bit as they were written.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from lymphokit.errors import LymphokitError

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

# pandas would read a column of names such as 1, 2, 3 as numbers.
_TEXT = dict.fromkeys(("patient", "image", "path", "file", "model", "blend"), str)


class TableError(LymphokitError):
    """A table of the run lacks columns or rows that a reader needs."""


def read_table(path: str | Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read any table of the run; an empty field is missing, every other text is itself.

    Raises TableError where one of `columns` is missing.
    """
    # Only the empty field is missing: by default pandas drops ids such as NA and null.
    table = pd.read_csv(path, dtype=_TEXT, keep_default_na=False, na_values=[""])
    lacking = [column for column in columns if column not in table]
    if lacking:
        raise TableError(
            f"{path}: no column {', '.join(lacking)}; delete the file, the next run writes it anew"
        )
    return table


def read_patients(path: str | Path) -> pd.DataFrame:
    """Read patients.csv: a row per patient, in natural order, with PATIENT_COLUMNS.

    part is train or test; label is 1 tumoral, 0 reactive, -1 test.
    """
    return read_table(path, PATIENT_COLUMNS)


def read_cells(path: str | Path) -> pd.DataFrame:
    """Read cells.csv: a row per cell, patient after patient, with CELL_COLUMNS."""
    return read_table(path, CELL_COLUMNS)


def read_folds(path: str | Path) -> pd.DataFrame:
    """Read folds.csv: a row per labelled patient and fold, with FOLD_COLUMNS.

    part is train or validation; inner is the inner fold from 0, -1 in validation.
    """
    return read_table(path, FOLD_COLUMNS)


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
    """Read predictions.csv of each model in every fold, from paths model after model."""
    n_folds = len(paths) // max(len(models), 1)
    starts = range(0, len(paths), n_folds or 1)
    tables = ([read_table(path) for path in paths[start : start + n_folds]] for start in starts)
    return dict(zip(models, tables, strict=True))


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, without its index."""
    table.to_csv(path, index=False)

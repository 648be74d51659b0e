"""Artefacts of the raw table: the position of a row, and the format of its date.

Both are correlated with the label in the competition's download and have no medical meaning. They
are read for the study of confounders alone: no model is trained on them.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lymphokit.cohort.clinical_table import rows_of
from lymphokit.errors import CohortError

COLUMNS = ["patient", "row", "date_with_dashes", "date_year_first"]


def read_table_artefacts(tables: Sequence[Path]) -> pd.DataFrame:
    """Read the artefacts of every patient's row, in the order of the files.

    tables: see `read_layout`. Columns `patient`; `row`, its position in the table from 0;
    `date_with_dashes` and `date_year_first`, 1 or 0: the format of the date of birth.
    Raises CohortError where a table cannot be read.
    """
    records = []
    for table in tables:
        rows, faults = rows_of(table)
        if faults:
            raise CohortError(faults)
        records += [
            (row.values["ID"], place, *_date_format(row.values["DOB"]))
            for place, row in enumerate(rows)
        ]
    return pd.DataFrame(records, columns=COLUMNS)


def _date_format(text: str) -> tuple[int, int]:
    """Whether dashes separate the numbers of a date, and whether the year comes first."""
    return int("-" in text), int(text[:4].isdigit())

"""What the raw table gives away beside its values: where a row stands, how its date is written.

Both betray the label in the competition's own download and mean nothing medically. They are read
to be audited, and only for that: no model is ever given them.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lymphokit.cohort.clinical import rows_of
from lymphokit.errors import CohortError

COLUMNS = ["patient", "row", "date_with_dashes", "date_year_first"]


def read_table_form(tables: Sequence[Path]) -> pd.DataFrame:
    """The form of every patient's row in the raw tables, in the order of the files.

    tables: as `read_layout` finds them. Columns `patient`; `row`, the place in its table from 0;
    `date_with_dashes` and `date_year_first`, 1 or 0: how the date of birth is written.
    Raises CohortError where a table cannot be read.
    """
    records = []
    for table in tables:
        rows, faults = rows_of(table)
        if faults:
            raise CohortError(faults)
        records += [
            (row.values["ID"], place, *_date_form(row.values["DOB"]))
            for place, row in enumerate(rows)
        ]
    return pd.DataFrame(records, columns=COLUMNS)


def _date_form(text: str) -> tuple[int, int]:
    """Whether dashes part the numbers of a date, and whether the year stands first."""
    return int("-" in text), int(text[:4].isdigit())

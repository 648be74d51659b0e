"""What rows and dates give away is read as it stands, for the audit alone."""

from pathlib import Path

import pytest

from lymphokit.cohort.layout import read_layout
from lymphokit.cohort.table_artefacts import read_table_artefacts
from lymphokit.errors import CohortError

HEADER = "ID,LABEL,GENDER,DOB,LYMPH_COUNT"


def table(folder: Path, name: str, *rows: str) -> Path:
    path = folder / name
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def test_rows_keep_the_order_of_the_file_and_dates_their_form(tmp_path: Path) -> None:
    rows = ("P9,1,M,4/13/1950,7", "P2,0,F,13-04-1950,5", "P1,-1,F,1950-04-13,2")
    form = read_table_artefacts([table(tmp_path, "clinical_annotation.csv", *rows)])
    assert form.to_dict("list") == {
        "patient": ["P9", "P2", "P1"],
        "row": [0, 1, 2],
        "date_with_dashes": [0, 1, 1],
        "date_year_first": [0, 0, 1],
    }


def test_rows_are_counted_within_each_table(tmp_path: Path) -> None:
    first = table(tmp_path, "trainset_true.csv", "P9,1,M,4/13/1950,7", "P2,0,F,4/13/1950,5")
    second = table(tmp_path, "testset_data.csv", "P1,-1,F,4/13/1950,2")
    assert read_table_artefacts([first, second])["row"].tolist() == [0, 1, 0]


def test_a_table_that_cannot_be_read_is_refused_with_its_fault(tmp_path: Path) -> None:
    broken = tmp_path / "clinical_annotation.csv"
    broken.write_text("ID,LABEL,GENDER,LYMPH_COUNT\nP1,1,M,7\n")
    with pytest.raises(CohortError, match="no column DOB"):
        read_table_artefacts([broken])


def test_every_patient_of_the_real_table_has_a_form(real_data: Path) -> None:
    layout = read_layout(real_data / "dlmi-lymphocytosis-classification")
    form = read_table_artefacts(layout.tables)
    assert sorted(form["patient"]) == sorted(folder.patient for folder in layout.folders)
    assert 0 < form["date_with_dashes"].mean() < 0.5

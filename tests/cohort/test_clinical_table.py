"""The clinical table: every planted fault is found, and nothing is guessed."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lymphokit.cohort.clinical_table import read_clinical

HEADER = ",ID,LABEL,GENDER,DOB,LYMPH_COUNT"
SOUND = ["0,P10,1,M,4/13/1950,7.5", "1,P2,0,f,13-04-1950,5", "2,P1,-1,F,1950-04-13,2.5e1"]
TODAY = date(2025, 7, 1)
BORN_1950 = (TODAY - date(1950, 4, 13)).days / 365.25


def write(folder: Path, rows: list[str], header: str = HEADER) -> Path:
    path = folder / "clinical_annotation.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def findings(folder: Path, rows: list[str], header: str = HEADER) -> list[str]:
    _, faults = read_clinical([write(folder, rows, header)], TODAY)
    assert all(fault.remedy for fault in faults)
    return [f"{fault.patient}: {fault.finding}" for fault in faults]


def test_a_sound_table_is_read_in_the_natural_order_of_patients(tmp_path: Path) -> None:
    table, faults = read_clinical([write(tmp_path, SOUND)], TODAY)
    assert faults == []
    expected = pd.DataFrame(
        {
            "patient": ["P1", "P2", "P10"],
            "part": ["test", "train", "train"],
            "label": [-1, 0, 1],
            "gender": ["F", "F", "M"],
            "age_years": [BORN_1950] * 3,
            "lymphocytes_giga_per_litre": [25.0, 5.0, 7.5],
        }
    )
    pd.testing.assert_frame_equal(table, expected)


@given(rows=st.permutations(SOUND))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_order_of_rows_leaves_no_trace(tmp_path: Path, rows: list[str]) -> None:
    table, _ = read_clinical([write(tmp_path, rows)], TODAY)
    again, _ = read_clinical([write(tmp_path, SOUND)], TODAY)
    pd.testing.assert_frame_equal(table, again)


@given(born=st.dates(date(1906, 1, 1), date(2007, 6, 30)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_form_of_a_date_leaves_no_trace(tmp_path: Path, born: date) -> None:
    forms = [f"{born.month}/{born.day}/{born.year}", f"{born:%d-%m-%Y}", f"{born:%Y-%m-%d}"]
    rows = [f"{i},P{i},1,M,{form},5" for i, form in enumerate(forms)]
    table, faults = read_clinical([write(tmp_path, rows)], TODAY)
    assert faults == []
    assert table["age_years"].nunique() == 1


def test_the_tables_of_both_sets_make_one_cohort(tmp_path: Path) -> None:
    header = "ID,LABEL,GENDER,DOB,LYMPH_COUNT"
    for name, row in {"a.csv": "P2,1,M,4/13/1950,7", "b.csv": "P1,-1,F,4/13/1950,7"}.items():
        (tmp_path / name).write_text(f"{header}\n{row}\n")
    table, faults = read_clinical([tmp_path / "a.csv", tmp_path / "b.csv"], TODAY)
    assert faults == []
    assert list(table["patient"]) == ["P1", "P2"]


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        ("9,P9,2,M,4/13/1950,5", "LABEL '2' is none of 1, 0 and -1"),
        ("9,P9,yes,M,4/13/1950,5", "LABEL 'yes' is none of 1, 0 and -1"),
        ("9,P9,0.5,M,4/13/1950,5", "LABEL '0.5' is none of 1, 0 and -1"),
        ("9,P9,,M,4/13/1950,5", "LABEL is missing"),
        ("9,P9,1,X,4/13/1950,5", "GENDER 'X' is neither M nor F"),
        ("9,P9,1,female,4/13/1950,5", "GENDER 'female' is neither M nor F"),
        ("9,P9,1,NaN,4/13/1950,5", "GENDER is missing"),
        ("9,P9,1,M,,5", "DOB is missing"),
        ("9,P9,1,M,13/4/1950,5", "is no day of the calendar: slashes mean month first"),
        ("9,P9,1,M,04-13-1950,5", "is no day of the calendar: dashes mean day first"),
        ("9,P9,1,M,2/30/1950,5", "is no day of the calendar: slashes mean month first"),
        ("9,P9,1,M,1950-13-04,5", "is no day of the calendar: the year stands first"),
        ("9,P9,1,M,4/13/50,5", "has a year of two digits"),
        ("9,P9,1,M,13-04-50,5", "has a year of two digits"),
        ("9,P9,1,M,13.04.1950,5", "in an unknown format"),
        ("9,P9,1,M,1950/04/13,5", "in an unknown format"),
        ("9,P9,1,M,4-13-1950,5", "in an unknown format"),
        ("9,P9,1,M,13 April 1950,5", "in an unknown format"),
        ("9,P9,1,M,1950-04-13 00:00:00,5", "in an unknown format"),
        ("9,P9,1,M,1950,5", "in an unknown format"),
        ("9,P9,1,M,7/2/2025,5", "is after the reference date 2025-07-01"),
        ("9,P9,1,M,4/13/1850,5", "makes the patient 175 years old"),
        ("9,P9,1,M,4/13/1950,", "LYMPH_COUNT is missing"),
        ("9,P9,1,M,4/13/1950,0", "is not a positive, finite number"),
        ("9,P9,1,M,4/13/1950,-3", "is not a positive, finite number"),
        ("9,P9,1,M,4/13/1950,1e999", "is not a positive, finite number"),
        ("9,P9,1,M,4/13/1950,inf", "is not a number"),
        ("9,P9,1,M,4/13/1950,1_0", "is not a number"),
        ("9,P9,1,M,4/13/1950,\u0667", "is not a number"),
        ('9,P9,1,M,4/13/1950,"7,5"', "LYMPH_COUNT '7,5' is not a number"),
        ("9,P9,1,M,4/13/1950,7.5 G/L", "is not a number"),
    ],
)
def test_a_faulty_value_is_named_with_its_patient(tmp_path: Path, row: str, finding: str) -> None:
    (found,) = findings(tmp_path, [*SOUND, row])
    assert found.startswith("P9: ")
    assert finding in found


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    rows = ["0,P1,3,X,4/13/50,-1", *SOUND[:2], "3,,1,M,4/13/1950,5", "4,P10,1,M,4/13/1950,5"]
    found = findings(tmp_path, rows)
    assert len([finding for finding in found if finding.startswith("P1: ")]) == 4
    assert "clinical_annotation.csv, line 5: ID is missing" in found
    assert (
        "P10: has 2 rows: line 3 of clinical_annotation.csv, line 6 of clinical_annotation.csv"
        in found
    )


def test_a_repeated_patient_is_one_fault_and_one_row(tmp_path: Path) -> None:
    table, faults = read_clinical([write(tmp_path, [SOUND[0]] * 3)], TODAY)
    assert [fault.finding[:11] for fault in faults] == ["has 3 rows:"]
    assert list(table["patient"]) == ["P10"]


def test_a_misnamed_column_is_named_with_its_nearest_neighbour(tmp_path: Path) -> None:
    found = findings(tmp_path, SOUND, ",ID,LABEL,GENDER,DOB,lymphcount")
    assert found == [
        "clinical_annotation.csv: has no column LYMPH_COUNT; the nearest is 'lymphcount'",
        "clinical_annotation.csv: has an unknown column 'lymphcount'; the nearest is 'LYMPH_COUNT'",
    ]


def test_values_beside_a_missing_column_are_still_checked(tmp_path: Path) -> None:
    found = findings(tmp_path, ["P1,1,X,4/13/1950"], "ID,LABEL,GENDER,DOB")
    assert found[1:] == ["P1: GENDER 'X' is neither M nor F"]


def test_a_column_there_twice_is_a_fault(tmp_path: Path) -> None:
    found = findings(tmp_path, ["P1,1,M,4/13/1950,5,0"], "ID,LABEL,GENDER,DOB,LYMPH_COUNT,LABEL")
    assert found == ["clinical_annotation.csv: has LABEL twice"]


def test_without_ids_only_the_columns_are_reported(tmp_path: Path) -> None:
    found = findings(tmp_path, SOUND, HEADER.replace(",", ";"))
    assert len(found) == 6
    assert "has no column ID" in found[0]


@pytest.mark.parametrize("index", ["", "Unnamed: 0"])
def test_the_index_column_of_pandas_is_fine(tmp_path: Path, index: str) -> None:
    assert findings(tmp_path, SOUND, index + HEADER) == []


def test_a_row_of_another_length_is_a_fault(tmp_path: Path) -> None:
    found = findings(tmp_path, [*SOUND, "3,P4,1,M,4/13/1950,7,5"])
    assert found == ["clinical_annotation.csv: line 5 has 7 values, and the header 6 columns"]


def test_a_table_without_a_patient_is_a_fault(tmp_path: Path) -> None:
    assert findings(tmp_path, []) == ["clinical_annotation.csv: lists no patient"]


@pytest.mark.parametrize(
    "content", [b"ID,LABEL\xff\n", b'ID,"LABEL\nP1,1\n', "ID".encode("utf-16")]
)
def test_what_is_no_utf8_table_is_a_fault(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    _, faults = read_clinical([tmp_path / "t.csv"], TODAY)
    assert [fault.patient for fault in faults] == ["t.csv"]
    assert "cannot be read as a table" in faults[0].finding


def test_a_byte_order_mark_and_stray_blanks_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "ID, LABEL,GENDER,DOB,LYMPH_COUNT\r\n P1 ,1.0,m , 4/13/1950,7\r\n\r\n", encoding="utf-8-sig"
    )
    table, faults = read_clinical([path], TODAY)
    assert faults == []
    assert table.loc[0, ["patient", "label", "gender"]].tolist() == ["P1", 1, "M"]


@pytest.mark.parametrize("blank", [",,,,,", "3,,,,,", " , ,,, ,", ",,,,,,,,", ""])
def test_blank_rows_of_a_spreadsheet_are_skipped(tmp_path: Path, blank: str) -> None:
    assert findings(tmp_path, [SOUND[0], blank, *SOUND[1:], blank]) == []


def test_empty_columns_at_the_end_are_fine(tmp_path: Path) -> None:
    assert findings(tmp_path, [f"{row},," for row in SOUND]) == []
    assert findings(tmp_path, [f"{row},," for row in SOUND], f"{HEADER},,") == []


@pytest.mark.parametrize("text", ["#N/A", "-", "#VALUE!", "\u2013", "<NA>", "missing", "."])
def test_what_spreadsheets_write_for_nothing_is_missing(tmp_path: Path, text: str) -> None:
    found = findings(tmp_path, [*SOUND, f"9,P9,1,M,4/13/1950,{text}"])
    assert found == ["P9: LYMPH_COUNT is missing"]


@pytest.mark.parametrize("other", ["p10", "P 10", "P\u00a010", "\uff3010"])
def test_ids_that_differ_in_case_or_blanks_only_are_a_fault(tmp_path: Path, other: str) -> None:
    (found,) = findings(tmp_path, [*SOUND, f"9,{other},1,M,4/13/1950,5"])
    assert repr(other) in found or "'P10'" in found
    assert "in case, blanks" in found


@pytest.mark.parametrize("other", ["P10 ", "\tP10", "P10\u200b", "\ufeffP10", '"P10"'])
def test_an_id_is_repeated_though_blanks_or_invisible_characters_differ(
    tmp_path: Path, other: str
) -> None:
    (found,) = findings(tmp_path, [*SOUND, f"9,{other},1,M,4/13/1950,5"])
    assert found.startswith("P10: has 2 rows")


def test_an_empty_column_is_one_fault(tmp_path: Path) -> None:
    rows = [row.rpartition(",")[0] + "," for row in SOUND]
    assert findings(tmp_path, rows) == ["clinical_annotation.csv: has no value in LYMPH_COUNT"]


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(tmp_path: Path, sign: str, name: str) -> None:
    path = write(tmp_path, [row.replace(",", sign) for row in SOUND], HEADER.replace(",", sign))
    _, faults = read_clinical([path], TODAY)
    assert name in faults[0].remedy


@pytest.mark.parametrize("header", [HEADER.lower(), HEADER.title()])
def test_a_header_in_another_case_is_a_fault_with_the_right_name(
    tmp_path: Path, header: str
) -> None:
    assert "ID; the nearest is" in findings(tmp_path, SOUND, header)[0]


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_counts_in_cells_per_microlitre_are_named_for_some_patients_and_for_all(
    tmp_path: Path, share: float
) -> None:
    counts = [2.28, 4, 5, 6, 7, 7.9, 9.5, 14, 31, 295]
    scaled = [c * 1000 if n < share * 10 else c for n, c in enumerate(counts)]
    found = findings(tmp_path, [f"{n},P{n},1,M,4/13/1950,{c}" for n, c in enumerate(scaled)])
    assert len(found) == round(share * 10)
    assert all("microlitre" in finding for finding in found)
    assert found[0].startswith("P0: LYMPH_COUNT '2280")


def test_a_column_of_logarithms_is_a_fault_unless_it_is_allowed(tmp_path: Path) -> None:
    path = write(tmp_path, [f"{n},P{n},1,M,4/13/1950,{1 + n / 9}" for n in range(12)])
    _, faults = read_clinical([path], TODAY)
    assert [fault.patient for fault in faults] == ["LYMPH_COUNT"]
    assert read_clinical([path], TODAY, allow=["LYMPH_COUNT"])[1] == []


def test_a_column_that_mixes_dates_of_both_orders_is_refused_with_their_numbers(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, [*SOUND, "9,P9,1,M,13/4/1950,5", "9,P8,1,M,3/4/1950,5"])
    _, faults = read_clinical([path], TODAY)
    assert [fault.patient for fault in faults] == ["P9"]
    assert all(part in faults[0].remedy for part in ("1 month first", "1 day first", "1 both"))

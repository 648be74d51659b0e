"""Tables of one download against each other, and a cohort with a part missing."""

from pathlib import Path

import pandas as pd
import pytest

from lymphokit.cohort.table_checks import (
    disagreements,
    part_faults,
    sample_faults,
    simulated_faults,
    simulated_note,
)

HEADER = "ID,LABEL,GENDER,DOB,LYMPH_COUNT"
WHOLE = ["P1,1,M,4/13/1950,7.5", "P2,0,F,13-04-1960,5", "P3,-1,F,1/2/1970,6"]


def table(labels: dict[str, int]) -> pd.DataFrame:
    parts = ["test" if label == -1 else "train" for label in labels.values()]
    return pd.DataFrame({"patient": list(labels), "part": parts, "label": list(labels.values())})


def write(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ({"P1": 1, "P2": 0}, "predict"),
        ({"P1": 1, "P2": -1}, "reactive"),
        ({"P1": 0, "P2": -1}, "tumoral"),
    ],
)
def test_a_missing_part_is_a_fault(labels: dict[str, int], what: str) -> None:
    (fault,) = part_faults(table(labels))
    assert what in fault.finding
    assert fault.remedy


def test_a_cohort_with_all_parts_is_sound_and_an_empty_one_is_reported_elsewhere() -> None:
    assert part_faults(table({"P1": 1, "P2": 0, "P3": -1})) == []
    assert part_faults(table({})) == []


def test_a_sample_of_another_edition_is_a_fault_and_may_be_allowed() -> None:
    cohort = table({"P1": 1, "P2": 0, "P3": -1, "P4": -1})
    assert sample_faults(["P3", "P3"], cohort) == []
    assert sample_faults([], cohort) == []
    unknown, labelled = sample_faults(["P3", "P900", "P1"], cohort)
    assert "P900" in unknown.finding
    assert "P1" in labelled.finding
    assert "sample_submission.csv" in unknown.patient
    assert sample_faults(["P900"], cohort, ["sample_submission.csv"]) == []


@pytest.mark.parametrize(
    ("column", "row"),
    [
        ("LABEL", "P2,1,F,13-04-1960,5"),
        ("GENDER", "P2,0,M,13-04-1960,5"),
        ("DOB", "P2,0,F,13-04-1961,5"),
        ("LYMPH_COUNT", "P2,0,F,13-04-1960,5.5"),
    ],
)
def test_a_value_that_differs_between_the_tables_is_named(
    tmp_path: Path, column: str, row: str
) -> None:
    whole = write(tmp_path / "clinical_annotation.csv", WHOLE)
    train = write(tmp_path / "trainset_true.csv", [WHOLE[0], row])
    (fault,) = disagreements([whole], [train])
    assert fault.patient == "P2"
    assert all(name in fault.finding for name in (column, whole.name, train.name))


def test_other_texts_of_the_same_values_agree(tmp_path: Path) -> None:
    whole = write(tmp_path / "clinical_annotation.csv", WHOLE)
    train = write(
        tmp_path / "trainset_true.csv", ["P2,0.0,f,4/13/1960,5.00", "P1,1,M,1950-04-13,7.50"]
    )
    test = write(tmp_path / "testset_data.csv", ["P3,,F,1/2/1970,6"])
    assert disagreements([whole], [train, test]) == []


def test_a_patient_in_one_of_the_tables_alone_is_a_fault(tmp_path: Path) -> None:
    whole = write(tmp_path / "clinical_annotation.csv", WHOLE)
    train = write(tmp_path / "trainset_true.csv", WHOLE[:1])
    test = write(tmp_path / "testset_data.csv", [WHOLE[2], "P9,-1,F,1/2/1970,6"])
    assert sorted(fault.patient for fault in disagreements([whole], [train, test])) == ["P2", "P9"]


def test_a_damaged_table_beside_the_used_one_is_a_fault(tmp_path: Path) -> None:
    whole = write(tmp_path / "clinical_annotation.csv", WHOLE)
    train = tmp_path / "trainset_true.csv"
    train.write_bytes(b"ID,LABEL\xff\n")
    assert [fault.patient for fault in disagreements([whole], [train])] == [train.name]


def test_simulated_patients_among_others_are_a_fault_and_alone_a_sentence() -> None:
    (fault,) = simulated_faults(table({"P1": 1, "SIM002": 0, "SIM003": -1}))
    assert "SIM002, SIM003" in fault.finding
    alone, real = table({"SIM001": 1, "SIM002": -1}), table({"P1": 1, "P2": -1})
    assert simulated_faults(alone) == simulated_faults(real) == []
    assert "simulated" in str(simulated_note(alone))
    assert simulated_note(real) is None

"""Kaggle's layout: what is found, and what is said of what is not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymphokit.cohort.layout import natural_order, read_layout


def lay_out(root: Path, header: str = "ID,LABEL") -> Path:
    for place in ("trainset/P10", "trainset/P2", "testset/P1"):
        (root / place).mkdir(parents=True)
    (root / "clinical_annotation.csv").touch()
    (root / "sample_submission.csv").write_text(f"{header}\nP1,1\n")
    return root


def test_patients_are_found_in_natural_order(tmp_path: Path) -> None:
    layout = read_layout(lay_out(tmp_path))
    found = [(folder.patient, folder.part) for folder in layout.folders]
    assert found == [("P1", "test"), ("P2", "train"), ("P10", "train")]
    assert layout.tables == (tmp_path / "clinical_annotation.csv",)
    assert layout.faults == ()


@pytest.mark.parametrize("header", ["ID,LABEL", "Id,Predicted", "id,malignant"])
def test_the_header_of_any_competition_is_kept(tmp_path: Path, header: str) -> None:
    assert read_layout(lay_out(tmp_path, header)).submission_header == tuple(header.split(","))


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / "sample_submission.csv").write_text("ID,LABEL\r\n", encoding="utf-8-sig")
    assert read_layout(tmp_path).submission_header == ("ID", "LABEL")


@pytest.mark.parametrize("header", ["", "ID", "ID,LABEL,x", "LABEL,ID", "ID,"])
def test_another_header_is_a_fault(tmp_path: Path, header: str) -> None:
    layout = read_layout(lay_out(tmp_path, header))
    assert [fault.patient for fault in layout.faults] == ["sample_submission.csv"]
    assert "Id,Predicted" in layout.faults[0].remedy


def test_missing_files_are_faults_and_all_are_named(tmp_path: Path) -> None:
    layout = read_layout(tmp_path)
    named = [fault.patient for fault in layout.faults]
    assert named == ["clinical_annotation.csv", "sample_submission.csv"]


def test_the_tables_of_the_sets_stand_in_for_the_clinical_table(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / "clinical_annotation.csv").unlink()
    tables = (
        tmp_path / "trainset" / "trainset_true.csv",
        tmp_path / "testset" / "testset_data.csv",
    )
    for table in tables:
        table.touch()
    layout = read_layout(tmp_path)
    assert layout.tables == tables
    assert layout.faults == ()


def test_an_image_outside_any_patients_folder_is_a_fault(tmp_path: Path) -> None:
    lay_out(tmp_path)
    for name in ("000000.jpg", ".DS_Store", "trainset_true.csv"):
        (tmp_path / "trainset" / name).touch()
    (fault,) = read_layout(tmp_path).faults
    assert fault.finding == "holds 000000.jpg, which is in no patient's folder"


@given(st.lists(st.sampled_from(["P1", "P01", "P2", "P10", "p2", "P", "Q1"]), unique=True))
def test_natural_order_forgets_the_order_of_its_input(names: list[str]) -> None:
    assert natural_order(names, str) == natural_order(reversed(names), str)


def test_two_comes_before_ten() -> None:
    assert natural_order(["P10", "P2", "P1"], str) == ["P1", "P2", "P10"]


@pytest.mark.parametrize("place", ["notes.txt", "extra", "testset/lists", "trainset/P1/deep/x.jpg"])
@pytest.mark.parametrize("wrapper", ["", "inside"])
def test_a_link_without_a_target_is_a_fault_wherever_it_lies(
    tmp_path: Path, place: str, wrapper: str
) -> None:
    home = lay_out(tmp_path / wrapper) if wrapper else lay_out(tmp_path)
    link = home / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to("gone")
    faults = [fault for fault in read_layout(tmp_path).faults if "gone" in fault.finding]
    assert [fault.patient for fault in faults] == [place]


def test_a_system_file_that_is_a_broken_link_is_ignored(tmp_path: Path) -> None:
    (lay_out(tmp_path) / ".#notes").symlink_to("gone")
    assert read_layout(tmp_path).faults == ()


def test_the_ids_of_the_sample_and_the_tables_beside_the_used_one_are_listed(
    tmp_path: Path,
) -> None:
    lay_out(tmp_path)
    (tmp_path / "sample_submission.csv").write_text("ID,LABEL\n P1 ,1\n\n,\nP1,0\n")
    train = tmp_path / "trainset" / "trainset_true.csv"
    train.touch()
    layout = read_layout(tmp_path)
    assert layout.sample_ids == ("P1", "P1")
    assert layout.others == (train,)


def test_a_sample_that_is_no_table_is_a_fault(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / "sample_submission.csv").write_text("ID,LABEL\n" + "x" * 200_000)
    (fault,) = read_layout(tmp_path).faults
    assert fault.patient == "sample_submission.csv"


@pytest.mark.parametrize("place", ["", "outer/"])
@pytest.mark.parametrize("name", ["1.jpg", "scan.TIF"])
def test_an_image_beside_the_sets_is_a_fault(tmp_path: Path, place: str, name: str) -> None:
    home = tmp_path / place
    home.mkdir(exist_ok=True)
    lay_out(home)
    (tmp_path / name).touch()
    (home / "LICENSE.txt").touch()
    (home / "._1.jpg").touch()
    (fault,) = read_layout(tmp_path).faults
    assert name in fault.finding


SECOND = ["clinical_annotation (1).csv", "Clinical Annotation - Copy.csv", "patients.csv"]


@pytest.mark.parametrize("name", [*SECOND, "trainset/trainset_true (2).csv"])
def test_a_second_table_is_a_fault_where_it_differs(tmp_path: Path, name: str) -> None:
    lay_out(tmp_path)
    header = "ID,LABEL,GENDER,DOB,LYMPH_COUNT\n"
    (tmp_path / "clinical_annotation.csv").write_text(header)
    (tmp_path / name).write_text(header)
    (tmp_path / "notes.csv").write_text("what,when\n")
    assert read_layout(tmp_path).faults == ()
    (tmp_path / name).write_text(f"{header}P1,1,M,1/1/1950,5\n")
    assert [fault.patient for fault in read_layout(tmp_path).faults] == [name]


def test_a_sample_submission_that_may_not_be_read_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("lymphokit.cohort.layout.read_regular", refused)
    (fault,) = read_layout(lay_out(tmp_path)).faults
    assert fault.patient == "sample_submission.csv"
    assert "Permission denied" in fault.finding

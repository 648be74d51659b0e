"""Which raw data is used, and whose results are whose."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lymphokit.cohort.raw import (
    COMPETITION,
    DOWNLOAD,
    SET_TABLES,
    TABLE,
    RawChoice,
    claim,
    find_home,
    locate,
    locate_cells,
    record_table,
    table_digest,
    tables_among,
)
from lymphokit.errors import CohortError, ConfigError

SOURCE = Path(__file__).parents[2] / "src"


def folder(path: Path, table: str = "one") -> Path:
    (path / "trainset").mkdir(parents=True)
    (path / TABLE).write_text(table)
    return path


def zipped(path: Path, table: str = "one", wrapper: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(wrapper + TABLE, table)
        file.writestr(wrapper + "trainset/P1/000000.jpg", "pixels")
    return path


def test_auto_without_a_download_is_the_simulated_cohort(tmp_path: Path) -> None:
    choice = locate("auto", tmp_path)
    assert (choice.cohort, choice.source, choice.is_zip) == ("demo", None, False)
    assert "the simulated cohort" in choice.sentence()
    assert f"data/raw/{COMPETITION}" in choice.sentence()
    assert "\n" not in choice.sentence()


def test_auto_takes_the_downloaded_folder_before_the_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path / DOWNLOAD.with_name(f"{COMPETITION}.zip"))
    assert locate("auto", tmp_path) == RawChoice(
        COMPETITION, path, True, locate("auto", tmp_path).because
    )
    home = folder(tmp_path / DOWNLOAD)
    choice = locate("auto", tmp_path)
    assert (choice.source, choice.is_zip) == (home, False)
    assert str(home) in choice.sentence()


def test_demo_is_the_simulated_cohort_though_a_download_is_there(tmp_path: Path) -> None:
    folder(tmp_path / DOWNLOAD)
    assert locate("demo", tmp_path).source is None


@pytest.mark.parametrize(
    ("name", "cohort"),
    [
        ("My data_v1.2", "my-data-v1-2"),
        ("Hémato", "hemato"),
        ("数据", "cohort"),
        ("..odd..", "odd"),
    ],
)
def test_a_cohort_is_named_after_its_folder(tmp_path: Path, name: str, cohort: str) -> None:
    folder(tmp_path / name)
    assert locate(name, tmp_path).cohort == cohort
    assert locate(str(tmp_path / name), Path("/elsewhere")).cohort == cohort


def test_a_cohort_is_named_after_its_zip(tmp_path: Path) -> None:
    zipped(tmp_path / "Lyon.2021.ZIP")
    choice = locate("Lyon.2021.ZIP", tmp_path)
    assert (choice.cohort, choice.is_zip) == ("lyon-2021", True)


@pytest.mark.parametrize("raw", ["nowhere", "table.csv", "", " ", "Auto"])
def test_a_path_to_no_data_is_an_error_that_names_where_it_was_looked_for(
    tmp_path: Path, raw: str
) -> None:
    (tmp_path / "table.csv").write_text("a file, but no zip")
    with pytest.raises(ConfigError) as error:
        locate(raw, tmp_path)
    assert str(tmp_path / raw) in str(error.value)
    assert "auto, demo, or the path" in str(error.value)


BAD_PATHS = ["a{b}c", "{cohort}", "open{", "~nobody-of-this-name/x", "x" * 300, "null\0character"]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_the_workflow_cannot_use_is_refused_by_the_name_of_its_setting(
    tmp_path: Path, path: str
) -> None:
    if "{" in path:
        folder(tmp_path / path)
    choice = RawChoice("lyon", tmp_path, False, "")
    with pytest.raises(ConfigError, match="raw: "):
        locate(path, tmp_path)
    with pytest.raises(ConfigError, match="labelled_cells: "):
        locate_cells(path, choice, tmp_path, key="labelled_cells", published="x", simulated="x")


def test_a_home_folder_is_followed_in_every_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    home = folder(tmp_path / "lyon")
    choice = locate("~/lyon", Path("/elsewhere"))
    assert choice.source == home
    cells = locate_cells("~/lyon", choice, Path("/x"), key="k", published="x", simulated="x")
    assert cells == home


def test_a_link_without_a_target_is_named_with_its_target(tmp_path: Path) -> None:
    (tmp_path / "lyon").symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError, match="gone"):
        locate("lyon", tmp_path)


def test_raw_imports_neither_pandas_nor_numpy() -> None:
    code = (
        "import sys, lymphokit.cohort.raw; "
        "assert not {'pandas', 'numpy', 'natsort'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(SOURCE)})


def read(raw: Path, results: Path) -> Path:
    """What the rule `check` does once it has read the table; the record."""
    record = results / "lyon" / "source.json"
    (record.parent / "cohort").mkdir(exist_ok=True)
    record_table(record, table_digest(raw))
    return record


def test_a_claim_records_the_source_once_and_the_table_when_it_was_read(tmp_path: Path) -> None:
    raw = folder(tmp_path / "lyon")
    choice = locate(str(raw), tmp_path)
    claim(choice, tmp_path / "results")
    record = tmp_path / "results" / "lyon" / "source.json"
    assert json.loads(record.read_text()) == {"path": str(raw), "sha256": None}
    assert [path.name for path in record.parent.iterdir()] == ["source.json"]
    read(raw, tmp_path / "results")
    assert len(json.loads(record.read_text())["sha256"]) == 64
    before = record.stat().st_mtime_ns, record.stat().st_ino
    claim(choice, tmp_path / "results")
    read(raw, tmp_path / "results")
    assert (record.stat().st_mtime_ns, record.stat().st_ino) == before


def test_a_table_that_no_run_has_read_is_not_recorded(tmp_path: Path) -> None:
    raw, results = folder(tmp_path / "lyon"), tmp_path / "results"
    claim(locate(str(raw), tmp_path), results)
    record = read(raw, results)
    before = record.read_bytes()
    (raw / TABLE).write_text("corrected")
    claim(locate(str(raw), tmp_path), results)
    assert record.read_bytes() == before
    read(raw, results)
    assert json.loads(record.read_text())["sha256"] == table_digest(raw)


def test_another_cohort_of_the_same_name_is_refused_and_both_are_named(tmp_path: Path) -> None:
    first, second = folder(tmp_path / "a" / "lyon"), folder(tmp_path / "b" / "lyon", "two")
    claim(locate(str(first), tmp_path), tmp_path / "results")
    record = read(first, tmp_path / "results")
    before = record.read_bytes()
    with pytest.raises(ConfigError, match="rename") as error:
        claim(locate(str(second), tmp_path), tmp_path / "results")
    assert str(first) in str(error.value)
    assert str(second) in str(error.value)
    assert record.read_bytes() == before


def test_a_download_that_was_never_read_holds_no_folder(tmp_path: Path) -> None:
    first, second = folder(tmp_path / "a" / "lyon"), folder(tmp_path / "b" / "lyon", "two")
    claim(locate(str(first), tmp_path), tmp_path / "results")
    claim(locate(str(second), tmp_path), tmp_path / "results")
    record = json.loads((tmp_path / "results" / "lyon" / "source.json").read_text())
    assert record == {"path": str(second), "sha256": None}


def test_a_moved_cohort_keeps_its_results(tmp_path: Path) -> None:
    first, second = folder(tmp_path / "a" / "lyon"), folder(tmp_path / "b" / "lyon")
    results = tmp_path / "results"
    claim(locate(str(first), tmp_path), results)
    read(first, results)
    claim(locate(str(second), tmp_path), results)
    (second / TABLE).write_text("mended")  # known by its new place from now on
    claim(locate(str(second), tmp_path), results)
    read(second, results)
    with pytest.raises(ConfigError):
        claim(locate(str(first), tmp_path), results)


def test_a_zip_and_the_folder_unzipped_from_it_are_the_same_cohort(tmp_path: Path) -> None:
    results = tmp_path / "results"
    path = zipped(tmp_path / "lyon.zip", wrapper="lyon/")
    claim(locate(str(path), tmp_path), results)
    home = folder(tmp_path / "wrapped" / "lyon" / "inside")
    record = read(home, results)
    claim(locate(str(home.parent), tmp_path), results)
    assert json.loads(record.read_text())["path"] == str(home.parent)
    claim(locate(str(path), tmp_path), results)
    assert json.loads(record.read_text())["path"] == str(path)


def test_a_folder_called_demo_cannot_take_the_simulated_cohorts_results(tmp_path: Path) -> None:
    claim(locate("demo", tmp_path), tmp_path / "results")
    claim(locate("demo", tmp_path), tmp_path / "results")
    record_table(tmp_path / "results" / "demo" / "source.json", "0" * 64)
    with pytest.raises(ConfigError, match="the simulated cohort"):
        claim(locate(str(folder(tmp_path / "Demo")), tmp_path), tmp_path / "results")


def test_two_cohorts_without_a_table_are_not_the_same(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place / "lyon" / "trainset").mkdir(parents=True)
    claim(locate("a/lyon", tmp_path), tmp_path / "results")
    read(tmp_path / "a" / "lyon", tmp_path / "results")
    with pytest.raises(ConfigError):
        claim(locate("b/lyon", tmp_path), tmp_path / "results")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"path": "x"}', "\xff{"])
def test_a_record_that_cannot_be_read_is_an_error_with_a_remedy(
    tmp_path: Path, content: str
) -> None:
    record = tmp_path / "results" / "demo" / "source.json"
    record.parent.mkdir(parents=True)
    record.write_text(content, encoding="latin-1")
    with pytest.raises(ConfigError, match="delete it"):
        claim(locate("demo", tmp_path), tmp_path / "results")


def test_a_damaged_zip_cannot_claim_anything(tmp_path: Path) -> None:
    (tmp_path / "lyon.zip").write_bytes(b"not a zip")
    with pytest.raises(CohortError, match=r"lyon\.zip: is damaged or not a zip"):
        claim(locate("lyon.zip", tmp_path), tmp_path / "results")


def test_the_sets_tables_stand_in_for_the_clinical_table() -> None:
    assert tables_among([*SET_TABLES, TABLE, "x.csv"]) == [TABLE]
    assert tables_among([*reversed(SET_TABLES)]) == list(SET_TABLES)
    assert tables_among(["x.csv"]) == []


def test_one_wrapping_folder_is_seen_through_and_two_are_not(tmp_path: Path) -> None:
    assert find_home(tmp_path) == tmp_path
    inside = folder(tmp_path / "inside")
    (tmp_path / "other").mkdir()
    assert find_home(tmp_path) == inside
    folder(tmp_path / "second")
    assert find_home(tmp_path) == tmp_path

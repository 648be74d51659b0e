"""What a person types, and the newest two: which files are meant."""

import os
from pathlib import Path

import pytest

from lymphokit.submission.csv_files import SubmissionError
from lymphokit.submission.ledger import COLUMNS
from lymphokit.submission.named_files import newest_two, submission_path, submission_paths

PATIENTS = "ID,LABEL\nP1,1\nP2,0\n"
OTHERS = "ID,LABEL\nQ1,1\nQ2,0\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "submissions").mkdir()
    return Path("submissions")


def write(path: Path, text: str = PATIENTS, age: int = 0) -> Path:
    path.write_text(text)
    os.utime(path, (1_700_000_000 - age,) * 2)
    return path


def ledger(path: Path) -> Path:
    return write(path, ",".join(COLUMNS) + "\n")


def test_newest_follows_the_time_in_the_name_and_not_that_of_the_file(here: Path) -> None:
    names = ["20261101T000000Z_a_x.csv", "20261103T000000Z_a_x.csv", "20261102T000000Z_a_x.csv"]
    for age, name in enumerate(names):
        write(here / name, age=-age)
    assert [path.name for path in newest_two()] == [names[2], names[1]]


def test_a_second_file_of_the_same_second_is_the_newer_one(here: Path) -> None:
    for end in ("", "-2", "-10"):
        write(here / f"20261101T000000Z_a_x{end}.csv")
    assert [path.stem[-3:] for path in newest_two()] == ["x-2", "-10"]


def test_other_files_count_by_their_time_and_ledgers_and_folders_do_not(here: Path) -> None:
    old, new = write(here / "mine.csv", age=9), write(here / "edited.csv")
    ledger(here / "ledger.csv")
    ledger(here / "ledger copy.csv")
    (here / "folder.csv").mkdir()
    assert newest_two() == [old, new]


def test_the_newest_is_set_against_one_of_the_same_patients(here: Path) -> None:
    first = write(here / "20261101T000000Z_demo_x.csv")
    write(here / "20261102T000000Z_real_x.csv", OTHERS)
    last = write(here / "20261103T000000Z_demo_x.csv")
    assert newest_two() == [first, last]
    first.unlink()
    with pytest.raises(SubmissionError, match=last.name):
        newest_two()


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_are_refused_with_the_command_that_writes_one(here: Path, n: int) -> None:
    for number in range(n):
        write(here / f"{number}.csv")
    with pytest.raises(SubmissionError, match=f"holds {n}: .*snakemake submission"):
        newest_two()


def test_a_missing_folder_holds_none(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="holds 0"):
        newest_two(tmp_path / "gone")


@pytest.mark.parametrize(
    "typed", ["a", "a.csv", "submissions/a", "submissions/a/", "submissions/a.csv"]
)
def test_a_name_a_folder_and_a_path_all_mean_the_csv(here: Path, typed: str) -> None:
    write(here / "a.csv")
    (here / "a").mkdir()
    assert submission_path(Path(typed)) == here / "a.csv"


def test_a_pattern_that_no_shell_expanded_is_expanded_without_ledgers(here: Path) -> None:
    files = [write(here / f"{name}.csv") for name in ("a", "b2", "b10")]
    ledger(here / "ledger.csv")
    ledger(here / "old.csv")
    assert submission_paths([here / "*.csv"]) == files
    assert submission_paths([*files, here / "ledger.csv"]) == files
    assert submission_paths([here / "b[0-9].csv"]) == [files[1]]


@pytest.mark.parametrize("typed", ["none*.csv", "[/x]", "", "missing", "\0*", "x" * 300])
def test_what_is_not_there_is_kept_for_the_reader_to_report(here: Path, typed: str) -> None:
    assert submission_paths([Path(typed)]) == [Path(typed)]


def test_a_file_with_brackets_in_its_name_is_itself(here: Path) -> None:
    file = write(here / "[ab].csv")
    write(here / "a.csv")
    assert submission_paths([file]) == [file]

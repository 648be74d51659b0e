"""The folder of a submission: what is in it, when it counts, and damage to it."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from lymphokit.config import read_yaml
from lymphokit.errors import LymphokitError
from lymphokit.files import read_json
from lymphokit.submission.csv_files import read_submission
from lymphokit.submission.run_folder import Run, read_run
from tests.submission.runs import SCORES, SETTINGS, decided, with_folder

LABELS, CALLS = [1, 0, 1, 0], [1, 0, 0, 0]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "20261123T141530Z_demo_stack.v2.csv"
    path.write_text("ID,LABEL\nP0,1\nP1,0\n")
    return path


def run_of(csv: Path) -> Run:
    run = read_run(read_submission(csv))
    assert run is not None
    return run


def test_the_folder_brings_back_settings_scores_decisions_and_receipt(csv: Path) -> None:
    table = pd.concat([decided(LABELS, CALLS), decided(LABELS, LABELS, model="vote")])
    folder = with_folder(csv, table)
    assert folder == csv.parent / "20261123T141530Z_demo_stack.v2"
    assert {file.name for file in folder.iterdir()} == {
        "config.yaml",
        "scores.csv",
        "oof.csv",
        "receipt.json",
    }
    assert read_yaml(folder / "config.yaml") == SETTINGS
    assert (folder / "scores.csv").read_text() == SCORES
    assert read_json(folder / "receipt.json")["file"] == str(csv)
    everyone = pd.read_csv(folder / "oof.csv")
    assert everyone["model"].value_counts().to_dict() == {"stack": 4, "vote": 4}
    assert set(everyone["part"]) == {"validation"}
    found = run_of(csv).decisions()
    assert found["decision"].tolist() == CALLS
    assert found["label"].tolist() == LABELS


def test_without_a_folder_or_after_a_change_of_the_csv_there_is_no_run(csv: Path) -> None:
    assert read_run(read_submission(csv)) is None
    with_folder(csv, decided(LABELS, CALLS))
    csv.write_text("ID,LABEL\nP0,0\nP1,0\n")
    assert read_run(read_submission(csv)) is None


DAMAGE: dict[str, Callable[[str], str]] = {
    "empty": lambda text: text[:0],
    "no column": lambda text: text.replace("decision", "call"),
    "cut": lambda text: text[: len(text) // 2],
    "no number": lambda text: text.replace(",100,", ",many,"),
    "a third label": lambda text: (
        text.replace("validation,0", "validation,1", 1) + "1,1,T9,"
        "validation,-1,stack,100,0.5,0.5,1\n"
    ),
    "a patient twice": lambda text: text + text.splitlines()[-1] + "\n",
    "another model": lambda text: text.replace("stack", "vote"),
    "a null": lambda text: text + "\0",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_table_is_named(csv: Path, damage: str) -> None:
    path = with_folder(csv, decided(LABELS, CALLS)) / "oof.csv"
    path.write_text(DAMAGE[damage](path.read_text()))
    with pytest.raises(LymphokitError, match=r"oof\.csv"):
        run_of(csv).decisions()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"sha256": 1}'])
def test_a_damaged_receipt_is_named(csv: Path, content: bytes) -> None:
    path = with_folder(csv, decided(LABELS, CALLS)) / "receipt.json"
    path.write_bytes(content)
    with pytest.raises(LymphokitError, match=r"receipt\.json"):
        read_run(read_submission(csv))

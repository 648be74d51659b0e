import csv
import multiprocessing
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lymphokit.evaluation.uncertainty import score_table, widening
from lymphokit.submission.csv_files import Submission, read_submission
from lymphokit.submission.ledger import (
    COLUMNS,
    Entry,
    LedgerError,
    append,
    effective_sample_size,
    enter_scores,
    oof_figures,
    read_ledger,
)

SCORES = pd.DataFrame(
    {
        "model": ["mean", "stack"],
        "balanced_accuracy": [0.7, 0.81],
        "low": [0.6, 0.73],
        "high": [0.8, 0.88],
        "f1": [0.75, 0.86],
        "recall": [0.74, 0.85],
        "precision": [0.76, 0.87],
        "auc": [0.8, 0.9],
        "auc_low": [0.7, 0.83],
        "auc_high": [0.9, 0.95],
        "n_patients": [121, 121],
    }
)

DECISIONS = pd.DataFrame(
    {
        "model": "stack",
        "part": ["validation"] * 5 + ["test"],
        "patient": ["P1", "P2", "P3", "P1", "P2", "P9"],  # P1 and P2 in two repeats
        "label": [1, 0, 1, 1, 0, -1],
        "n_fitted": 6,
    }
)


def entry(file: str = "a.csv") -> Entry:
    return Entry(
        file=file,
        sha256="ab" * 32,
        commit="0123456789ab-dirty",
        config_digest="c0ffee",
        folds_digest="f01d",
        cohort="dlmi",
        blend="stack",
        machine="a processor, no GPU",
        utc="20261123T141530Z",
        **oof_figures(SCORES, DECISIONS, "stack"),
    )


def append_many(path: Path, first: int, n: int) -> None:
    for number in range(first, first + n):
        append(path, entry(f"{number}.csv"))


def test_a_row_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "submissions" / "ledger.csv"
    append(path, entry())
    append(path, replace(entry("b, c.csv"), oof_auc=float("nan")))
    table = read_ledger(path)
    assert table.columns.tolist() == list(COLUMNS)
    assert table["file"].tolist() == ["a.csv", "b, c.csv"]
    assert table.loc[0, "oof_balanced_accuracy_low"] == 0.73
    assert table.loc[0, "oof_auc_high"] == 0.95
    assert table.loc[0, "oof_tumoral_share"] == pytest.approx(2 / 3, abs=1e-6)
    assert table.loc[0, "oof_effective_sample_size"] == pytest.approx(2)
    assert table["oof_auc"].isna().tolist() == [False, True]
    assert table["board_public"].isna().all()
    assert table["commit"].tolist() == ["0123456789ab-dirty"] * 2
    assert table["oof_f1"].dtype == np.float64


def test_no_ledger_reads_as_an_empty_one(tmp_path):
    table = read_ledger(tmp_path / "ledger.csv")
    assert len(table) == 0
    assert table.columns.tolist() == list(COLUMNS)


def test_several_processes_append_without_losing_a_row(tmp_path):
    path = tmp_path / "ledger.csv"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=append_many, args=(path, 10 * i, 10)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert sorted(read_ledger(path)["file"]) == sorted(f"{number}.csv" for number in range(40))


def _killed_before_the_rename(path: Path) -> None:
    Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    append(path, entry("lost.csv"))


def test_a_killed_process_loses_nothing_and_blocks_nobody(tmp_path):
    path = tmp_path / "ledger.csv"
    append(path, entry("first.csv"))
    before = path.read_bytes()
    worker = multiprocessing.get_context("fork").Process(
        target=_killed_before_the_rename, args=(path,)
    )
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    assert path.read_bytes() == before
    append(path, entry("second.csv"))
    assert read_ledger(path)["file"].tolist() == ["first.csv", "second.csv"]


def edited(path: Path, edit) -> None:
    """As a person does in a spreadsheet: all rows read, changed, written with its endings."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    edit(rows)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows(rows)  # CRLF, as spreadsheets write


def test_what_a_person_entered_is_kept_byte_for_byte(tmp_path):
    path = tmp_path / "ledger.csv"
    append(path, entry("a.csv"))

    def add_a_note_and_a_score(rows):
        rows[0].insert(2, "my note")
        rows[1].insert(2, 'looks "good",\nbut overfits, é')
        rows[1][rows[0].index("board_public")] = "0.85714"

    edited(path, add_a_note_and_a_score)
    before = path.read_bytes()
    append(path, entry("b.csv"))
    assert path.read_bytes().startswith(before)
    assert path.read_bytes().count(b"\r\n") == before.count(b"\r\n") + 1
    table = read_ledger(path)
    assert table["my note"].str.replace("\r\n", "\n").tolist() == [
        'looks "good",\nbut overfits, é',
        "",
    ]
    assert table.loc[0, "board_public"] == 0.85714
    assert np.isnan(table.loc[1, "board_public"])
    assert table["file"].tolist() == ["a.csv", "b.csv"]
    assert table["utc"].tolist() == ["20261123T141530Z"] * 2


def test_columns_may_stand_in_any_order_and_the_last_line_may_lack_its_end(tmp_path):
    path = tmp_path / "ledger.csv"
    append(path, entry("a.csv"))
    edited(path, lambda rows: [row.reverse() for row in rows])
    path.write_bytes(path.read_bytes().rstrip())
    append(path, entry("b.csv"))
    table = read_ledger(path)
    assert table["file"].tolist() == ["a.csv", "b.csv"]
    assert table["oof_recall"].tolist() == [0.85, 0.85]


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda text: text.replace(b"sha256", b"hash"), "lacks sha256"),
        (lambda text: text.replace(b",", b";"), "lacks file"),
        (lambda text: text.replace(b"commit,", b"file,"), "lacks commit"),
        (lambda text: text.replace(b"file,", b"x,x,", 1).replace(b"a.csv", b"a,b"), "lacks file"),
        (lambda text: re.sub(rb"(?m)^(\w)", rb"file,\1", text), "has twice file"),
        (lambda text: text[:-20] + b"\n", "row 2, 'a.csv', has 19 fields"),
        (lambda text: text + b'"half a', "CSV"),
        (lambda text: text.replace(b"dlmi", b"caf\xe9"), "UTF-8"),
    ],
)
def test_a_damaged_ledger_is_refused_and_left_alone(tmp_path, damage, finding):
    path = tmp_path / "ledger.csv"
    append(path, entry())
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=finding):
        append(path, entry("b.csv"))
    with pytest.raises(LedgerError, match=finding):
        read_ledger(path)
    assert path.read_bytes() == before


def submitted(path: Path, label: int = 1) -> Submission:
    path.write_text(f"ID,LABEL\nP1,{label}\n")
    return read_submission(path)


def with_rows(folder: Path, *files: Submission) -> Path:
    path = folder / "ledger.csv"
    for file in files:
        append(path, replace(entry(file.path.name), sha256=file.sha256))
    return path


def test_a_score_goes_into_the_row_of_its_file_and_no_other_byte_changes(tmp_path):
    a, b = submitted(tmp_path / "a.csv"), submitted(tmp_path / "b.csv", 0)
    path = with_rows(tmp_path, a, b)

    def as_a_person_does(rows):
        rows[0].insert(2, "my note")
        rows[1].insert(2, 'two\r\nlines, "quoted", é')
        rows[2].insert(2, "")
        rows[1][rows[0].index("board_private")] = "0.5"

    edited(path, as_a_person_does)
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\r\n\r\n", 1))  # an empty line
    before = path.read_bytes()
    enter_scores(path, b, {"board_public": 0.857})
    table = read_ledger(path)
    assert table["board_public"].tolist()[1] == 0.857
    assert np.isnan(table.loc[0, "board_public"])
    assert np.isnan(table.loc[1, "board_private"])
    assert path.read_bytes() == before[: -len(b",\r\n")] + b"0.857,\r\n"
    enter_scores(path, a, {"board_public": 1.0, "board_private": 0.0})
    table = read_ledger(path)
    assert table["board_public"].tolist() == [1.0, 0.857]
    assert table.loc[0, "board_private"] == 0.0
    assert table.loc[0, "my note"] == 'two\r\nlines, "quoted", é'


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_the_end_of_the_last_line_stays_as_it_was(tmp_path, end):
    file = submitted(tmp_path / "a.csv")
    path = with_rows(tmp_path, file)
    lines = path.read_bytes().rstrip().replace(b"\n", end or b"\n")
    path.write_bytes(lines + end)
    enter_scores(path, file, {"board_private": 0.25})
    assert path.read_bytes() == lines + b"0.25" + end


def test_of_two_rows_with_one_content_that_of_the_name_gets_the_score(tmp_path):
    a, b = submitted(tmp_path / "a.csv"), submitted(tmp_path / "b.csv")
    path = with_rows(tmp_path, a, b)
    enter_scores(path, a, {"board_public": 0.5})
    table = read_ledger(path)
    assert table["board_public"].fillna(-1).tolist() == [0.5, -1]


def test_a_score_of_a_file_that_the_ledger_lacks_changes_nothing(tmp_path):
    a, stranger = submitted(tmp_path / "a.csv"), submitted(tmp_path / "b.csv", 0)
    path = with_rows(tmp_path, a)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=r"b\.csv has no row in .*ledger\.csv"):
        enter_scores(path, stranger, {"board_public": 0.5})
    changed = submitted(tmp_path / "a.csv", 0)
    with pytest.raises(LedgerError, match=r"a\.csv was changed"):
        enter_scores(path, changed, {"board_public": 0.5})
    assert path.read_bytes() == before


@pytest.mark.parametrize("score", ["0,8571", "85.7", "good"])
def test_an_error_in_a_board_score_names_the_submission(tmp_path, score):
    path = tmp_path / "ledger.csv"
    append(path, entry("a.csv"))
    edited(path, lambda rows: rows[1].__setitem__(rows[0].index("board_public"), score))
    with pytest.raises(LedgerError, match=r"board_public of a\.csv"):
        read_ledger(path)
    append(path, entry("b.csv"))  # adding a row does not need the scores


def test_a_linked_ledger_stays_a_link(tmp_path):
    real, link = tmp_path / "real.csv", tmp_path / "ledger.csv"
    append(real, entry("a.csv"))
    link.symlink_to(real)
    append(link, entry("b.csv"))
    assert link.is_symlink()
    assert read_ledger(real)["file"].tolist() == ["a.csv", "b.csv"]


def test_the_mode_of_the_ledger_is_kept(tmp_path):
    path = tmp_path / "ledger.csv"
    append(path, entry("a.csv"))
    path.chmod(0o640)
    append(path, entry("b.csv"))
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_blend_without_a_score_is_refused():
    with pytest.raises(LedgerError, match="vote"):
        oof_figures(SCORES, DECISIONS, "vote")


def test_the_effective_sample_size_is_that_of_the_widened_interval():
    assert effective_sample_size(121, 96.8) == pytest.approx(121 / widening(121, 96.8) ** 2)
    assert effective_sample_size(121, np.inf) == 121


def test_so_many_independent_patients_give_an_interval_as_wide():
    """Oracle: the binomial variance of recall and of specificity."""
    truth = np.array([1] * 84 + [0] * 37)
    decided = np.array([1] * 71 + [0] * 13 + [0] * 32 + [1] * 5)
    patients = [f"P{i}" for i in range(121)]
    decisions = pd.DataFrame({"patient": patients, "label": truth, "decision": decided}).assign(
        fold=1, repeat=1, part="validation", model="stack", n_fitted=96.8, threshold=0.5
    )
    decisions["probability"] = decided.astype(float)
    scores = score_table(decisions, ["stack"], resamples=2000, level=0.95, seed=1)
    figures = oof_figures(scores, decisions, "stack")
    share, n = figures["oof_tumoral_share"], figures["oof_effective_sample_size"]
    assert share == pytest.approx(84 / 121)
    recall, specificity = 71 / 84, 32 / 37
    variance = recall * (1 - recall) / (4 * share * n)
    variance += specificity * (1 - specificity) / (4 * (1 - share) * n)
    high, low = (figures[f"oof_balanced_accuracy_{end}"] for end in ("high", "low"))
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.06)

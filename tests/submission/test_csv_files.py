import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from lymphokit.submission.csv_files import (
    SubmissionError,
    read_submission,
    read_submissions,
    submission_name,
    write_submission,
)

IDS = ["P10", "P2", "P1"]
LABELS = [1, 0, 1]
HEADER = ("Id", "Predicted")
GOOD = "ID,LABEL\nP1,1\nP2,0\n"


def test_the_file_holds_the_cohorts_header_and_natural_order(tmp_path):
    path = write_submission(tmp_path / "a.csv", HEADER, IDS, LABELS, test_patients=IDS)
    assert path.read_bytes() == b"Id,Predicted\nP1,1\nP2,0\nP10,1\n"


@pytest.mark.parametrize(
    "labels",
    [np.array([1, 0, 1]), np.array([1.0, 0.0, 1.0]), [True, False, True], pd.Series(LABELS)],
)
def test_labels_are_written_as_whole_numbers(tmp_path, labels):
    path = write_submission(tmp_path / "a.csv", ("ID", "LABEL"), IDS, labels, test_patients=IDS)
    assert path.read_text() == "ID,LABEL\nP1,1\nP2,0\nP10,1\n"


@pytest.mark.parametrize(
    ("ids", "labels", "finding"),
    [
        (["P10", "P2"], [1, 0], "without a label: P1"),
        (["P10", "P2", "P1", "P2"], [1, 0, 1, 0], "more than once: P2"),
        ([*IDS, "P99"], [*LABELS, 1], "not in the test set: P99"),
        (IDS, [1, 0, 2], "other than 0 and 1, for: P1"),
        (IDS, [1, 0, -1], "other than 0 and 1, for: P1"),
        (IDS, [1, 0, 0.5], "other than 0 and 1, for: P1"),
        (IDS, [1, 0, float("nan")], "other than 0 and 1, for: P1"),
    ],
)
def test_what_the_board_would_misread_is_refused_and_not_written(tmp_path, ids, labels, finding):
    with pytest.raises(SubmissionError, match=finding):
        write_submission(tmp_path / "a.csv", HEADER, ids, labels, test_patients=IDS)
    assert not (tmp_path / "a.csv").exists()


def test_all_faults_are_named_at_once_and_long_lists_are_cut(tmp_path):
    many = [f"P{i}" for i in range(30)]
    with pytest.raises(SubmissionError) as caught:
        write_submission(
            tmp_path / "a.csv", HEADER, ["P2", "P2", "X"], [0, 0, 7], test_patients=many
        )
    message = str(caught.value)
    assert "P0, P1, P3" in message
    assert "and 19 more" in message
    assert "more than once: P2" in message
    assert "not in the test set: X" in message
    assert "other than 0 and 1, for: X" in message


def test_a_submission_of_the_same_second_is_kept(tmp_path):
    first = write_submission(tmp_path / "a.csv", HEADER, IDS, LABELS, test_patients=IDS)
    before = first.read_bytes()
    others = [1, 1, 1]
    second = write_submission(tmp_path / "a.csv", HEADER, IDS, others, test_patients=IDS)
    third = write_submission(tmp_path / "a.csv", HEADER, IDS, others, test_patients=IDS)
    assert [path.name for path in (first, second, third)] == ["a.csv", "a-2.csv", "a-3.csv"]
    assert first.read_bytes() == before


def test_many_at_once_lose_none(tmp_path):
    def submit(_: int) -> str:
        path = write_submission(tmp_path / "a.csv", HEADER, IDS, LABELS, test_patients=IDS)
        return path.name

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(submit, range(16)))
    assert len(set(names)) == 16
    assert {path.name for path in tmp_path.glob("*.csv")} == set(names)


def test_the_name_is_utc_cohort_and_blend():
    paris = dt.timezone(dt.timedelta(hours=1))
    now = dt.datetime(2026, 11, 23, 15, 15, 30, tzinfo=paris)
    assert submission_name(now, "dlmi", "stack") == "20261123T141530Z_dlmi_stack.csv"
    assert submission_name(now, "../a b", "m_i") == "20261123T141530Z_a-b_m-i.csv"


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "Id,Predicted\nP2,0\nP1,1\n",
        "id,label\r\nP2,0.0\r\nP1, 1\r\n\r\n",
        "\ufeffID,LABEL\nP1,1\nP2,0",
    ],
)
def test_both_headers_any_order_and_a_spreadsheets_ways_are_read(tmp_path, text):
    file = read_submission(written(tmp_path / "a.csv", text))
    assert file.patients == ("P1", "P2")
    assert file.labels.tolist() == [1, 0]


@pytest.mark.parametrize("label", ["LABEL", "Predicted", "malignant", "class name"])
def test_what_is_written_is_read(tmp_path, label):
    ids = ["P10", "P2", "P1"]
    path = write_submission(tmp_path / "a.csv", ("Id", label), ids, [1, 0, 1], test_patients=ids)
    file = read_submission(path)
    assert dict(zip(file.patients, file.labels, strict=True)) == {"P1": 1, "P2": 0, "P10": 1}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("ID,LABEL\nP1,1\nP2,0\nP1,1\n", r"more than once: P1"),
        ("ID,LABEL\nP1,1\nP2,2\n", r"other than 0 and 1, for: P2"),
        ("ID,LABEL\nP1,0.7\nP2,1\n", r"other than 0 and 1, for: P1"),
        ("ID,LABEL\nP1,\nP2,1\n", r"other than 0 and 1, for: P1"),
        ("ID,LABEL\nP1,tumoral\n", r"other than 0 and 1, for: P1"),
        ("ID;LABEL\nP1;1\n", r"first line is 'ID;LABEL'.*with a comma"),
        ("P1,1\nP2,0\n", r"first line is 'P1,1'.*header"),
        ("ID,LABEL\nP1,1,1\n", r"row 2, 'P1', has 3 fields"),
        ("ID,LABEL\n", "no patient in it"),
        ("", "first line is ''"),
    ],
)
def test_what_is_no_submission_is_refused_with_file_patient_and_remedy(tmp_path, text, finding):
    path = written(tmp_path / "wrong.csv", text)
    with pytest.raises(SubmissionError, match=finding) as caught:
        read_submission(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_file_that_is_not_text_are_refused(tmp_path):
    with pytest.raises(SubmissionError, match="is the path right"):
        read_submission(tmp_path / "gone.csv")
    with pytest.raises(SubmissionError, match="is the path right"):
        read_submission(tmp_path)
    with pytest.raises(SubmissionError, match="UTF-8"):
        read_submission(written(tmp_path / "a.csv", GOOD, "utf-16"))


def test_a_file_of_other_patients_is_refused_by_name(tmp_path):
    odd = written(tmp_path / "odd.csv", "ID,LABEL\nP1,1\nP9,0\n")
    others = [written(tmp_path / name, GOOD) for name in ("a.csv", "b.csv")]
    with pytest.raises(SubmissionError, match=r"odd\.csv .* than .*a\.csv") as caught:
        read_submissions([*others, odd])
    assert "without a label: P2" in str(caught.value)
    assert "not in the test set: P9" in str(caught.value)


def test_one_file_is_not_a_comparison(tmp_path):
    with pytest.raises(SubmissionError, match="two or more"):
        read_submissions([written(tmp_path / "a.csv", GOOD)])

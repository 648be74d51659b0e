import pytest

from lymphokit.submission.read import read_submission, read_submissions
from lymphokit.submission.write import SubmissionError, write_submission

GOOD = "ID,LABEL\nP1,1\nP2,0\n"


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


def test_what_is_written_is_read(tmp_path):
    ids = ["P10", "P2", "P1"]
    path = write_submission(
        tmp_path / "a.csv", ("Id", "Predicted"), ids, [1, 0, 1], test_patients=ids
    )
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


def test_the_file_whose_patients_are_others_is_the_one_that_is_named(tmp_path):
    odd = written(tmp_path / "odd.csv", "ID,LABEL\nP1,1\nP9,0\n")
    others = [written(tmp_path / name, GOOD) for name in ("a.csv", "b.csv")]
    with pytest.raises(
        SubmissionError, match=r"odd\.csv has other patients than .*a\.csv"
    ) as caught:
        read_submissions([odd, *others])
    assert "without a label: P2" in str(caught.value)
    assert "not in the test set: P9" in str(caught.value)


def test_one_file_is_not_a_comparison(tmp_path):
    with pytest.raises(SubmissionError, match="two or more"):
        read_submissions([written(tmp_path / "a.csv", GOOD)])

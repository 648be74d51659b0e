"""A submission goes to Kaggle once, its scores into the ledger; the server is on loopback."""

import json
from pathlib import Path

import pandas as pd
import pytest

from lymphokit.cli import main
from lymphokit.provenance import file_sha256
from lymphokit.submission.ledger import COLUMNS, read_ledger
from tests.desk.kaggle_server import TOKEN, Board, Server

NAMES = ("20261124T100000Z_real_product", "20261125T100000Z_real_vote")


def row(csv: Path) -> dict[str, object]:
    stamp, cohort, blend = csv.stem.split("_")
    figures = {name: 0.8 for name in COLUMNS if name.startswith("oof_")}
    figures["oof_effective_sample_size"] = 60.0
    texts = {"sha256": file_sha256(csv), "commit": "c0ffee", "config_digest": "5e771", "utc": stamp}
    return {"file": csv.name, "cohort": cohort, "blend": blend, **texts, **figures}


@pytest.fixture
def files(kit: Path) -> list[Path]:
    """Two submissions of the same patients and their ledger, the newer one last."""
    folder = kit / "submissions"
    folder.mkdir()
    paths = [folder / f"{name}.csv" for name in NAMES]
    for number, path in enumerate(paths):
        path.write_text(f"ID,LABEL\nP1,1\nP2,{number}\nP3,0\n")
    ledger = pd.DataFrame([row(path) for path in paths], columns=list(COLUMNS))
    ledger.to_csv(folder / "ledger.csv", index=False)
    return paths


def scores(kit: Path) -> list[list[float]]:
    ledger = read_ledger(kit / "submissions" / "ledger.csv")
    return [list(each) for each in ledger[["board_public", "board_private"]].to_numpy()]


def test_the_newest_is_sent_with_the_ledgers_message_and_its_scores_are_entered(
    kit: Path, files: list[Path], board: Board
) -> None:
    assert main(["submit"]) == 0
    assert board.uploads == [files[1].read_bytes()]
    (sent,) = board.submissions
    assert sent["fileName"] == files[1].name
    for part in ("vote", "0.800", "c0ffee", "5e771", file_sha256(files[1])[:12]):
        assert part in sent["description"]
    assert scores(kit)[1] == [0.857, 0.82]
    assert pd.isna(scores(kit)[0]).all()


def test_a_token_alone_is_enough(
    kit: Path, files: list[Path], board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert main(["submit"]) == 0
    assert scores(kit)[1] == [0.857, 0.82]


def test_a_private_score_that_is_hidden_is_left_empty(
    kit: Path, files: list[Path], board: Board
) -> None:
    board.scored = {"status": "COMPLETE", "publicScore": "0.75"}
    assert main(["submit", NAMES[0]]) == 0
    assert scores(kit)[0][0] == 0.75
    assert pd.isna(scores(kit)[0][1])


@pytest.mark.parametrize(
    "traces", ["all", "no ledger score", "no record", "another name", "by hand", "ledger alone"]
)
def test_what_was_sent_is_never_sent_again(
    kit: Path,
    files: list[Path],
    board: Board,
    traces: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["submit", str(files[1])]) == 0
    again, record = files[1], files[1].with_suffix("") / "kaggle.json"
    ledger = kit / "submissions" / "ledger.csv"
    if traces in ("no ledger score", "no record", "by hand"):
        ledger.write_text(ledger.read_text().replace("0.857,0.82", ","))
    if traces in ("no record", "by hand", "ledger alone"):
        record.unlink()
    if traces == "another name":
        again = kit / "submissions" / "mine.csv"
        again.write_bytes(files[1].read_bytes())
    if traces == "by hand":
        board.submissions[0]["description"] = ""
    if traces == "ledger alone":
        board.submissions.clear()
    is_new_to_the_ledger = traces in ("no ledger score", "no record", "by hand")
    assert main(["submit", str(again)]) == (0 if is_new_to_the_ledger else 1)
    printed = capsys.readouterr()
    assert len(board.uploads) == 1
    assert scores(kit)[1] == [0.857, 0.82]
    assert "0.857" in printed.out + printed.err


def test_a_score_that_comes_late_is_entered_by_the_same_command(
    kit: Path, files: list[Path], board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr("time.time", lambda: next(clock))
    board.scored = {"status": "PENDING"}
    assert main(["submit", "--wait", "5"]) == 0
    assert board.calls.count("GetSubmission") > 1
    assert pd.isna(scores(kit)[1]).all()
    board.submissions[0].update(status="COMPLETE", publicScore="0.9", privateScore="0.7")
    assert main(["submit"]) == 0
    assert (len(board.uploads), scores(kit)[1]) == (1, [0.9, 0.7])


def test_a_record_is_kept_before_the_wait(
    kit: Path, files: list[Path], board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.refusals["GetSubmission"] = (500, "broken")
    assert main(["submit"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    record = json.loads((files[1].with_suffix("") / "kaggle.json").read_text())
    assert (record["sha256"], record["ref"]) == (file_sha256(files[1]), 1)
    board.refusals.clear()
    assert main(["submit"]) == 0
    assert (len(board.uploads), scores(kit)[1]) == (1, [0.857, 0.82])


def test_one_that_kaggle_could_not_score_says_why_and_may_be_sent_again(
    kit: Path, files: list[Path], board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.scored = {"status": "ERROR", "errorDescription": "unexpected column"}
    assert main(["submit"]) == 1
    assert "unexpected column" in capsys.readouterr().err
    board.scored = {"status": "COMPLETE", "publicScore": "0.6"}
    assert main(["submit"]) == 0
    assert len(board.uploads) == 2


@pytest.mark.parametrize(
    "content",
    [
        "ID,LABEL\nP1,1\nP2,1\nP3,0.5\n",  # no label
        "ID,LABEL\nP1,1\nP1,1\nP3,0\n",  # a patient twice
        "ID;LABEL\nP1;1\n",
        "ID,LABEL\nP1,0\nP2,1\nP3,0\n",  # changed since the ledger recorded it
        "ID,LABEL\nSIM001,1\nSIM002,0\n",
        "",
    ],
)
def test_a_file_that_fails_the_check_is_not_sent(
    kit: Path, files: list[Path], board: Board, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files[1].write_text(content)
    assert main(["submit", str(files[1])]) == 1
    assert files[1].name in capsys.readouterr().err
    assert board.calls == []


def test_simulated_patients_are_not_sent(
    kit: Path, files: list[Path], board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    files[1].write_text("ID,LABEL\nSIM001,1\nSIM002,0\n")
    pd.DataFrame([row(files[1])], columns=list(COLUMNS)).to_csv(
        kit / "submissions" / "ledger.csv", index=False
    )
    assert main(["submit"]) == 1
    assert "simulated" in capsys.readouterr().err
    assert board.calls == []


def test_other_patients_than_the_test_set_are_not_sent(
    kit: Path, files: list[Path], board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    table = kit / "results" / "real" / "cohort" / "patients.csv"
    table.parent.mkdir(parents=True)
    table.write_text("patient,part\nP1,test\nP2,test\nP3,test\nP4,test\nP5,train\n")
    assert main(["submit"]) == 1
    assert "P4" in capsys.readouterr().err
    table.write_text("patient,part\nP1,test\nP2,test\nP3,test\nP5,train\n")
    assert main(["submit"]) == 0


def test_without_a_submission_a_sentence_says_so(
    kit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("method", ["ListSubmissions", "StartSubmissionUpload", "CreateSubmission"])
@pytest.mark.parametrize(("status", "remedy"), [(403, "rules"), (404, "config.yaml"), (400, "")])
def test_a_refusal_is_one_sentence_and_leaves_no_record(
    kit: Path,
    files: list[Path],
    board: Board,
    method: str,
    status: int,
    remedy: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    board.refusals[method] = (status, "because of this")
    assert main(["submit"]) == 1
    printed = capsys.readouterr().err
    assert remedy in printed
    assert "because of this" in printed
    assert len(printed.splitlines()) == 1
    assert not files[1].with_suffix("").exists()


def test_a_lost_network_is_one_sentence(
    kit: Path, files: list[Path], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.shutdown()
    server.server_close()
    assert main(["submit"]) == 1
    printed = capsys.readouterr()
    assert "network" in printed.err
    assert len(printed.err.splitlines()) == 1


def test_a_number_of_seconds_is_positive(kit: Path, files: list[Path], board: Board) -> None:
    assert main(["submit", "--wait", "0"]) == 1
    assert board.calls == []

"""What a run shows: few lines in a pipe, a bar on a terminal, and the message of a failed job."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from lymphokit.desk.run_screen import RunScreen
from lymphokit.errors import LymphokitError
from lymphokit.job import job


def ran(n_jobs: int, screen: RunScreen) -> None:
    screen.start(n_jobs)
    for number in range(n_jobs):
        screen.job_started(number, f"Fit model_{number} in fold 1", None)
        screen.job_finished(number)


@pytest.mark.parametrize(("n_jobs", "most"), [(3, 3), (50, 50), (283, 50), (5000, 50)])
def test_a_pipe_gets_at_most_fifty_lines(
    capsys: pytest.CaptureFixture[str], n_jobs: int, most: int
) -> None:
    ran(n_jobs, RunScreen())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= most
    assert lines[-1] == f"[{n_jobs} of {n_jobs}] Fit model_{n_jobs - 1} in fold 1"


def test_long_jobs_have_a_line_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = iter(range(0, 10**9, 3600))
    monkeypatch.setattr("lymphokit.desk.run_screen.time.monotonic", lambda: next(hours))
    ran(283, RunScreen())
    assert len(capsys.readouterr().err.splitlines()) == 283


def test_a_terminal_shows_the_running_jobs_and_keeps_nothing_of_them(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("first\nepoch 3 of 20\n")
    screen = RunScreen()
    screen.console = Console(force_terminal=True, width=80, record=True)
    screen.start(2)
    screen.job_started(1, "Fit mi_svm in fold 2", log)
    with screen.console.capture() as captured:
        screen.console.print(screen._panel())
    assert "Fit mi_svm in fold 2" in captured.get()
    assert "epoch 3 of 20" in captured.get()
    assert "first" not in captured.get()
    screen.job_finished(1)
    screen.close()
    assert "mi_svm" not in screen.console.export_text().rpartition("\n")[2]


def failing(log: Path, error: Exception) -> None:
    task = SimpleNamespace(rule="fit", params={}, log=[str(log)], input=[], output=[])
    with pytest.raises(SystemExit), job(task):
        raise error


def test_a_failed_job_shows_its_message_and_its_log_and_no_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "fit.log"
    screen = RunScreen()
    screen.start(1)
    screen.job_started(1, "Fit mi_svm in fold 2", log)
    failing(log, LymphokitError("P26: no cell\nadd one"))
    assert capsys.readouterr() == ("", "")  # the job itself prints nothing
    screen.job_failed(1, "fit")
    head, *message, place = capsys.readouterr().err.splitlines()
    assert "Fit mi_svm in fold 2" in head
    assert message == ["P26: no cell", "add one"]
    assert str(log) in place
    assert "Traceback" in log.read_text()


def test_the_message_of_an_earlier_run_is_not_shown_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "fit.log"
    failing(log, LymphokitError("P26: no cell"))
    os.utime(log, (0, 0))
    screen = RunScreen()
    screen.job_started(1, "Fit mi_svm in fold 2", log)
    screen.job_failed(1, "fit")
    assert "P26" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["Execute 1 jobs...", "host: here", "", "Elapsed time: 1"])
def test_chatter_of_snakemake_is_left_out(capsys: pytest.CaptureFixture[str], text: str) -> None:
    screen = RunScreen()
    screen.remark(text, failed=False)
    screen.remark("a finding", failed=True)
    assert capsys.readouterr().err.splitlines() == ["a finding"]


def test_an_error_of_the_configuration_is_shown_without_places_in_our_files(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = """WorkflowError in file "/home/me/kit/workflow/rules/common.smk", line 64:
config.yaml:
  folds.coutn: unknown, did you mean count?
  File "/home/me/kit/workflow/rules/common.smk", line 64, in <module>
  File "/usr/lib/python3.11/contextlib.py", line 158, in __exit__"""
    RunScreen().remark(text, failed=True)
    expected = ["config.yaml:", "  folds.coutn: unknown, did you mean count?"]
    assert capsys.readouterr().err.splitlines() == expected

"""Progress: a line for every fifth of the items, more where a job is long; all of it in the log."""

import io
import sys
from itertools import count

import pytest

from lymphokit import progress


def tracked(n: int, seconds: float, patch: pytest.MonkeyPatch) -> list[str]:
    """The log of a job over n items; the clock moves by `seconds` whenever it is read."""
    patch.setattr("lymphokit.progress.time.monotonic", count(step=seconds).__next__)
    file = io.StringIO()
    with progress.log_to(file):
        assert list(progress.track(range(n), "items")) == list(range(n))
    return file.getvalue().splitlines()


def test_a_short_job_logs_every_fifth(monkeypatch: pytest.MonkeyPatch) -> None:
    log = tracked(10, 0.1, monkeypatch)
    assert log == [f"items: {done} of 10" for done in (2, 4, 6, 8, 10)]


def test_a_long_job_logs_every_item(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(tracked(10, 3, monkeypatch)) == 10


def test_inside_a_job_nothing_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked(10, 60, monkeypatch)
    file = io.StringIO()
    with progress.log_to(file):
        sys.stdout.write("a table\n")
        sys.stderr.write("a warning\n")
        progress.say("a message")
    assert file.getvalue().splitlines() == ["a table", "a warning", "a message"]
    assert capsys.readouterr() == ("", "")


def test_outside_a_job_every_fifth_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    list(progress.track(range(5), "items"))
    assert len(capsys.readouterr().err.splitlines()) == 5

"""Progress of jobs: all of it in the log, on the terminal only what takes long."""

import io
from itertools import count

import pytest

from lymphokit import progress


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test moves: the seconds of every look at it."""
    times: list[float] = []
    monkeypatch.setattr("lymphokit.progress.time.monotonic", lambda: times.pop(0))
    return times


def tracked(n: int, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    """The lines in the log and on the terminal of a job over n items."""
    file = io.StringIO()
    with progress.log_to(file):
        assert list(progress.track(range(n), "items")) == list(range(n))
    return file.getvalue().splitlines(), capsys.readouterr().err.splitlines()


def test_a_short_job_prints_nothing_and_logs_every_fifth(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lymphokit.progress.time.monotonic", count(step=0.1).__next__)
    log, terminal = tracked(10, capsys)
    assert log == [f"items: {done} of 10" for done in (2, 4, 6, 8, 10)]
    assert terminal == []


def test_a_long_job_prints_a_line_every_fifteen_seconds(
    capsys: pytest.CaptureFixture[str], seconds: list[float]
) -> None:
    # The start, then a look at each fifth and one more where a line is printed.
    seconds += [0, 10, 16, 16, 20, 31, 31, 40]
    log, terminal = tracked(5, capsys)
    assert len(log) == 5
    assert terminal == ["items: 2 of 5", "items: 4 of 5"]


def test_outside_a_job_every_fifth_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    list(progress.track(range(5), "items"))
    assert len(capsys.readouterr().err.splitlines()) == 5

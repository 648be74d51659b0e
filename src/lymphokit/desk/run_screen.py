"""What a run of the workflow shows: running jobs and a total bar, or a few lines in a pipe."""

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from lymphokit.errors import visible
from lymphokit.job import failure_in

_LINES_IN_A_PIPE = 50  # at most one for every fiftieth of the jobs
_SECONDS_BETWEEN_LINES = 30.0  # in a pipe, where jobs are long
_NO_MESSAGE = "it ended without a message: killed, out of memory, or its script does not start"
# Where in our files an error of a user's was raised: of no use to them, and in Snakemake's log.
_PLACES = re.compile(
    r'^(WorkflowError in file ".*", line \d+:|\s*File ".*", line \d+, in .*)\n?', re.MULTILINE
)
_TAIL = 4096  # bytes of a log in which its last line is sought

# Lines of Snakemake that say nothing about this run, by their beginning. They are in its log.
_CHATTER = (
    "None",
    "host: ",
    "Config file ",
    "Conda environments: ignored",
    "Assuming unrestricted shared filesystem",
    "Building DAG of jobs",
    "Using shell: ",
    "Provided cores: ",
    "Provided resources: ",
    "Rules claiming more threads",
    "Job stats:",
    "Select jobs to execute",
    "Execute ",
    "Complete log",
    "Elapsed time: ",
    "Using workflow specific profile",
    "Shutting down, this might take some time",
    "Exiting because a job execution failed",
    "Removing output files of failed job",
    "RuleException:",
    "WorkflowError:\nAt least one job did not complete successfully",
)


@dataclass
class _Running:
    """A job at work: its message, its log, and when it started."""

    what: str
    log: Path | None
    since: float = field(default_factory=time.time)

    def message(self) -> str:
        """What the job says of its failure; empty where its log is of an earlier run."""
        if self.log is None or not self.log.is_file() or self.log.stat().st_mtime < self.since - 1:
            return ""
        return failure_in(self.log)


class RunScreen:
    """Shows the jobs of a run.

    On a terminal: a line for every running job with the last line of its log, and a bar with the
    time left; both are gone at the end. Elsewhere: about fifty lines in all, each with the job that
    has just ended. Failed jobs and messages stay.

    Not to be used by several threads, except that rich draws from another.
    """

    def __init__(self, *, to_stdout: bool = False, colour: bool = True) -> None:
        self.console = Console(stderr=not to_stdout, no_color=not colour)
        self._jobs: dict[int, _Running] = {}
        self._live: Live | None = None
        self._bar = _total_bar(self.console)
        self._task = self._bar.add_task("jobs", total=0)
        self._last_line = (0, 0.0)  # jobs done and the time, when the last line was printed

    def start(self, total: int) -> None:
        """Begin a run of this many jobs."""
        self._bar.reset(self._task, total=total)
        self._last_line = (0, time.monotonic())
        if self.console.is_terminal and total:
            self._live = Live(
                get_renderable=self._panel,
                console=self.console,
                refresh_per_second=4,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()

    def job_started(self, job: int, what: str, log: Path | None) -> None:
        """Show a job; what: its message, such as "Fit mi_svm in fold 2"."""
        self._jobs[job] = _Running(what, log)

    def job_finished(self, job: int) -> None:
        """Count a job as done."""
        ended = self._jobs.pop(job, None)
        self._bar.advance(self._task)
        if ended and self._bar.tasks[0].total and not self.console.is_terminal:
            self._line(ended)

    def job_failed(self, job: int, rule: str) -> None:
        """Print the failed rule, the message of its job, and its log."""
        failed = self._jobs.pop(job, _Running(rule, None))
        self.say(f"failed: {failed.what} (rule {rule})", failed=True)
        self.say(failed.message() or _NO_MESSAGE)
        if failed.log:
            self.say(f"log: {failed.log}")

    def say(self, text: str, *, failed: bool = False) -> None:
        """Print text as it is, above the bar, which goes once no job is left."""
        if self._bar.finished:
            self.close()
        style = "red" if failed else ""
        self.console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    def remark(self, text: str, *, failed: bool) -> None:
        """Print a message of Snakemake, unless it is one of those that are for its log only."""
        text = _PLACES.sub("", text)
        if text.strip() and not text.lstrip().startswith(_CHATTER):
            self.say(text.rstrip("\n"), failed=failed)

    def close(self) -> None:
        """Take the bar away; nothing else is lost."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _line(self, ended: _Running) -> None:
        """In a pipe: a line for the job that has ended, unless the last line is recent."""
        task = self._bar.tasks[0]
        done, total = int(task.completed), int(task.total or 0)
        before, at = self._last_line
        now = time.monotonic()
        enough = done == total or done - before >= total / _LINES_IN_A_PIPE
        if enough or now - at >= _SECONDS_BETWEEN_LINES:
            self.say(f"[{done:>{len(str(total))}} of {total}] {ended.what}")
            self._last_line = (done, now)

    def _panel(self) -> Group:
        """The running jobs and the total bar."""
        now = time.time()
        table = Table.grid(padding=(0, 2))
        for job in list(self._jobs.values()):
            seconds = int(now - job.since)
            progress = Text(_last_line(job.log), style="dim", no_wrap=True, overflow="ellipsis")
            table.add_row(Text(job.what), f"{seconds // 60}:{seconds % 60:02d}", progress)
        return Group(table, self._bar)


def _total_bar(console: Console) -> Progress:
    return Progress(
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("jobs"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        speed_estimate_period=600,
    )


def _last_line(log: Path | None) -> str:
    """The last line of a job's log, empty where there is none yet."""
    if log is None or not log.is_file():
        return ""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return visible(next((line for line in reversed(lines) if line.strip()), ""))

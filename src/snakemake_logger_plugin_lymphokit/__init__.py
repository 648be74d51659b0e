"""Snakemake's logger `lymphokit`: a run as one bar and its running jobs, in profiles/default.

Snakemake finds it by the name of this package. The usual choice, snakemake-logger-plugin-rich,
shows neither model nor fold nor time left, and prints the whole log of a failed job.
"""

import logging
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent


class LogHandler(LogHandlerBase):
    """Hands Snakemake's records to a `RunScreen`; a dry run is listed as Snakemake lists it."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False  # Snakemake's, for --quiet and --verbose
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """Open the screen: a plain one where there is no terminal."""
        # Imported here: every job imports this module, and none opens a screen.
        from lymphokit.desk.run_screen import RunScreen

        settings = self.common_settings
        self.screen = RunScreen(to_stdout=settings.stdout, colour=not settings.nocolor)
        self.as_text = bool(settings.dryrun or settings.verbose or settings.debug_dag)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, or leave it to the log file."""
        try:
            self._show(record)
        except Exception:  # noqa: BLE001 - a logger must not end the run; this prints the traceback
            self.handleError(record)

    def close(self) -> None:
        """Take the bar from the terminal."""
        self.screen.close()
        super().close()

    def _show(self, record: logging.LogRecord) -> None:
        event: dict[str, Any] = vars(record)
        match event.get("event"):
            case _ if self.as_text and record.levelno < logging.ERROR:
                self.screen.say(self.format(record))
            case LogEvent.RUN_INFO:
                self.screen.start(event["stats"].get("total", 0))
            case LogEvent.JOB_INFO:
                log = Path(event["log"][0]) if event["log"] else None
                self.screen.job_started(
                    event["jobid"], event["rule_msg"] or event["rule_name"], log
                )
            case LogEvent.JOB_FINISHED:
                self.screen.job_finished(event["job_id"])
            case LogEvent.JOB_ERROR:
                self.screen.job_failed(event["jobid"], event["rule_name"])
            case None | LogEvent.ERROR | LogEvent.GROUP_ERROR:
                failed = record.levelno >= logging.ERROR
                self.screen.remark(self.format(record), failed=failed)

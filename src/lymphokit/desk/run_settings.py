"""The settings of submissions with a folder: which differ, and the command that makes one again."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from lymphokit.config import read_yaml
from lymphokit.errors import LymphokitError
from lymphokit.leaderboard.compare import Candidate
from lymphokit.progress import say
from lymphokit.provenance import changed_code, commit
from lymphokit.submission.csv_files import read_submission
from lymphokit.submission.run_folder import CONFIG, Run, read_run

_MOST = 10_000  # settings of one file
_SHOWN = 40
_ABSENT = "(not there)"


def differing_settings(candidates: Sequence[Candidate]) -> dict[str, dict[str, Any]]:
    """Each setting that differs between the files with a folder: dotted key, then letter.

    `commit` stands among them, where the code differs. Empty for fewer than two folders.
    """
    values = {
        one.letter: {"commit": _code(one.run), **flat_settings(one.run)}
        for one in candidates
        if one.run
    }
    keys = dict.fromkeys(key for settings in values.values() for key in settings)
    found = {
        key: {letter: settings.get(key, _ABSENT) for letter, settings in values.items()}
        for key in keys
    }
    return {key: row for key, row in found.items() if len(set(map(repr, row.values()))) > 1}


def _code(run: Run) -> str:
    """The commit of a run, marked as changed where more than settings was."""
    revision = str(run.receipt["commit"])
    only_settings = run.receipt.get("changed_code") == []
    return revision.removesuffix("-dirty") if only_settings else revision


def settings_table(differing: Mapping[str, Mapping[str, Any]]) -> Table:
    """Tabulate the settings that differ: a row each, a column a file."""
    letters = next(iter(differing.values()))
    table = Table("setting", *letters, title="Settings that differ")
    if len(differing) > _SHOWN:
        table.caption = f"the first {_SHOWN} of {len(differing):,}; all with --json"
    for key, row in list(differing.items())[:_SHOWN]:
        table.add_row(escape(key), *(escape(str(value)) for value in row.values()))
    return table


def flat_settings(run: Run) -> dict[str, Any]:
    """The settings of a run by dotted key; a list is one value."""
    path = run.folder / CONFIG
    try:
        return _flat(read_yaml(path), path)
    except LymphokitError as error:
        raise LymphokitError(f"{error}; delete the folder to go without it") from error


def rerun_command(path: Path) -> str:
    """The command line that makes a submission again, in the checkout's folder.

    With a checkout of its commit where the code differs now. Says on standard error what the
    command cannot bring back: code that was in no commit, and settings that config.yaml has since.
    Raises LymphokitError for a file without a folder.
    """
    file = read_submission(path)
    run = read_run(file)
    if run is None:
        raise LymphokitError(
            f"{path} has no folder of its settings beside it, or was changed since: it is of an "
            "older version; its row in ledger.csv names the commit"
        )
    for finding in _lost(run):
        say(finding)
    made_with = str(run.receipt["commit"]).removesuffix("-dirty")
    config = shlex.quote(str(run.folder / CONFIG))
    again = f"snakemake --cores all -R submit --configfile {config}"
    same_code = made_with in ("none", commit(Path.cwd()).removesuffix("-dirty"))
    return again if same_code else f"git checkout {shlex.quote(made_with)} && {again}"


def _lost(run: Run) -> Iterator[str]:
    """What no command brings back, in sentences."""
    revision = run.receipt["commit"]
    changed = run.receipt.get("changed_code", ["some files"] if "-dirty" in str(revision) else [])
    if changed:
        names = ", ".join(map(str, changed))
        yield f"the code had changes that no commit holds, in {names}: the result may differ"
    elif revision == "none":
        yield "the code was in no repository: whether it is the same is not known"
    if now := changed_code(Path.cwd()):
        yield f"the code has changes now, in {', '.join(now)}: `git stash` puts them aside"
    for key in _added(flat_settings(run)):
        yield f"config.yaml has {key} now, which these settings lack: take it out before the run"


def _added(saved: Mapping[str, Any]) -> list[str]:
    """Blocks and settings of the present config.yaml that these settings lack."""
    present = Path("config.yaml")
    if not present.is_file():
        return []
    blocks = dict.fromkeys(
        ".".join(key.split(".")[:2]) for key in _flat(read_yaml(present), present)
    )
    return [
        block
        for block in blocks
        if not any(key == block or key.startswith(f"{block}.") for key in saved)
    ]


def _flat(settings: Mapping[str, Any], path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = [("", settings)]
    while waiting:
        prefix, value = waiting.pop()
        if len(found) + len(waiting) > _MOST:
            raise LymphokitError(
                f"{path} holds more than {_MOST:,} settings, so it is none of ours"
            )
        if isinstance(value, Mapping) and value:
            pairs = reversed(list(value.items()))
            waiting += [(f"{prefix}.{key}" if prefix else str(key), below) for key, below in pairs]
        else:
            found[prefix] = value
    return found

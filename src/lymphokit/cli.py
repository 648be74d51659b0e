"""Command line `lymphokit`: parse the arguments, call the package, return the exit code.

Imports stand inside the commands: `compare` must not wait for torch.
"""

import difflib
import importlib.metadata
import io
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter, Token
from rich.markup import escape

import lymphokit
from lymphokit.desk.terminal import ERR, OUT, save, show, show_json
from lymphokit.errors import LymphokitError, explain, visible
from lymphokit.files import user_path

if TYPE_CHECKING:
    from lymphokit.config import Config
    from lymphokit.desk.doctor import Line
    from lymphokit.leaderboard.board import Board

USAGE = 2  # exit code of a command line that cannot be parsed


def _as_share(_: Any, value: float | None) -> None:
    if value is not None and not 0 <= value <= 1:
        raise ValueError("Give a number from 0 to 1, such as 0.857.")


def _examples(*lines: str) -> str:
    return "\n".join(["Examples:", "", *(f"- `lymphokit {line}`" for line in lines)])


def _as_whole(_: Any, tokens: Sequence[Token]) -> int:
    try:
        return int(tokens[0].value)  # cyclopts would take 1.5 for 2
    except ValueError as error:
        raise ValueError("Give a whole number.") from error


Whole = Annotated[int | None, Parameter(converter=_as_whole)]
Share = Annotated[float, Parameter(validator=_as_share)]
AnyShare = Annotated[float | None, Parameter(validator=_as_share)]
Overlays = Annotated[tuple[Path, ...], Parameter(consume_multiple=1)]
Json = Annotated[bool, Parameter(name="--json", negative="")]

APP = App(
    name="lymphokit",
    help=lymphokit.__doc__,
    default_parameter=Parameter(json_list=False),  # a name may start with a bracket
    version=lambda: importlib.metadata.version("lymphokit"),
    help_epilogue="`lymphokit COMMAND --help` shows examples of a command.",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; return its exit code, 0 where nothing is wrong.

    1: an error with its remedy was printed; 70 (EX_SOFTWARE of sysexits.h): any other exception,
    whose traceback is in a log that was named; 130: interrupted. Raises SystemExit with code 2 for
    a command line that cannot be parsed, after one sentence about it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path may hold what a terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except LymphokitError as error:
        return _fail(error, 1)
    except BrokenPipeError:  # of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter fails at its end
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  whatever the package failed to foresee
        return _fail(error, os.EX_SOFTWARE)


def _run(arguments: Sequence[str]) -> int:
    """Parse the arguments and run their command."""
    try:
        command, bound, _ = APP.parse_args(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        show(_sentence(error, arguments), ERR)
        raise SystemExit(USAGE) from None
    return int(command(*bound.args, **bound.kwargs) or 0)


def _sentence(error: CycloptsError, arguments: Sequence[str]) -> str:
    """What is wrong with a command line, in one line, and where its help is."""
    command = " ".join(error.command_chain or ())
    first = next(iter(arguments), "")
    near = difflib.get_close_matches(first, [name for name in APP if name.startswith("-")], n=1)
    hint = f' Did you mean "{near[0]}"?' if near and not command else ""
    found = visible(" ".join(str(error).split()))
    return f"{found}{hint} See `{' '.join(filter(None, ('lymphokit', command, '--help')))}`."


def _fail(error: Exception, code: int) -> int:
    """Print what went wrong and return the exit code."""
    show(explain(error), ERR)
    return code


@APP.command(name="--install-completion")
def install_completion(*, shell: Literal["bash", "zsh", "fish"] | None = None) -> int:
    """Install the completion of commands and options for the shell.

    Args:
        shell: The shell, by default the one that runs.
    """
    from cyclopts.completion.detect import ShellDetectionError

    try:
        path = APP.install_completion(shell=shell)
    except ShellDetectionError as error:
        raise LymphokitError("which shell runs is not known: give --shell, such as bash") from error
    except OSError as error:
        raise LymphokitError(
            f"cannot write {error.filename}: {error.strerror}; set HOME to a folder of yours"
        ) from error
    show(f"completion, from the next shell on: {path}")
    return 0


@APP.command(help_epilogue=_examples("doctor", "doctor --configfile config/gpu.yaml --json"))
def doctor(*, configfile: Overlays = (), as_json: Json = False) -> int:
    """Show whether this machine can do a run, with a remedy for what it cannot.

    Args:
        configfile: Files of settings over config.yaml, as for snakemake.
        as_json: Print JSON.
    """
    from lymphokit.desk.doctor import doctor_table, plain_lines

    lines = _doctor(configfile)
    if as_json:
        show_json(plain_lines(lines))
    else:
        OUT.print(doctor_table(lines))
    return int(any(line.verdict == "fail" for line in lines))


def _doctor(configfile: Sequence[Path]) -> "list[Line]":
    from lymphokit.desk.doctor import examine

    return examine(Path(), configfile)


@APP.command(
    help_epilogue=_examples(
        "check data/raw/dlmi-lymphocytosis-classification", "check download.zip --json"
    )
)
def check(raw: str, /, *, config: Path = Path("config.yaml"), as_json: Json = False) -> int:
    """Count what a download holds, and report all its faults at once, their meaning and remedy.

    Args:
        raw: Folder or zip in the layout of the Kaggle download.
        config: The settings.
        as_json: Print JSON, also of the faults.
    """
    from lymphokit.desk.download_check import check_download

    checked = check_download(raw, _read_config(config))
    if as_json:
        show_json(checked.plain())
        return int(bool(checked.faults))
    for line in checked.lines():
        show(line)
    if checked.faults:
        show(checked.fault_text(), ERR)
    return int(bool(checked.faults))


@APP.command(help_epilogue=_examples("fetch competition", "fetch labelled-cells"))
def fetch(
    what: Literal["competition", "labelled-cells", "blood-cells"],
    /,
    *,
    config: Path = Path("config.yaml"),
) -> int:
    """Download data from Kaggle, check it, and place it where a run finds it.

    Args:
        what: The competition's data, ALL-IDB2 or PBC, by the names in the settings.
        config: The settings.
    """
    from lymphokit.desk.fetch import fetch as fetched

    found = fetched(what, _read_config(config), Path())
    show(f"{found.folder} {'is there already' if found.was_there else 'is in place'}")
    for line in found.lines:
        show(line)
    if found.faults:
        show(found.faults, ERR)
        return 1
    show(f"next: {found.next_step}")
    return 0


@APP.command(help_epilogue=_examples("plan", "plan --configfile config/quick.yaml --json"))
def plan(
    *,
    configfile: Overlays = (),
    as_json: Json = False,
) -> int:
    """Show what a run would do: its data, which models run or rest and why, jobs, time and room.

    Args:
        configfile: Files of settings over config.yaml, as for snakemake.
        as_json: Print JSON.
    """
    from lymphokit.desk.run_plan import describe_plan, plan_lines, read_plan

    found = describe_plan(read_plan(Path(), configfile), Path())
    if as_json:
        show_json(found)
    else:
        for line in plan_lines(found):
            show(line)
    return 0


@APP.command(help_epilogue=_examples("simulate data/drawn --seed 7 --signal 0.5"))
def simulate(
    folder: str,
    /,
    *,
    seed: Whole = None,
    signal: float | None = None,
    config: Path = Path("config.yaml"),
) -> int:
    """Simulate a cohort in the layout of the download.

    Args:
        folder: New folder; the ground truth goes to FOLDER-truth.
        seed: Seed, by default that of the configuration.
        signal: Strength of the signal, from 0 (none) to 1 (as configured).
        config: The settings.
    """
    from lymphokit.simulation.cohort import simulate as draw

    checked = _read_config(config, seed=seed, signal=signal)
    root = user_path(folder, "simulate")
    try:
        truth = root.with_name(f"{root.name}-truth") if root.name else root
        for each in (root, truth):
            if each.exists():
                raise LymphokitError(f"{each} exists: name a new folder")
        draw(root, truth, **checked.simulate.model_dump())
    except OSError as error:
        finding = f"cannot write {root}: {error.strerror}; name another folder"
        raise LymphokitError(finding) from error
    show(f"a cohort in {root}: snakemake submission --config raw={shlex.quote(str(root))}")
    return 0


def _read_config(path: Path, **simulate: float | None) -> "Config":
    """The checked configuration; simulate: changes to this block, None for none."""
    from lymphokit import config

    try:
        settings = config.read_yaml(path)
    except LymphokitError as error:
        finding = f"{error}; run in lymphokit's folder, or give --config"
        raise LymphokitError(finding) from error
    given = {key: value for key, value in simulate.items() if value is not None}
    return config.check(config.merge(settings, {"simulate": given}))


@APP.command(
    help_epilogue=_examples(
        "compare", "compare submissions/*.csv", "compare A.csv B.csv --public 0.4"
    )
)
def compare(
    *files: Path,
    oof: AnyShare = None,
    public: Share = 0.5,
    figure: Path | None = None,
    as_json: Json = False,
) -> int:
    """Compare submissions: where they and their settings differ, and is one likely better?

    Args:
        files: Two or more submissions; without any, the newest two in submissions/.
        oof: Balanced accuracy out of fold of files that no ledger holds; default: as the others.
        public: Public part of the test patients, see the competition's page.
        figure: The figure's file; default: compare.png beside the first submission.
        as_json: Print JSON.
    """
    from lymphokit.leaderboard.compare import compare as comparison_of
    from lymphokit.leaderboard.compare_figure import comparison_figure
    from lymphokit.leaderboard.compare_text import report
    from lymphokit.submission.named_files import newest_two, submission_paths

    paths = submission_paths(files) if files else newest_two()
    comparison = comparison_of(paths, public, oof)
    settings: dict[str, dict[str, Any]] = {}
    n_folders = sum(one.run is not None for one in comparison.candidates)
    if n_folders > 1:  # pydantic, which the import takes, takes longer than all else here
        from lymphokit.desk.run_settings import differing_settings, settings_table

        settings = differing_settings(comparison.candidates)
    if not as_json:
        for part in report(comparison):
            OUT.print(part, highlight=False)
        if settings:
            OUT.print(settings_table(settings))
        elif n_folders > 1:
            show("the settings and the code are the same")
    saved = save(comparison_figure(comparison), figure or paths[0].parent / "compare.png")
    if as_json:
        from lymphokit.leaderboard.plain import plain_comparison

        content = {**plain_comparison(comparison), "settings": settings, "figure": str(saved)}
        show_json(content)
    else:
        show(f"figure: {saved}")
    return 0


@APP.command(
    name=("leaderboard", "board"),
    help_epilogue=_examples("leaderboard", "leaderboard --public 0.4 --json"),
)
def leaderboard(
    ledger: Path = Path("submissions") / "ledger.csv",
    /,
    *,
    public: Share = 0.5,
    figure: Path | None = None,
    as_json: Json = False,
) -> int:
    """Set our scores out of fold beside those of the boards, with the band of chance.

    Args:
        ledger: The ledger.
        public: Public part of the test patients, see the competition's page.
        figure: The figure's file; default: board.png beside the ledger.
        as_json: Print JSON.
    """
    from lymphokit.leaderboard.board import boards
    from lymphokit.leaderboard.board_figure import board_figure

    found = boards(ledger, public)
    scored = [board for board in found if len(board.scored)]
    if not as_json:
        _show_boards(found)
    saved = None
    if scored:
        saved = str(save(board_figure(scored), figure or ledger.parent / "board.png"))
    if as_json:
        from lymphokit.leaderboard.plain import plain_boards

        show_json({"boards": plain_boards(found), "figure": saved})
    elif saved:
        show(f"figure: {saved}")
    return 0


def _show_boards(boards: "Sequence[Board]") -> None:
    from lymphokit.leaderboard.board import board_summary, board_table

    for board in boards:
        summary = f"[bold]{escape(board_summary(board))}[/]\n"
        OUT.print(board_table(board), summary, sep="\n", highlight=False)


@APP.command(
    help_epilogue=_examples("score submissions/A.csv 0.857", "score A 0.857 --private 0.82")
)
def score(file: Path, public: AnyShare = None, /, *, private: AnyShare = None) -> int:
    """Enter the scores that the boards gave a submission into its row of the ledger.

    Args:
        file: The submission, or its name in submissions/.
        public: Score on the public board, from 0 to 1.
        private: Score on the private board, from 0 to 1.
    """
    from lymphokit.submission.csv_files import read_submission
    from lymphokit.submission.ledger import BOARD, LEDGER, enter_scores
    from lymphokit.submission.named_files import submission_path

    values = zip(BOARD, (public, private), strict=True)
    scores = {column: value for column, value in values if value is not None}
    if not scores:
        raise LymphokitError(f"no score for {file}: lymphokit score {file} 0.857 [--private 0.82]")
    submission = read_submission(submission_path(file))
    ledger = submission.path.parent / LEDGER
    try:
        enter_scores(ledger, submission, scores)
    except OSError as error:
        finding = f"cannot write {ledger}: {error.strerror}; give yourself the permission"
        raise LymphokitError(finding) from error
    entered = ", ".join(f"{column} {value}" for column, value in scores.items())
    show(f"{entered} of {submission.path.name} in {ledger}; next: lymphokit leaderboard")
    return 0


@APP.command(help_epilogue=_examples("submit", "submit submissions/A.csv", "submit A --wait 3600"))
def submit(
    file: Path | None = None, /, *, wait: Whole = None, config: Path = Path("config.yaml")
) -> int:
    """Send a submission to Kaggle once, wait for its scores and enter them in the ledger.

    Args:
        file: The submission, or its name in submissions/; by default the newest.
        wait: Seconds to wait for the score, by default 900.
        config: The settings.
    """
    from lymphokit.desk.submit import submit as sent

    if wait is not None and wait < 1:
        raise LymphokitError(f"--wait {wait}: give seconds, 1 at least")
    competition = _read_config(config).kaggle.competition
    for line in sent(file, competition, wait or 900, Path()):
        show(line)
    return 0


@APP.command(
    help_epilogue=_examples(
        "rerun 20261125T202839Z_demo_product",
        "rerun submissions/20261125T202839Z_demo_product.csv | sh",
    )
)
def rerun(file: Path, /) -> int:
    """Print the command that makes a submission again, from the settings in its folder.

    Args:
        file: The submission, its folder, or its name in submissions/.
    """
    from lymphokit.desk.run_settings import rerun_command
    from lymphokit.submission.named_files import submission_path

    show(rerun_command(submission_path(file)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Command line `lymphokit`: parse the arguments, call the package, return the exit code.

Imports stand inside the commands: `compare` must not wait for torch.
"""

import argparse
import importlib.metadata
import io
import math
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import lymphokit
from lymphokit.errors import LymphokitError, explain
from lymphokit.files import user_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lymphokit.config import Config
    from lymphokit.imaging.check import Cohort

OUT = Console(width=None if sys.stdout.isatty() else 120)  # in a pipe, wide enough for tables
ERR = Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; return its exit code, 0 where nothing is wrong.

    1: an error with its remedy was printed; 70 (EX_SOFTWARE of sysexits.h): any other exception,
    whose traceback is in a log that was named; 130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path may hold what a terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except LymphokitError as error:
        return _fail(error, 1)
    except BrokenPipeError:  # of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter fails at its end
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  whatever the package failed to foresee
        return _fail(error, os.EX_SOFTWARE)


def _fail(error: Exception, code: int) -> int:
    """Print what went wrong and return the exit code."""
    ERR.print(explain(error), highlight=False, markup=False, soft_wrap=True)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lymphokit", description=lymphokit.__doc__)
    commands = parser.add_subparsers(required=True)

    doctor = commands.add_parser("doctor", help="show versions, GPU, cores and the data found")
    doctor.set_defaults(run=_doctor)

    check = commands.add_parser("check", help="check the tables, folders and images of a download")
    check.add_argument("raw", help="folder or zip in the layout of the Kaggle download")
    check.add_argument("--config", type=Path, default=Path("config.yaml"))
    check.set_defaults(run=_check)

    simulate = commands.add_parser(
        "simulate", help="simulate a cohort in the layout of the download"
    )
    simulate.add_argument("folder", help="new folder; the ground truth goes to FOLDER-truth")
    simulate.add_argument("--seed", type=int, help="seed, by default that of the configuration")
    simulate.add_argument(
        "--signal", type=float, help="strength of the signal, from 0 (none) to 1 (as configured)"
    )
    simulate.add_argument("--config", type=Path, default=Path("config.yaml"))
    simulate.set_defaults(run=_simulate)

    _add_compare(commands.add_parser("compare", help="compare submissions: is one likely better?"))
    _add_board(commands.add_parser("board", help="compare out-of-fold scores with board scores"))
    return parser


def _add_compare(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("files", type=Path, nargs="+", metavar="CSV", help="two or more files")
    rest = "balanced accuracy out of fold of files that no ledger holds; default: as the others"
    compare.add_argument("--oof", type=_share, metavar="SHARE", help=rest)
    _add_common(compare, figure="compare.png beside the first file")
    compare.set_defaults(run=_compare)


def _add_board(board: argparse.ArgumentParser) -> None:
    default = Path("submissions") / "ledger.csv"
    board.add_argument("ledger", type=Path, nargs="?", default=default, help=f"default: {default}")
    _add_common(board, figure="board.png beside the ledger")
    board.set_defaults(run=_board)


def _add_common(command: argparse.ArgumentParser, *, figure: str) -> None:
    """Add the options that `compare` and `board` share."""
    part = "public part of the test patients, see the competition's page; default: 0.5"
    command.add_argument("--public", type=_share, default=0.5, metavar="SHARE", help=part)
    command.add_argument("--figure", type=Path, metavar="PNG", help=f"default: {figure}")


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: give a number from 0 to 1")
    return value


def _print(text: str) -> None:
    """Print text as it is: a path in brackets is no markup."""
    OUT.print(text, highlight=False, markup=False, soft_wrap=True)


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


def _doctor(options: argparse.Namespace) -> int:  # noqa: ARG001
    import torch

    from lymphokit.cohort.raw import locate

    table = Table(show_header=False, box=None)
    table.add_row("python", platform.python_version())
    for package in ("snakemake", "torch", "timm", "lightgbm", "xgboost", "scikit-learn"):
        table.add_row(package, importlib.metadata.version(package))
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none, the CPU is used"
    table.add_row("GPU", gpu)
    table.add_row("cores", str(os.cpu_count()))
    try:
        data = locate("auto", Path()).sentence()
    except LymphokitError as error:
        data = str(error)
    table.add_row("data", escape(data))
    OUT.print(table)
    return 0


def _check(options: argparse.Namespace) -> int:
    from lymphokit.cohort.raw import locate_download, unpack

    config = _read_config(options.config)
    source = locate_download(options.raw, Path())
    if source.is_dir():
        return _check_folder(source, source, config)
    with tempfile.TemporaryDirectory(prefix="lymphokit-") as folder:
        unpacked = Path(folder) / source.stem
        unpack(source, unpacked)
        return _check_folder(unpacked, source, config)


def _check_folder(folder: Path, source: Path, config: "Config") -> int:
    """Check a cohort and the sets of single cells beside `source`, the download it is from."""
    from lymphokit.imaging.cell_set_checks import run_all
    from lymphokit.imaging.check import Cohort, check_cohort

    settings = config.cohort
    cohort, *sentences = run_all(
        [
            lambda: check_cohort(
                folder,
                image_size=settings.image_size,
                reference_date=settings.reference_date,
                on_error=settings.on_error,
                ranges=settings.ranges.model_dump(),
                allow=settings.allow,
                known_duplicates=[each.model_dump() for each in config.audit.known_duplicates],
            ),
            *_cell_set_checks(source, config),
        ]
    )
    assert isinstance(cohort, Cohort)
    for note in cohort.notes:
        _print(note)
    labelled = cohort.patients.query("part == 'train'")
    OUT.print(
        f"{len(labelled)} labelled patients ({labelled['label'].sum()} tumoral), "
        f"{len(cohort.patients) - len(labelled)} to predict, {len(cohort.cells):,} cells: "
        "no fault found"
    )
    for sentence in sentences:
        _print(str(sentence))
    return 0


def _cell_set_checks(source: Path, config: "Config") -> "list[Callable[[], Cohort | str]]":
    """A check of each set of single cells that a run on this download would read."""
    from lymphokit.cohort import blood_cells, labelled_cells
    from lymphokit.cohort.raw import RawChoice
    from lymphokit.imaging.cell_set_checks import check_blood_cells, check_labelled_cells

    choice = RawChoice("", source, source.is_file(), "")
    labelled = labelled_cells.locate(config.labelled_cells, choice, Path())
    blood = blood_cells.locate(config.blood_cells.folder, choice, Path())
    parts, share = config.pseudo_label.model_dump(), config.blood_cells.validation
    checks: list[Callable[[], Cohort | str]] = []
    if labelled is not None:
        checks.append(
            lambda: f"{check_labelled_cells(labelled, parts)} labelled cells: no fault found"
        )
    if blood is not None:
        checks.append(lambda: f"{check_blood_cells(blood, share)} blood cells: no fault found")
    return checks


def _simulate(options: argparse.Namespace) -> int:
    from lymphokit.simulation.cohort import simulate

    config = _read_config(options.config, seed=options.seed, signal=options.signal)
    root = user_path(options.folder, "simulate")
    try:
        truth = root.with_name(f"{root.name}-truth") if root.name else root
        for folder in (root, truth):
            if folder.exists():
                raise LymphokitError(f"{folder} exists: name a new folder")
        simulate(root, truth, **config.simulate.model_dump())
    except OSError as error:
        finding = f"cannot write {root}: {error.strerror}; name another folder"
        raise LymphokitError(finding) from error
    _print(f"a cohort in {root}: snakemake submission --config raw={shlex.quote(str(root))}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from lymphokit.leaderboard.compare import LEDGER, compare
    from lymphokit.leaderboard.compare_figure import comparison_figure
    from lymphokit.leaderboard.compare_text import report

    # `submissions/*.csv` matches the ledger as well.
    files = [path for path in options.files if path.name != LEDGER]
    comparison = compare(files, options.public, options.oof)
    for part in report(comparison):
        OUT.print(part, highlight=False)
    _save(comparison_figure(comparison), options.figure or files[0].parent / "compare.png")
    return 0


def _board(options: argparse.Namespace) -> int:
    from lymphokit.leaderboard.board import board_summary, board_table, boards
    from lymphokit.leaderboard.board_figure import board_figure

    found = boards(options.ledger, options.public)
    for board in found:
        summary = f"[bold]{escape(board_summary(board))}[/]\n"
        OUT.print(board_table(board), summary, sep="\n", highlight=False)
    scored = [board for board in found if len(board.scored)]
    if scored:
        _save(board_figure(scored), options.figure or options.ledger.parent / "board.png")
    return 0


def _save(figure: "Figure", path: Path) -> None:
    """Write a figure and print its path.

    Raises LymphokitError where it cannot be written.
    """
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:  # a missing folder; a suffix that is not an image's
        raise LymphokitError(f"cannot write the figure {path}: {error}; give --figure") from error
    _print(f"figure: {path}")


if __name__ == "__main__":
    sys.exit(main())

"""The command `lymphokit`: parse, call, exit code."""

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

import lymphokit
from lymphokit.errors import LymphokitError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OUT = Console()
ERR = Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; 0 if all is well, 1 if something is wrong and was said."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except LymphokitError as error:
        ERR.print(str(error), highlight=False, markup=False, soft_wrap=True)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lymphokit", description=lymphokit.__doc__)
    commands = parser.add_subparsers(required=True)

    doctor = commands.add_parser("doctor", help="say what this machine can do")
    doctor.set_defaults(run=_doctor)

    check = commands.add_parser("check", help="check a download: tables, folders, every image")
    check.add_argument("raw", type=Path, help="folder in the layout of the Kaggle download")
    check.add_argument("--config", type=Path, default=Path("config.yaml"))
    check.set_defaults(run=_check)

    simulate = commands.add_parser("simulate", help="draw a cohort in the layout of the download")
    simulate.add_argument(
        "folder", type=Path, help="new folder; what only a simulation knows goes beside it"
    )
    simulate.add_argument("--seed", type=int, help="another seed than the configured one")
    simulate.add_argument("--signal", type=float, help="0 none to 1 as configured")
    simulate.add_argument("--config", type=Path, default=Path("config.yaml"))
    simulate.set_defaults(run=_simulate)

    _add_compare(commands.add_parser("compare", help="how submissions differ, and is it noise?"))
    _add_board(commands.add_parser("board", help="out-of-fold scores against the board's"))
    return parser


def _add_compare(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("files", type=Path, nargs="+", metavar="CSV", help="two or more")
    compare.add_argument(
        "--oof", type=float, nargs="+", default=[], metavar="SCORE", help="out-of-fold balanced "
        "accuracies in place of the ledger's: one a file in their order, or one for all"
    )  # fmt: skip
    for name, what in {
        "sensitivity": "recall of tumoral",
        "specificity": "recall of reactive",
    }.items():
        compare.add_argument(
            f"--{name}", type=float, nargs="+", default=[], metavar="SHARE",
            help=f"out-of-fold {what} patients, in place of --oof",
        )  # fmt: skip
    compare.add_argument(
        "--oof-patients", type=float, metavar="N", help="labelled patients behind these scores"
    )
    compare.add_argument("--tumoral-share", type=float, metavar="SHARE", help="in training")
    compare.add_argument("--ledger", type=Path, help="instead of ledger.csv beside the files")
    _add_public_and_figure(compare, "compare.png beside the first file")
    compare.set_defaults(run=_compare)


def _add_board(board: argparse.ArgumentParser) -> None:
    usual = Path("submissions") / "ledger.csv"
    board.add_argument("ledger", type=Path, nargs="?", default=usual, help=f"{usual} if left out")
    board.add_argument("--test-patients", type=int, metavar="N", help="where no file tells")
    _add_public_and_figure(board, "board.png beside the ledger")
    board.set_defaults(run=_board)


def _add_public_and_figure(command: argparse.ArgumentParser, usual: str) -> None:
    command.add_argument(
        "--public", type=float, default=0.5, metavar="SHARE",
        help="of the test patients on the public board, as the competition's page tells; 0.5",
    )  # fmt: skip
    picture = command.add_mutually_exclusive_group()
    picture.add_argument("--figure", type=Path, metavar="PNG", help=f"{usual} if left out")
    picture.add_argument("--no-figure", action="store_true", help="words alone")


def _settings(path: Path) -> dict[str, object]:
    from lymphokit import config  # half a second, which `compare` does not need

    if not path.exists():
        raise LymphokitError(f"no {path} here: run in lymphokit's folder, or give --config")
    return config.validate(config.read_yaml(path))


def _doctor(options: argparse.Namespace) -> int:  # noqa: ARG001
    import torch

    from lymphokit.cohort.raw import locate

    table = Table(show_header=False, box=None)
    table.add_row("python", platform.python_version())
    for package in ("snakemake", "torch", "timm", "lightgbm", "xgboost", "scikit-learn"):
        table.add_row(package, importlib.metadata.version(package))
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none, all runs on the CPU"
    table.add_row("GPU", gpu)
    table.add_row("cores", str(os.cpu_count()))
    table.add_row("data", locate("auto", Path()).sentence())
    OUT.print(table)
    return 0


def _check(options: argparse.Namespace) -> int:
    from lymphokit import config
    from lymphokit.imaging.check import check_cohort

    settings = config.Config.model_validate(_settings(options.config)).cohort
    cohort = check_cohort(
        options.raw,
        image_size=settings.image_size,
        reference_date=settings.reference_date,
        on_error=settings.on_error,
    )
    labelled = cohort.patients.query("part == 'train'")
    OUT.print(
        f"{len(labelled)} labelled patients ({labelled['label'].sum()} tumoral), "
        f"{len(cohort.patients) - len(labelled)} to predict, {len(cohort.cells):,} cells: "
        "nothing wrong"
    )
    return 0


def _simulate(options: argparse.Namespace) -> int:
    from lymphokit import config
    from lymphokit.simulation.cohort import simulate

    settings = config.Config.model_validate(_settings(options.config)).simulate.model_dump()
    asked = {"seed": options.seed, "signal": options.signal}
    settings |= {key: value for key, value in asked.items() if value is not None}
    truth = options.folder.with_name(f"{options.folder.name}-truth")
    for folder in (options.folder, truth):
        if folder.exists():
            raise LymphokitError(f"{folder} exists: name a new folder")
    simulate(options.folder, truth, **settings)
    OUT.print(f"a cohort in {options.folder}: snakemake submission --config raw={options.folder}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from lymphokit.leaderboard.assumed import Asked
    from lymphokit.leaderboard.compare import compare
    from lymphokit.leaderboard.compare_text import told

    if options.oof and (options.sensitivity or options.specificity):
        raise LymphokitError("--oof or --sensitivity and --specificity: give one or the other")
    asked = Asked(
        public=options.public,
        recall=tuple(options.oof or options.sensitivity),
        specificity=tuple(options.oof or options.specificity),
        patients=options.oof_patients,
        tumoral_share=options.tumoral_share,
        ledger=options.ledger,
    )
    comparison = compare(options.files, asked)
    for part in told(comparison):
        _wide().print(part, highlight=False)
    if not options.no_figure:
        from lymphokit.leaderboard.compare_figure import comparison_figure

        usual = options.files[0].parent / "compare.png"
        _save(comparison_figure(comparison), options.figure or usual)
    return 0


def _board(options: argparse.Namespace) -> int:
    from lymphokit.leaderboard.board import boards
    from lymphokit.leaderboard.board_figure import board_figure, board_table, said, scored

    found = boards(options.ledger, public=options.public, test_patients=options.test_patients)
    for board in found:
        _wide().print(board_table(board), f"[bold]{said(board)}[/]\n", sep="\n", highlight=False)
    if any(scored(board) for board in found) and not options.no_figure:
        _save(board_figure(found), options.figure or options.ledger.parent / "board.png")
    return 0


def _wide() -> Console:
    """The terminal; where there is none, as in a pipe, wide enough for a table."""
    return OUT if OUT.is_terminal else Console(width=120)


def _save(figure: "Figure", path: Path) -> None:
    """Write a picture and say where.

    Raises LymphokitError where it cannot be written.
    """
    try:
        figure.savefig(path, dpi=110)
    except (
        OSError,
        ValueError,
    ) as error:  # a folder that is not there; a suffix that is no picture's
        raise LymphokitError(
            f"no picture in {path}: {error}; give --figure or --no-figure"
        ) from error
    OUT.print(f"picture: {path}", highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())

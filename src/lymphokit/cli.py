"""The command `lymphokit`: parse, call, exit code."""

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

import lymphokit
from lymphokit import config
from lymphokit.errors import LymphokitError

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
    return parser


def _settings(path: Path) -> dict[str, object]:
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
    from lymphokit.cohort.demo import simulate

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


if __name__ == "__main__":
    sys.exit(main())

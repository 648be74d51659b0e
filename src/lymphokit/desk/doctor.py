"""What this machine can do for a run: each check passes, fails, or notes what goes without."""

import importlib.metadata
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
from rich.markup import escape
from rich.table import Table

from lymphokit.desk.run_plan import HERE, read_plan
from lymphokit.errors import LymphokitError
from lymphokit.plan import Plan

_PACKAGES = ("snakemake", "torch", "timm", "lightgbm", "xgboost", "scikit-learn")
_STYLES = {"pass": "green", "note": "yellow", "fail": "bold red"}
_GB = 1e9
_MEMORY, _DISK = 2.0, 2.0  # GB, some times what the main job on the simulated cohort takes
_WEIGHTS = "docs/data.md has where optional cells and weights go"
_VISION_AHEAD = 15  # torchvision 0.(n + 15) belongs to torch 2.n


@dataclass(frozen=True)
class Line:
    """One check: what was looked at and found, and what to do about a failure or a note."""

    name: str
    verdict: Literal["pass", "note", "fail"]
    found: str
    remedy: str = ""


def examine(root: Path) -> list[Line]:
    """All checks, for a run in the folder `root`."""
    return [_python(), *_packages(), _vision(), *_device(), *_room(root), *_data(root)]


def doctor_table(lines: list[Line]) -> Table:
    """Tabulate the checks, the remedies of those that do not pass below them."""
    table = Table(show_header=False, box=None)
    for line in lines:
        remedy = f"\n{line.remedy}" if line.remedy else ""
        verdict = f"[{_STYLES[line.verdict]}]{line.verdict}[/]"
        table.add_row(verdict, line.name, escape(f"{line.found}{remedy}"))
    return table


def _line(name: str, passes: bool, found: str, remedy: str, *, needed: bool = True) -> Line:
    if passes:
        return Line(name, "pass", found)
    return Line(name, "fail" if needed else "note", found, remedy)


def _python() -> Line:
    new = sys.version_info >= (3, 11)
    return _line("python", new, platform.python_version(), "make PYTHON=python3.11")


def _packages() -> list[Line]:
    found: list[Line] = []
    for package in _PACKAGES:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            version = ""
        found.append(
            _line(package, bool(version), version or "is missing", "`make env` installs it")
        )
    return found


def _vision() -> Line:
    """Whether torchvision was built for this torch; others fail at the first network."""
    torch, vision = _minor("torch"), _minor("torchvision")
    found = f"torchvision {_version('torchvision')} with torch {_version('torch')}"
    expected = None if torch is None else torch + _VISION_AHEAD
    remedy = f"`make env` installs those of constraints.txt (torchvision 0.{expected})"
    return _line("torchvision", vision is not None and vision == expected, found, remedy)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _minor(package: str) -> int | None:
    parts = _version(package).split(".")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else None


def _device() -> list[Line]:
    import torch

    if not torch.cuda.is_available():
        remedy = "config/quick.yaml and config/cpu.yaml are the presets for the CPU"
        return [Line("GPU", "note", "none, the CPU is used", remedy)]
    without = "networks are trained in single precision, which takes longer"
    bf16 = torch.cuda.is_bf16_supported()
    return [
        Line("GPU", "pass", torch.cuda.get_device_name()),
        _line("bf16", bf16, "yes" if bf16 else "no", without, needed=False),
    ]


def _room(root: Path) -> list[Line]:
    memory, disk = psutil.virtual_memory().available / _GB, shutil.disk_usage(root).free / _GB
    smaller = "run with fewer --cores, and close what else runs"
    return [
        Line("cores", "pass", str(os.cpu_count())),
        _line("memory", memory >= _MEMORY, f"{memory:.1f} GB free", smaller),
        _line("disk", disk >= _DISK, f"{disk:.1f} GB free", f"free {_DISK:.0f} GB, or move"),
    ]


def _data(root: Path) -> list[Line]:
    """The data that a run would use, and the models that would run on it."""
    if not (root / "config.yaml").is_file():
        return [Line("data", "note", f"no config.yaml in {root.absolute()}", HERE)]
    try:
        plan = read_plan(root)
    except LymphokitError as error:
        return [Line("data", "fail", "the data or the settings cannot be used", str(error))]
    return [Line("data", "pass", plan.source.sentence()), *_models(plan)]


def _models(plan: Plan) -> list[Line]:
    """Models of the main job, and those that rest without their data or weights, by reason."""
    reasons: dict[str, list[str]] = {}
    for name, reason in plan.resting.items():
        reasons.setdefault(reason, []).append(name)
    resting = [
        Line("at rest", "note", ", ".join(names), f"{reason}: {_WEIGHTS}")
        for reason, names in reasons.items()
    ]
    return [Line("models", "pass", ", ".join(plan.models)), *resting]


def plain_lines(lines: list[Line]) -> list[dict[str, Any]]:
    """The checks as plain data, for `--json`."""
    return [vars(line) for line in lines]

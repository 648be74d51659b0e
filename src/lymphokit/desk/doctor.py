"""What this machine can do for a run: each check passes, fails, or notes what goes without."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
from rich.markup import escape
from rich.table import Table

from lymphokit.desk.forecast import forecast
from lymphokit.desk.run_plan import HERE, read_plan
from lymphokit.errors import LymphokitError
from lymphokit.plan import Plan, by_reason
from lymphokit.provenance import machine

_PACKAGES = ("snakemake", "torch", "timm", "lightgbm", "xgboost", "scikit-learn")
_STYLES = {"pass": "green", "note": "yellow", "fail": "bold red"}
_GB = 1e9
_MEMORY, _DISK = 2.0, 2.0  # GB, where the run is not known
_WEIGHTS = "docs/data.md has where optional cells and weights go"
_VISION_AHEAD = 15  # torchvision 0.(n + 15) belongs to torch 2.n


@dataclass(frozen=True)
class Line:
    """One check: what was looked at and found, and what to do about a failure or a note."""

    name: str
    verdict: Literal["pass", "note", "fail"]
    found: str
    remedy: str = ""


def examine(root: Path, overlays: Sequence[Path] = ()) -> list[Line]:
    """All checks, for a run in the folder `root`; overlays: files of settings over config.yaml."""
    basics = [_python(), *_packages(), _vision(), *_device()]
    if not (root / "config.yaml").is_file():
        missing = Line("data", "note", f"no config.yaml in {root.absolute()}", HERE)
        return [*basics, *_room(root, None), missing]
    try:
        plan = read_plan(root, overlays)
    except LymphokitError as error:
        fault = Line("data", "fail", "the data or the settings cannot be used", str(error))
        return [*basics, *_room(root, None), fault]
    return [*basics, *_room(root, plan), *_data(plan)]


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
    versions = {package: _version(package) for package in _PACKAGES}
    remedy = "`make env` installs it"
    return [
        _line(package, bool(version), version or "is missing", remedy)
        for package, version in versions.items()
    ]


def _vision() -> Line:
    """Whether torchvision was built for this torch; others fail at the first network."""
    torch, vision = _minor("torch"), _minor("torchvision")
    found = " with ".join(
        f"{name} {_version(name) or 'missing'}" for name in ("torchvision", "torch")
    )
    expected = None if torch is None else torch + _VISION_AHEAD
    remedy = f"`make env` installs those of constraints.txt (torchvision 0.{expected})"
    return _line("torchvision", vision is not None and vision == expected, found, remedy)


def _version(package: str) -> str:
    """The version of an installed package, empty where it is missing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _minor(package: str) -> int | None:
    parts = _version(package).split(".")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else None


def _device() -> list[Line]:
    import torch

    if not torch.cuda.is_available():
        remedy = "config/quick.yaml and config/cpu.yaml are the presets for the CPU"
        return [Line("GPU", "note", "none, the CPU is used", remedy), _cpu_bf16()]
    without = "networks are trained in single precision, which takes longer"
    bf16 = torch.cuda.is_bf16_supported()
    return [
        Line("GPU", "pass", torch.cuda.get_device_name()),
        _line("bf16", bf16, "yes" if bf16 else "no", without, needed=False),
    ]


def _cpu_bf16() -> Line:
    """Whether the CPU computes in bfloat16, which halves the time of networks."""
    bf16 = "bf16" in machine(gpu=False)
    remedy = "nothing to do: `precision: auto` takes float32 here"
    return _line("bf16", bf16, "yes" if bf16 else "not on this CPU", remedy, needed=False)


def _room(root: Path, plan: Plan | None) -> list[Line]:
    """Free memory and disk, against what the configured run needs."""
    coming = forecast(plan, {}) if plan else None
    memory, disk = psutil.virtual_memory().available / _GB, shutil.disk_usage(root).free / _GB
    needed = coming.memory_gb if coming else _MEMORY
    results = (
        coming.disk_gb - _size_gb(root / "results" / plan.cohort) if coming and plan else _DISK
    )
    found = "{:.1f} GB free, {:.1f} GB needed".format
    smaller = "run with fewer --cores, and close what else runs"
    larger = f"free {max(results, 0):.1f} GB, or move the folder to a larger disk"
    return [
        Line("cores", "pass", str(os.cpu_count())),
        _line("memory", memory >= needed, found(memory, needed), smaller),
        _line("disk", disk >= results, found(disk, max(results, 0)), larger),
    ]


def _size_gb(folder: Path) -> float:
    """Size of the files below a folder: what an earlier run left needs no room again."""
    found = (path.lstat() for path in folder.rglob("*") if path.is_file())
    return sum({each.st_ino: each.st_size for each in found}.values()) / _GB  # links count once


def _data(plan: Plan) -> list[Line]:
    """The data that a run would use, the models that would run on it, and their weights."""
    return [Line("data", "pass", plan.source.sentence()), *_models(plan), _weights(plan)]


def _weights(plan: Plan) -> Line:
    """Whether pretrained weights of the networks that the models read are in reach."""
    missing = dict.fromkeys(
        reason.partition(":")[0].removeprefix("backbone ")
        for reason in plan.resting.values()
        if reason.startswith("backbone ")
    )
    read = {plan.block(name).get("features") for name in plan.approaches}
    found = {
        name: Path(str(plan.backbone(name)["weights"])).name
        for name in plan.settings["backbones"]
        if name in read
    }
    texts = [f"{name} from {where}" for name, where in found.items() if where != "none"]
    texts += [f"{name} random" for name, where in found.items() if where == "none"]
    texts += [f"{name} missing" for name in missing]
    text = ", ".join(texts) or "no model reads a pretrained network"
    remedy = f"put a file of them in data/weights, or set `weights: none`: {_WEIGHTS}"
    return _line("weights", not missing, text, remedy, needed=False)


def _models(plan: Plan) -> list[Line]:
    """Models of the main job, and those that rest without their data or weights, by reason."""
    resting = [
        Line("at rest", "note", ", ".join(names), f"{reason}: {_WEIGHTS}")
        for reason, names in by_reason(plan.resting).items()
    ]
    return [Line("models", "pass", ", ".join(plan.models)), *resting]


def plain_lines(lines: list[Line]) -> list[dict[str, Any]]:
    """The checks as plain data, for `--json`."""
    return [vars(line) for line in lines]

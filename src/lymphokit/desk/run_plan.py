"""What a run would do with the data and settings at hand, and how long its jobs took before."""

import csv
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from lymphokit import config
from lymphokit.cohort.raw import locate
from lymphokit.errors import LymphokitError
from lymphokit.folders import is_regular
from lymphokit.plan import Plan, has_gpu, make_plan

HERE = "run in lymphokit's folder"
_GB = 1e9


def read_plan(root: Path, overlays: Sequence[Path] = ()) -> Plan:
    """The plan of a run in the folder `root`, as the Snakefile makes it.

    overlays: files of settings over those of config.yaml, as for `snakemake --configfile`.
    Raises LymphokitError for settings or data that cannot be used.
    """
    path = root / "config.yaml"
    if not path.is_file():
        raise LymphokitError(f"there is no config.yaml in {root.absolute()}: {HERE}")
    settings, over = config.read_yaml(path), config.merge({}, *map(config.read_yaml, overlays))
    order = tuple(settings.get("models") or ())
    source = locate(str({**settings, **over}.get("raw", "auto")), root)
    demo = {} if source.source else config.read_yaml(root / "config" / "demo.yaml")
    return make_plan(config.merge(settings, demo, over), source, order, root)


def describe_plan(plan: Plan, root: Path) -> dict[str, Any]:
    """What a run would do, by name; times are those of the jobs that ran in `root` before."""
    seconds = list(_seconds(root / "logs" / plan.cohort))
    return {
        "data": plan.source.sentence(),
        "cohort": plan.cohort,
        "submission": str(plan.settings["submission"]["blend"]),
        "models": list(plan.models),
        "at_rest": dict(plan.resting),
        "folds": len(plan.folds),
        "fits": len(plan.folds) * len(plan.models),
        "feature_banks": sorted(plan.banks),
        "gpu": has_gpu(),
        "memory_free_gb": round(psutil.virtual_memory().available / _GB, 1),
        "disk_free_gb": round(shutil.disk_usage(root).free / _GB, 1),
        "jobs_measured": len(seconds),
        "seconds_measured": round(sum(seconds), 1),
    }


def plan_lines(found: dict[str, Any]) -> Iterator[str]:
    """The description as lines for people."""
    yield found["data"]
    yield f"submitted: {found['submission']}, results in results/{found['cohort']}"
    yield f"models that run: {', '.join(found['models'])}"
    for reason in dict.fromkeys(found["at_rest"].values()):
        names = ", ".join(name for name, why in found["at_rest"].items() if why == reason)
        yield f"models at rest: {names} ({reason})"
    yield (
        f"{found['fits']} fits ({len(found['models'])} models in {found['folds']} folds), "
        f"features: {', '.join(found['feature_banks'])}"
    )
    yield (
        f"{'a GPU' if found['gpu'] else 'no GPU'}, {found['memory_free_gb']} GB of memory and "
        f"{found['disk_free_gb']} GB of disk free"
    )
    if found["jobs_measured"]:
        minutes = found["seconds_measured"] / 60
        yield (
            f"time: {found['jobs_measured']} jobs that ran here took {minutes:.1f} minutes, one "
            "after another; `snakemake --dry-run` lists those still to run"
        )
    else:
        yield "time: no job of this cohort ran here yet; README has that of the simulated cohort"


def _seconds(folder: Path) -> Iterator[float]:
    """Durations in the benchmark tables of jobs; a table that was cut short is left out."""
    for path in sorted(folder.rglob("*.tsv")):
        if is_regular(path):
            with path.open(encoding="utf-8", errors="replace", newline="") as file:
                for row in csv.DictReader(file, delimiter="\t"):
                    text = row.get("s") or ""
                    if text.replace(".", "", 1).isdecimal():
                        yield float(text)

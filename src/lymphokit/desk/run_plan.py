"""What a run would do with the data and settings at hand, and what it would take."""

import csv
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from lymphokit import config
from lymphokit.cohort.raw import locate
from lymphokit.desk.forecast import fitted_models, forecast
from lymphokit.errors import LymphokitError
from lymphokit.folders import is_regular
from lymphokit.plan import Plan, has_gpu, lines_by_reason, make_plan

HERE = "run in lymphokit's folder"
_GB = 1e9
_SCORED = "enabled: scored, for `snakemake approaches`"


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
    """What a run would do, by name, and the forecast of what it takes.

    The times of jobs that ran in `root` before are used in place of the constants.
    """
    seconds = dict(_seconds(root / "logs" / plan.cohort))
    coming = forecast(plan, seconds)
    return {
        "data": plan.source.sentence(),
        "cohort": plan.cohort,
        "cells": coming.cells,
        "submission": str(plan.settings["submission"]["blend"]),
        "models": list(plan.models),
        "at_rest": dict(plan.resting),
        "switched_off": switched_off(plan),
        "folds": len(plan.folds),
        "fits": len(plan.folds) * len(fitted_models(plan)),
        "feature_banks": sorted(plan.banks),
        "jobs": len(coming.jobs),
        "jobs_measured": len(seconds),
        "seconds_measured": round(sum(seconds.values()), 1),
        "seconds_forecast": round(coming.seconds),
        "seconds_of_networks": round(coming.on_gpu),
        "longest_job": coming.longest.name,
        "cores": coming.cores,
        "gpu": has_gpu(),
        "memory_needed_gb": round(coming.memory_gb, 1),
        "memory_free_gb": round(psutil.virtual_memory().available / _GB, 1),
        "disk_needed_gb": round(coming.disk_gb, 1),
        "disk_free_gb": round(shutil.disk_usage(root).free / _GB, 1),
    }


def switched_off(plan: Plan) -> dict[str, str]:
    """The models that neither run nor rest, and why."""
    reasons = {
        False: "enabled: false",
        True: "nothing that is submitted reads it",
        "scored": _SCORED,
    }
    blocks = plan.settings["models"]
    return {
        name: reasons[block["enabled"]]
        for name, block in blocks.items()
        if name not in plan.models and name not in plan.resting
    }


def plan_lines(found: dict[str, Any]) -> Iterator[str]:
    """The description as lines for people."""
    yield found["data"]
    yield f"submitted: {found['submission']}, results in results/{found['cohort']}"
    yield f"models that run: {', '.join(found['models'])}"
    yield from lines_by_reason("models at rest", found["at_rest"])
    yield from lines_by_reason("models left out", found["switched_off"])
    yield (
        f"{found['jobs']:,} jobs, {found['fits']} of them fits (a model in one of "
        f"{found['folds']} folds), on {found['cells']:,} cells; features: "
        f"{', '.join(found['feature_banks'])}"
    )
    yield from _time_lines(found)
    yield (
        f"memory: {found['memory_needed_gb']} GB needed, {found['memory_free_gb']} GB free; disk: "
        f"{found['disk_needed_gb']} GB needed, {found['disk_free_gb']} GB free"
    )


def _time_lines(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"time from nothing to the CSV: about {duration(found['seconds_forecast'])} on "
        f"{found['cores']} cores, {duration(found['seconds_of_networks'])} of it in networks; "
        f"longest job: {found['longest_job']}"
    )
    if found["gpu"]:
        yield "a GPU is used: networks take less than this, which is the time of a CPU"
    else:
        yield "no GPU: config/gpu.yaml is for a machine that has one"
    if found["jobs_measured"]:
        yield (
            f"{found['jobs_measured']:,} jobs ran here before and took "
            f"{duration(found['seconds_measured'])}, one after another; those of this run "
            "count with that time; `snakemake --dry-run` lists those still to run"
        )


def duration(seconds: float) -> str:
    """A duration in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _seconds(folder: Path) -> Iterator[tuple[str, float]]:
    """Names and durations of the benchmark tables of jobs; one that was cut short is left out."""
    for path in sorted(folder.rglob("*.tsv")):
        if is_regular(path):
            with path.open(encoding="utf-8", errors="replace", newline="") as file:
                for row in csv.DictReader(file, delimiter="\t"):
                    text = row.get("s") or ""
                    if text.replace(".", "", 1).isdecimal():
                        yield path.relative_to(folder).with_suffix("").as_posix(), float(text)

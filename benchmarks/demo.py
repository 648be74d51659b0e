"""The demo from nothing: seconds, CPU time, and when each job ran, as a Gantt chart.

    python benchmarks/demo.py [--runs 1] [--figure docs/demo_jobs.png] [--folder <a finished run>]

Each run is the main job on the simulated cohort in a copy of this checkout, on two cores. The floor
is the CPU time of all its processes on both cores at once, without an idle moment. The chart shows
the last run; `--folder` draws that of a run that has ended, and runs nothing.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from job_server import ROOT, copied, cpu_of_children, environment_of
from lymphokit.figures.style import BLUE, CAPTION, clean_axes

FIGURE = ROOT / "docs" / "demo_jobs.png"
CORES, NAMED = 2, 4.0  # seconds from which a job has its name in the chart


@dataclass(frozen=True, order=True)
class Job:
    """A job of a run: start and end in seconds since the first one's start."""

    start: float
    end: float
    rule: str


def jobs_of(folder: Path, cohort: str) -> list[Job]:
    """The jobs that Snakemake recorded for the results of a cohort, one for all its outputs."""
    records = folder / ".snakemake" / "metadata"
    found = {}  # by the log, of which every job has its own
    for file in records.rglob("*"):
        if not file.is_file():
            continue
        output = b64decode(file.relative_to(records).as_posix().replace("/", "")).decode()
        if output.startswith(f"results/{cohort}/"):
            record = json.loads(file.read_text())
            job = Job(record["starttime"], record["endtime"], record["rule"])
            found[tuple(record["log"])] = job
    began = min(job.start for job in found.values())
    return sorted(Job(job.start - began, job.end - began, job.rule) for job in found.values())


def rows_of(jobs: list[Job]) -> list[int]:
    """A row for each job, the first that is free when it starts."""
    ends: list[float] = []
    rows = []
    for job in jobs:
        free = [row for row, end in enumerate(ends) if end <= job.start + 0.05]
        row = free[0] if free else len(ends)
        ends[row : row + 1] = [job.end]
        rows.append(row)
    return rows


def chart(jobs: list[Job]) -> Figure:
    """A bar for each job, in as few rows as jobs ran at once."""
    rows = rows_of(jobs)
    figure = Figure(figsize=(10, 1.2 + 0.6 * (max(rows) + 1)), layout="constrained")
    axes = figure.subplots()
    clean_axes(axes)
    for job, row in zip(jobs, rows, strict=True):
        axes.barh(row, job.end - job.start, left=job.start, height=0.8, color=BLUE, edgecolor="w")
        if job.end - job.start >= NAMED and job.rule != "fit":
            place = (job.start + job.end) / 2
            axes.text(place, row, job.rule, ha="center", va="center", fontsize=6, color="w")
    axes.set(xlabel="seconds", yticks=[], ylim=(max(rows) + 0.6, -0.6))
    wall = max(job.end for job in jobs)
    axes.set_title(f"{len(jobs)} jobs of the demo in {wall:.0f} s, {CORES} cores", **CAPTION)
    return figure


def run(folder: Path) -> tuple[float, float]:
    """Seconds and CPU seconds of the main job from nothing."""
    copied(folder)
    before, began = cpu_of_children(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", str(CORES), "submission"],
        cwd=folder,
        env=environment_of(folder),
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began, cpu_of_children() - before


def main() -> None:
    """Run the demo, print its figures, draw its chart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.folder:
        chart(jobs_of(arguments.folder, "demo")).savefig(arguments.figure, dpi=110)
        return
    figures = []
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory() as folder:
            figures.append(run(Path(folder)))
            jobs = jobs_of(Path(folder), "demo")
    chart(jobs).savefig(arguments.figure, dpi=110)
    wall, cpu = (statistics.median(each) for each in zip(*figures, strict=True))
    busy = sum(job.end - job.start for job in jobs)
    print(f"{len(jobs)} jobs, {busy:.0f} s of their time, {cpu:.0f} s of CPU time in all processes")
    print(
        f"RATIO demo: {wall:.0f} s against {cpu / CORES:.0f} s, its CPU time on {CORES} cores: "
        f"{wall * CORES / cpu:.2f}x the floor (target 120 s), {arguments.runs} run"
    )


if __name__ == "__main__":
    main()

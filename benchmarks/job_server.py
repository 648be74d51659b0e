"""The main job with a fresh Python for every job, and with forks of the job server.

    python benchmarks/job_server.py [--configfile config/demo.yaml] [--repeats 5]

Each run starts in a copy of this checkout without results. Prints seconds and seconds of CPU time
of both (the median); all tables and arrays must have the same bytes. The ratios are printed last.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "config.yaml", "environment.yml", "config", "profiles", "workflow", "src")
COMPARED = (".csv", ".npy", ".npz")
WAYS = {"fresh": ["--no-hooks"], "forked": []}  # the server is started by a hook


def main() -> None:
    """Run both ways in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", type=Path, default=ROOT / "tests/workflow/tiny.yaml")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    runs: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    contents = set()
    for _ in range(arguments.repeats):
        for way, options in WAYS.items():
            seconds, cpu_seconds, digest = run(arguments.configfile.resolve(), options)
            runs[way].append((seconds, cpu_seconds))
            contents.add(digest)
    if len(contents) > 1:
        raise SystemExit("the results differ")
    medians = {
        way: [statistics.median(column) for column in zip(*figures, strict=True)]
        for way, figures in runs.items()
    }
    for way, (seconds, cpu_seconds) in medians.items():
        print(f"{way}: {seconds:.0f} s, {cpu_seconds:.0f} s of CPU time")
    ratios = [a / b for a, b in zip(medians["fresh"], medians["forked"], strict=True)]
    print(
        f"RATIO main job, small cohort: forks of a server against a Python for every job: "
        f"{ratios[0]:.1f}x by the clock, {ratios[1]:.1f}x in CPU time, results of the same bytes"
    )


def run(configfile: Path, options: list[str]) -> tuple[float, float, str]:
    """Seconds, seconds of CPU time and digest of the results of one run from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        copied(Path(folder))
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "submission", *options]
        before, start = cpu_of_children(), time.perf_counter()
        subprocess.run(
            [*command, "--configfile", str(configfile)],
            cwd=folder,
            env=environment_of(Path(folder)),
            check=True,
            stderr=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - start
        return seconds, cpu_of_children() - before, digest_of(Path(folder) / "results")


def copied(folder: Path) -> None:
    """Copy this checkout, without results, into a folder."""
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)


def environment_of(folder: Path) -> dict[str, str]:
    """The variables with which Python imports the package of a copy."""
    return {**os.environ, "PYTHONPATH": str(folder / "src")}


def cpu_of_children() -> float:
    """Seconds of CPU time of all processes that this one waited for, and theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def digest_of(folder: Path) -> str:
    """Digest of the names and contents of all tables and arrays."""
    digest = sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in COMPARED:
            digest.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()

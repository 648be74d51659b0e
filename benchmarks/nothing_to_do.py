"""A second `snakemake submission` with nothing to do, against an empty Snakefile.

    python benchmarks/nothing_to_do.py [--repeats 5]

The main job runs once, on the cohort of the tests, in a copy of this checkout; then both take
turns. The ratio is printed last.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from job_server import ROOT, copied, environment_of

EMPTY = "rule all:\n    input: []\n"


def seconds(command: list[str], folder: Path) -> float:
    """Seconds of a command that must succeed."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *command],
        cwd=folder,
        env=environment_of(folder),
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def main() -> None:
    """Run the main job, then both in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as kit, tempfile.TemporaryDirectory() as empty:
        copied(Path(kit))
        (Path(empty) / "Snakefile").write_text(EMPTY)
        ours = ["submission", "--configfile", str(ROOT / "tests/workflow/tiny.yaml")]
        first = seconds(ours, Path(kit))
        runs = [(seconds(ours, Path(kit)), seconds(["all"], Path(empty))) for _ in range(repeats)]
    nothing, floor = (statistics.median(each) for each in zip(*runs, strict=True))
    print(f"main job {first:.0f} s; again {nothing:.2f} s; an empty Snakefile {floor:.2f} s")
    print(
        f"RATIO nothing to do: the kit against an empty Snakefile: {nothing / floor:.2f}x the time "
        f"({nothing:.1f} against {floor:.1f} s; target 2.6 s)"
    )


if __name__ == "__main__":
    main()

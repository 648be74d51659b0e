"""Run every benchmark of speed and write what they print to docs/benchmarks.md.

    make benchmarks                        all, about half an hour on two cores
    python benchmarks/run_all.py features  one or more, printed only

Run it on a machine that does nothing else. A script that fails is named in the page; the exit code
is then 1.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from kept_memory import KEPT
from lymphokit.provenance import machine

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
# Fast ones first. Not here, since they measure scores and take hours: coverage_study.py,
# interval_coverage.py, machines.py, mil_benchmarks.py, no_signal.py, and precision.py.
SCRIPTS = (
    *("segmentation", "logistic", "rounds", "refit", "mi_svm", "mi_svm_growth", "attention_mil"),
    *("kept_memory", "features", "autoencoder", "growth", "nothing_to_do", "job_server", "demo"),
)
_PICTURES = """## Pictures

When the jobs of the demo run on two cores, before and after bfloat16 and priorities:

![Jobs of the demo, before](demo_jobs_before.png)

![Jobs of the demo](demo_jobs.png)

MI-SVM's time and memory against the number of cells:

![Growth of MI-SVM](mi_svm_growth.png)
"""
PACKAGES = ("torch", "timm", "numpy", "scikit-learn", "snakemake")


@dataclass(frozen=True)
class Finding:
    """What a script printed: its ratios, everything, its seconds, and whether it ended well."""

    script: str
    ratios: list[str]
    printed: str
    seconds: float
    ended_well: bool


def run(script: str) -> Finding:
    """Run a script; what it prints is shown, too."""
    print(f"== {script}", flush=True)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, HERE / f"{script}.py"],
        env={**os.environ, **KEPT, "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout, flush=True)
    lines = done.stdout.splitlines()
    ratios = [line.removeprefix("RATIO ") for line in lines if line.startswith("RATIO ")]
    seconds = time.perf_counter() - began
    return Finding(script, ratios, done.stdout, seconds, not done.returncode)


def page(findings: list[Finding]) -> str:
    """The page of the documentation: ratios first, then all that was printed."""
    on = f"{machine(gpu=False)}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    rows = [f"| {_row(each)} |" for each in findings]
    printed = [f"## {each.script}\n\n```text\n{each.printed.rstrip()}\n```\n" for each in findings]
    return "\n".join(
        [
            "# Benchmarks\n",
            "Written by `make benchmarks`: each row is what the script of that name in",
            "`benchmarks/` printed, medians of at least five runs (of the demo, one), taken in",
            "turn with the alternative. Each script checks that results agree.",
            "[Growth](growth.md) has the cost of larger cohorts.\n",
            f"{datetime.now(UTC):%Y-%m-%d}; {on}; {packages}.\n",
            "| script | seconds | ratios |\n|---|---:|---|",
            *rows,
            "",
            _PICTURES,
            *printed,
        ]
    )


def _row(finding: Finding) -> str:
    found = finding.ratios or ["printed no ratio"]
    if not finding.ended_well:
        found = ["**failed**, see below"]
    text = "<br>".join(line.replace("|", "/") for line in found)
    return f"`{finding.script}.py` | {finding.seconds:.0f} | {text}"


def main() -> None:
    """Run the scripts that are named, or all and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scripts", nargs="*", metavar="script", help=", ".join(SCRIPTS))
    chosen = parser.parse_args().scripts
    findings = [run(script) for script in chosen or SCRIPTS]
    if not chosen:
        PAGE.write_text(page(findings))
    for finding in findings:
        print("\n".join(finding.ratios or [f"{finding.script}: no ratio"]))
    raise SystemExit(not all(finding.ended_well for finding in findings))


if __name__ == "__main__":
    main()

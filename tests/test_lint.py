"""The workflow is clean by Snakemake's own rules."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_snakemake_finds_nothing_to_lint() -> None:
    command = [sys.executable, "-m", "snakemake", "--lint", "--config", "raw=demo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Congratulations" in done.stdout + done.stderr

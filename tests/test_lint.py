"""The workflow is clean by Snakemake's own rules."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_snakemake_finds_nothing_to_lint() -> None:
    command = [sys.executable, "-m", "snakemake", "--lint", "--config", "raw=demo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Congratulations" in done.stdout + done.stderr


def test_every_rule_computes_with_as_many_threads_as_it_asks_for() -> None:
    """Snakemake grants fewer where there are fewer cores; the param is what jobs compute with."""
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"^(?:use )?rule ", file.read_text(), flags=re.M)[1:]:
            asked = re.findall(r"^ +threads: (.+)$", rule, re.M)
            given = re.findall(r"^ +threads=(.+),$", rule, re.M)
            inherited = " as " in rule.splitlines()[0]
            assert asked == given or (inherited and not asked), (file.name, rule.splitlines()[0])

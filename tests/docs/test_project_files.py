"""Citation, commit hooks and the hosted CI agree with the project, and with `make check`."""

import re
import tomllib

import yaml

from tests.docs.pages import ROOT
from tests.docs.test_links import TARGETS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CHECK = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


def test_every_hook_is_part_of_make_check() -> None:
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [hook["entry"] for repo in repos for hook in repo["hooks"]]
    tools = {entry.split()[0].removeprefix(".venv/bin/") for entry in entries}
    assert tools == {"ruff", "mypy", "snakefmt"}
    assert tools <= set(re.findall(r"\(BIN\)/(\w+)", CHECK))


def test_the_hosted_ci_runs_tests_and_checks() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    made = {step["run"].split()[1] for step in steps if "run" in step}
    assert {"test", "check", "docs"} <= made <= TARGETS
    pythons = [job["strategy"]["matrix"]["python"] for job in workflow["jobs"].values()]
    assert "3.11" in pythons[0]

"""docs/report.md: each part of the challenge report leads to code that exists; none is missing."""

import re
from functools import cache

import pytest

from tests.docs.pages import ROOT, tables
from tests.docs.test_links import RULES, SETTINGS

PAGE = ROOT / "docs" / "report.md"
ROWS = list(tables(PAGE))
MAPPED = [row for row in ROWS if "rule" in row]
# The report's own headings, figures, tables and algorithms.
PARTS = """
    Abstract|1|2|3|3.1|3.2|3.3|3.4.1|3.4.2|4.1|4.2|4.3|4.4.1|4.4.2|4.4.3|4.5, table of results|5.1
    |5.1.1|5.1.1, table of results|5.1.2|5.1.2, table of results|5.2.1|5.2.2 a|5.2.2 b|5.2.2 c
    |5.2.2 d|5.2.2 e|5.2.2 f, table of results|5.2.3|6|7|Appendix, one-class SVM
    |Appendix, naive instance-level network|Table 1|Algorithm 1|Algorithm 2
"""
by_part = pytest.mark.parametrize("row", MAPPED, ids=lambda row: row["report"])


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def outputs() -> dict[str, set[str]]:
    """The declared outputs of every rule, from results/<cohort>/ on, wildcards as written."""
    found: dict[str, set[str]] = {}
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        text = file.read_text()
        names = dict(re.findall(r'^(\w+) = f?"(results/\S+)"$', text, re.M))
        for each in re.split(r"^ *(?:use )?rule ", text, flags=re.M)[1:]:
            title = each.splitlines()[0].removesuffix(":").removesuffix(" with")
            block = re.search(r"^( +)output:\n((?:\1 .*\n)+)", each, re.M)
            paths = re.findall(r'"([^"\n]+)"', block.group(2)) if block else []
            found[title.split(" as ")[-1]] = {_from_cohort(path, names) for path in paths}
    return found


def _from_cohort(path: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", value)
    path = path.replace("{{", "{").replace("}}", "}")
    return re.sub(r"^results/\{(cohort|COHORT)\}/", "", path)


def test_every_part_of_the_report_is_on_the_page() -> None:
    """Each once: mapped, or left out with a reason."""
    figures = (f"Figure {number}" for number in range(1, 11))
    listed = [*(part.strip() for part in PARTS.split("|")), *figures]
    assert sorted(row["report"] for row in ROWS) == sorted(listed)


@by_part
def test_the_rule_exists(row: dict[str, str]) -> None:
    assert words(row["rule"])
    assert set(words(row["rule"])) <= RULES


@by_part
def test_the_module_is_linked(row: dict[str, str]) -> None:
    """That each link leads to a module that can be imported, test_links.py tests."""
    for shown, link in re.findall(r"\[([^]]+)\]\(([^)]+)\)", row["module"]) or [("", "")]:
        assert link.endswith(f"#lymphokit.{shown}")


@by_part
def test_the_option_is_in_the_configuration(row: dict[str, str]) -> None:
    for option in words(row["option"]):
        at = SETTINGS
        for key in option.split("."):
            assert key in at, option
            at = at[key]


@by_part
def test_the_file_is_an_output_of_the_rule(row: dict[str, str]) -> None:
    declared = {path for rule in words(row["rule"]) for path in outputs()[rule]}
    assert words(row["file"])
    assert set(words(row["file"])) <= declared


@pytest.mark.parametrize(
    "row", [row for row in ROWS if "why" in row], ids=lambda row: row["report"]
)
def test_what_is_left_out_has_a_reason(row: dict[str, str]) -> None:
    assert row["why"]

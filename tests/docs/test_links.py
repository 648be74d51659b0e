"""Links, paths and commands of the documentation lead to what there is."""

import pkgutil
import re
import shlex
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
import snakemake.cli
import yaml
from cyclopts import MissingArgumentError

import lymphokit
from lymphokit.cli import APP
from tests.docs.pages import PAGES, ROOT, anchors, commands, links, name, named_paths

RULES = {
    rule
    for file in (ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk"))
    for line in re.findall(r"^ *(?:use )?rule (.+):$", file.read_text(), re.M)
    for rule in re.findall(r"\w+", line.removesuffix(" with").split(" as ")[-1])
}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
SETTINGS = yaml.safe_load((ROOT / "config.yaml").read_text())
PARTS = list(pkgutil.iter_modules(lymphokit.__path__))
PACKAGES = [part.name for part in PARTS if part.ispkg]
pages = pytest.mark.parametrize("page", PAGES, ids=name)


def find(dotted: str) -> object:
    """The module, class or function with this name; AttributeError or ImportError for none."""
    head, _, last = dotted.rpartition(".")
    try:
        return import_module(dotted)
    except ModuleNotFoundError:
        return getattr(find(head), last)


def fault_of(page: Path, link: str) -> str | None:
    """What is wrong with an internal link; None for nothing."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"{link}: no such file"
    if not target.is_relative_to(ROOT):
        return f"{link}: outside the repository"
    if anchor.startswith("lymphokit."):
        wrong = f"::: {'.'.join(anchor.split('.')[:2])}" not in target.read_text()
        return f"{link}: another page" if wrong or not find(anchor) else None
    if anchor and anchor not in anchors(target):
        return f"{link}: no such heading"
    return None


def fault_of_command(command: str) -> str | None:
    """What is wrong with a command, found by its own parser; None for nothing."""
    program, *arguments = shlex.split(command)
    if program == "make":
        wanted = [word for word in arguments if "=" not in word]
        return None if set(wanted) <= TARGETS else f"{command}: no such target"
    if program == "lymphokit":
        with suppress(MissingArgumentError):  # prose names a command without its arguments
            APP.parse_args(arguments, exit_on_error=False, print_error=False)
        return None
    found = snakemake.cli.get_argument_parser().parse_args(arguments)
    rules = {*found.targets, *(found.forcerun or ())}
    if unknown := {rule for rule in rules if rule.isidentifier()} - RULES:
        return f"{command}: no rule {unknown}"
    keys = {str(setting).split("=")[0] for setting in found.config or ()}
    if unknown := keys - set(SETTINGS):
        return f"{command}: no setting {unknown}"
    files = [file for file in found.configfile or () if str(file).startswith("config/")]
    return next((f"{command}: no {file}" for file in files if not (ROOT / file).exists()), None)


@pages
def test_links_lead_somewhere(page: Path) -> None:
    inside = [link for link in links(page) if not re.match(r"[a-z]+:", link)]
    assert [fault for link in inside if (fault := fault_of(page, link))] == []


@pages
def test_named_paths_exist(page: Path) -> None:
    assert [path for path in named_paths(page) if not (ROOT / path).exists()] == []


@pages
def test_commands_are_understood(page: Path) -> None:
    assert [fault for each in commands(page) if (fault := fault_of_command(each))] == []


@pytest.mark.parametrize(
    "link", ["missing.md", "report.md#no-such-heading", "api/bags.md#lymphokit.cohort.folds"]
)
def test_a_dead_link_is_found(link: str) -> None:
    assert fault_of(ROOT / "docs" / "index.md", link)


@pytest.mark.parametrize(
    "command",
    ["make nothing", "snakemake nothing", "snakemake --config nothing=1", "snakemake -R nothing"],
)
def test_a_command_for_nothing_is_found(command: str) -> None:
    assert fault_of_command(command)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_a_page(package: str) -> None:
    assert f"::: lymphokit.{package}" in (ROOT / "docs" / "api" / f"{package}.md").read_text()
    assert f"api/{package}.md" in (ROOT / "mkdocs.yml").read_text()


def test_every_module_beside_the_packages_has_a_place() -> None:
    page = (ROOT / "docs" / "api" / "core.md").read_text()
    modules = {part.name for part in PARTS if not part.ispkg} - {"cli"}
    assert set(re.findall(r"^::: lymphokit\.(\w+)$", page, re.M)) == modules

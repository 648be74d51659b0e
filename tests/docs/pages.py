"""Pages of documentation as their tests read them: links, anchors, tables, commands."""

import re
from collections.abc import Iterator
from pathlib import Path

from markdown.extensions.toc import slugify, unique

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "submissions/README.md")),
]
_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.M | re.S)
_PATHS = re.compile(r"(?:src|workflow|tests|docs|config|profiles|benchmarks|notebooks)/[\w./-]+")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", path.read_text())


def links(path: Path) -> list[str]:
    """Targets of links and pictures."""
    text = re.sub(r"`[^`\n]*`", "", prose(path))
    return re.findall(r"\]\(([^)\s]+)[^)]*\)", text)


def anchors(path: Path) -> set[str]:
    """Anchors of the headings, as Markdown makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(path), re.M)
    used: set[str] = set()
    for title in titles:
        unique(slugify(re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", title), "-"), used)
    return used


def code_words(path: Path) -> list[str]:
    """What stands between backticks in prose."""
    return re.findall(r"`([^`\n]+)`", prose(path))


def named_paths(path: Path) -> list[str]:
    """Files and folders of the repository that the prose names."""
    return [word for word in code_words(path) if _PATHS.fullmatch(word)]


def blocks(path: Path, language: str) -> list[str]:
    """The blocks of code in a language."""
    return [body for _, found, body in _FENCE.findall(path.read_text()) if found == language]


def commands(path: Path) -> list[str]:
    """Commands in shell blocks and in prose, without comments and pipes."""
    lines = [line for text in blocks(path, "sh") for line in text.splitlines()]
    found = (re.split(r" #| \| ", line)[0].strip() for line in [*lines, *code_words(path)])
    return [line for line in found if re.match(r"(lymphokit|snakemake|make) .", line)]


def tables(path: Path) -> Iterator[dict[str, str]]:
    """The rows of all tables of a page, each a dictionary by column."""
    header: list[str] = []
    for line in path.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            header = []
        elif not header:
            header = cells
        elif not set(line) <= set("|- :"):
            yield dict(zip(header, cells, strict=True))

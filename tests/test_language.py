"""The words of the code: the field's terms, and none of the dialect that they replaced."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The right column of the design's table of words; an identifier is read as the words it is made of.
AVOIDED = """
    said told own judged meant watch watches watching watched schedule schedules scheduled descent
    interrogation interrogations question questions answer answers answered suspect suspects spare
    spared spares surplus plane planes thin thinned thinning committee committees
"""
PHRASES = (
    "chosen on those that are scored",
    "need not be whole",
    "OnLogOdds",
    "AsSaid",
    "in play",
    "few of each",
    "side by side",
    "whom to send on",
)
SUFFIXES = (".py", ".smk", ".rst")
FILES = [
    *sorted((ROOT / "src").rglob("*.py")),
    *sorted(
        path for path in (ROOT / "workflow").rglob("*") if path.suffix in (".py", ".smk", ".rst")
    ),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "config.yaml", "Snakefile")),
    *sorted((ROOT / "config").glob("*.yaml")),
]


def words(text: str) -> Iterator[str]:
    """The words of a text in lower case, those inside identifiers too."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ")
    yield from re.findall(r"[a-z]+", spaced.lower())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_fields_terms_are_used(path: Path) -> None:
    text = path.read_text()
    found = set(words(text)) & set(AVOIDED.split())
    phrases = [phrase for phrase in PHRASES if phrase in text]
    assert (sorted(found), phrases) == ([], [])


@pytest.mark.parametrize(
    "path", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_of_is_no_name(path: Path) -> None:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    names = [
        token.start for token in tokens if token.type == tokenize.NAME and token.string == "of"
    ]
    assert names == []

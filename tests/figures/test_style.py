"""What all figures share: a palette for all readers, and captions that name no colour."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb

import lymphokit
from lymphokit.figures import style

SOURCE = Path(lymphokit.__file__).parent
WORKFLOW = Path(__file__).parents[2] / "workflow"
COLOURS = re.compile(
    r"\b(red(?!.cells?\b)|orange|blue|green|purple|pink|vermilion|yellow|cyan|magenta|gr[ea]y|brown)\b",
    re.IGNORECASE,
)
# How two kinds of colour blindness see linear RGB. Source: Vienot, Brettel and Mollon 1999.
SEEN = {
    "deuteranopia": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    "protanopia": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
}


def figure_files() -> list[Path]:
    """Every module that draws."""
    return [p for p in sorted(SOURCE.rglob("*.py")) if "matplotlib" in p.read_text("utf-8")]


def sentences(path: Path) -> list[str]:
    """The texts of a module with a space in them, except docstrings: titles, legends, captions."""
    tree = ast.parse(path.read_text("utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, documented)]
    docstrings = {ast.get_docstring(node, clean=False) for node in nodes}
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [t for t in texts if isinstance(t, str) and " " in t and t not in docstrings]


def test_no_title_legend_or_caption_names_a_colour() -> None:
    """A colour that is named may be drawn as another one, and some readers see neither."""
    files = figure_files()
    assert len(files) > 15
    named = [
        (path.name, text) for path in files for text in sentences(path) if COLOURS.search(text)
    ]
    pages = [(path.name, path.read_text("utf-8")) for path in (WORKFLOW / "report").glob("*.rst")]
    assert named + [page for page in pages if COLOURS.search(page[1])] == []


@pytest.mark.parametrize("seen", SEEN)
def test_the_colours_of_labels_and_of_the_first_curves_differ_for_all_readers(seen: str) -> None:
    colours = [colour for colour, _ in style.CURVES[:4]]
    rgb = np.array([to_rgb(colour) for colour in colours]) ** 2.2 @ np.array(SEEN[seen]).T
    levels = np.clip(rgb, 0, 1) ** (1 / 2.2)
    apart = np.abs(levels[:, None] - levels[None]).max(axis=2)
    assert apart[np.triu_indices(len(colours), 1)].min() > 0.1


def test_no_two_curves_share_a_line_style_and_a_lightness() -> None:
    lightness = [round(float(np.dot(to_rgb(c), [0.3, 0.59, 0.11])), 1) for c, _ in style.CURVES]
    pairs = [(line, light) for (_, line), light in zip(style.CURVES, lightness, strict=True)]
    assert len(set(pairs)) == len(pairs)

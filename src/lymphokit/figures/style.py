"""Colours, line styles and axes that all figures share."""

from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes

# Palette of Okabe and Ito: distinct for colour-blind readers and, in this order, in greyscale.
BLACK, ORANGE, SKY, GREEN, VERMILION, BLUE, PURPLE = (
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7",
)  # fmt: skip
CURVES = ((VERMILION, "-"), (BLUE, "-"), (GREEN, "--"), (ORANGE, "-."), (PURPLE, ":"), (SKY, "--"))
PALE, FADED, DARK = "#d9d9d9", "#8c8c8c", "#404040"

# Name and colour of each label; -1 stands for a test patient.
LABELS = {0: ("reactive", BLUE), 1: ("tumoral", VERMILION), -1: ("label withheld", DARK)}
# Keyword arguments of a dashed line at a reference value, such as chance, and of a caption.
REFERENCE: dict[str, Any] = {"color": DARK, "linestyle": (0, (4, 4)), "linewidth": 0.8}
CAPTION: dict[str, Any] = {"color": DARK, "fontsize": "small"}


def plain(text: str) -> str:
    """A text for a figure in which dollar signs, as in a patient's id, begin no formula."""
    return text.replace("$", r"\$")


def clean_axes(
    axes: Axes, *, grid: Literal["x", "y", "both"] | None = None, categories: bool = False
) -> None:
    """Remove the frame at the top and on the right; draw a pale grid behind the data.

    categories: the y axis holds names, so its line and tick marks go as well.
    """
    axes.spines[["top", "right"]].set_visible(False)
    if categories:
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    if grid is not None:
        axes.grid(axis=grid, color=PALE, linewidth=0.6)
        axes.set_axisbelow(True)


def draw_interval(
    axes: Axes,
    place: float,
    interval: tuple[float, float, float],
    text: str,
    colour: str,
    *,
    marker: str = "o",
    filled: bool = True,
) -> None:
    """Draw a row of a forest plot: a bar from low to high, the estimate as a point, a text.

    interval: estimate, low, high; marker: of the estimate; filled: whether its point is. The text
    stands right of the axes.
    """
    estimate, low, high = interval
    fill: dict[str, Any] = (
        {"mfc": colour, "mec": "white"} if filled else {"mfc": "white", "mec": colour}
    )
    axes.plot([low, high], [place, place], color=colour, linewidth=2.2, alpha=0.55)
    axes.plot(estimate, place, marker, color=colour, markersize=7, clip_on=False, **fill)
    annotate_right(axes, place, text, colour)


def annotate_right(axes: Axes, place: float, text: str, colour: str) -> None:
    """Write a small text right of the axes, at a position of the y axis."""
    axes.annotate(
        text,
        (1.03, place),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize="small",
        color=colour,
    )


def count_labels(labels: Sequence[int]) -> str:
    """Count the patients for a title: `n = 3 patients (1 reactive, 2 tumoral)`."""
    counts = [(list(labels).count(label), name) for label, (name, _) in LABELS.items()]
    groups = ", ".join(f"{count} {name}" for count, name in counts if count)
    return f"n = {len(labels)} patients ({groups})"

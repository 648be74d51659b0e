"""Figures of the cells that the rounds add, and of stain matching (report, figure 8).

Both figures are laid out in inches, from the top left corner of the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lymphokit.figures.style import BLUE, DARK, PALE, VERMILION

Image = NDArray[np.uint8]

SIDES = {1: ("added as abnormal (1)", VERMILION), 0: ("added as healthy (0)", BLUE)}
GAP, MARGIN = 0.05, 0.35  # between two cells, and at the right of a page
MOST_HEIGHT, LEAST_WIDTH, MOST_CELL = 20.0, 6.2, 0.9  # of a gallery, of its page, of its cells
UNDER, LEAST_SIDE, BETWEEN = 0.17, 1.9, 0.35  # a cell's number, a side of the gallery, both sides
NAMES, ABOVE, BELOW = 0.8, 0.8, 0.65  # around the cells of a gallery
STAIN_CELL, STAIN_NAMES, STAIN_ABOVE, STAIN_BELOW = 1.15, 1.75, 0.5, 0.45


@dataclass(frozen=True)
class _Page:
    """Positions of the cells of a gallery, in inches: a row a round, a side a label."""

    rounds: tuple[int, ...]
    cell: float
    left: float
    side_width: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the page."""
        width = self.left + 2 * self.side_width + BETWEEN + MARGIN
        return width, ABOVE + len(self.rounds) * (self.cell + UNDER) + BELOW

    def top(self, number: int) -> float:
        """The upper edge of the cells of a round."""
        return ABOVE + self.rounds.index(number) * (self.cell + UNDER)

    def side(self, label: int) -> float:
        """The left edge of the cells added with a label."""
        return self.left if label == 1 else self.left + self.side_width + BETWEEN


def additions_gallery(additions: pd.DataFrame, images: Sequence[Image], *, fold: int) -> Figure:
    """Show every cell added in a fold, a row a round, abnormal left and healthy right.

    additions: a row an added cell with round (1..), label (1 abnormal, 0 healthy), patient and
    probability (of label 1, in the round that added it), drawn in this order; images: the square
    (h, w, 3) RGB image of each row. Cells shrink where the page would be higher than 20 inches.
    Raises ValueError where there are no cells, or not as many images as cells.
    """
    if not len(additions) == len(images) > 0:
        raise ValueError(
            f"{len(additions)} added cells and {len(images)} images: "
            "give one image for each cell, and at least one cell"
        )
    page = _page(additions)
    figure, axes = _sheet(*page.size)
    _name_rows_and_sides(axes, page)
    places = additions.groupby(["round", "label"]).cumcount()
    for added, place, image in zip(additions.to_dict("records"), places, images, strict=True):
        left = page.side(added["label"]) + place * (page.cell + GAP)
        top = page.top(added["round"])
        _draw_cell(axes, image, left, top, page.cell)
        axes.text(
            left + page.cell / 2,
            top + page.cell + UNDER / 2,
            _three_digits(added["probability"]),
            ha="center",
            va="center",
            fontsize=min(7.0, 15 * page.cell),
            color=DARK,
        )
    n_patients = additions["patient"].nunique()
    title = f"Fold {fold}: n = {len(additions):,} cells added, of {n_patients:,} patients"
    _title_and_caption(figure, title, _gallery_caption(additions))
    return figure


def stain_figure(
    before: Sequence[Image],
    after: Sequence[Image],
    target: Sequence[Image],
    *,
    moved: str,
    onto: str,
) -> Figure:
    """Show cells as photographed, the same after stain matching, and the cells they match.

    All square (h, w, 3) RGB; rows may have different numbers and sizes of images. moved, onto:
    names of the cells of the first two rows and of the last.
    Raises ValueError where a row is empty.
    """
    rows = {moved: before, "stain matched": after, onto: target}
    empty = [name for name, images in rows.items() if not len(images)]
    if empty:
        raise ValueError(f"no images of {', '.join(empty)}: give at least one for every row")
    most = max(len(images) for images in rows.values())
    width = STAIN_NAMES + most * (STAIN_CELL + GAP) - GAP + MARGIN
    height = STAIN_ABOVE + len(rows) * (STAIN_CELL + 2 * GAP) + STAIN_BELOW
    figure, axes = _sheet(max(width, LEAST_WIDTH), height)
    for row, (name, images) in enumerate(rows.items()):
        top = STAIN_ABOVE + row * (STAIN_CELL + 2 * GAP)
        _name_stain(axes, name, images, top + STAIN_CELL / 2)
        for place, image in enumerate(images):
            _draw_cell(axes, image, STAIN_NAMES + place * (STAIN_CELL + GAP), top, STAIN_CELL)
    caption = "Matched: the mean and the standard deviation of each colour channel."
    _title_and_caption(figure, f"The stain of {moved}, matched to that of {onto}", caption)
    return figure


def _page(additions: pd.DataFrame) -> _Page:
    """Lay out the page: cells as large as the number of rounds and of cells in a row allow."""
    rounds = tuple(sorted(additions["round"].unique()))
    cell = min(MOST_CELL, (MOST_HEIGHT - ABOVE - BELOW) / len(rounds) - UNDER)
    most = additions.groupby(["round", "label"]).size().max()
    side_width = max(LEAST_SIDE, most * (cell + GAP) - GAP)
    unused = LEAST_WIDTH - (NAMES + 2 * side_width + BETWEEN + MARGIN)
    return _Page(rounds, cell, NAMES + max(0.0, unused / 2), side_width)


def _name_rows_and_sides(axes: Axes, page: _Page) -> None:
    """Write the number of each round at its left, and the label of each side above it."""
    right, above = page.left - 0.15, ABOVE - 0.1
    axes.text(right, above, "round", ha="right", color=DARK)
    for number in page.rounds:
        middle = page.top(number) + page.cell / 2
        axes.text(right, middle, str(number), ha="right", va="center", fontweight="bold")
    middle = page.side(0) - (BETWEEN + GAP) / 2
    axes.plot([middle] * 2, [ABOVE, page.size[1] - BELOW], color=PALE, linewidth=0.8)
    for label, (name, colour) in SIDES.items():
        axes.text(page.side(label), above, name, color=colour, fontweight="bold")


def _name_stain(axes: Axes, name: str, images: Sequence[Image], middle: float) -> None:
    """Write the name of a row of the stain figure at its left."""
    right = STAIN_NAMES - 0.15
    height, width = images[0].shape[:2]
    size = f"n = {len(images)}, {width} x {height} px"
    axes.text(right, middle - 0.02, name, ha="right", va="bottom", fontweight="bold")
    axes.text(right, middle + 0.05, size, ha="right", va="top", fontsize="small", color=DARK)


def _gallery_caption(additions: pd.DataFrame) -> str:
    """Explain the numbers, and count the cells and patients of each side."""
    lines = ["Numbers: the probability of being abnormal when the cell was added."]
    for label, kind in ((1, "Abnormal"), (0, "Healthy")):
        cells = additions.loc[additions["label"] == label, "patient"].value_counts()
        most = f", at most {cells.max()} of one" if len(cells) else ""
        lines.append(f"{kind}: {cells.sum()} cells of {len(cells)} patients{most}.")
    return "\n".join(lines)


def _three_digits(probability: float) -> str:
    """Format a probability to three digits; 0 and 1 stay reserved for exact values."""
    rounded = f"{probability:.3f}"
    if rounded == "1.000" and probability < 1:
        return ">0.999"
    return "<0.001" if rounded == "0.000" and probability > 0 else rounded


def _sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Make an empty page whose coordinates are inches from the top left corner."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return figure, axes


def _draw_cell(axes: Axes, image: Image, left: float, top: float, size: float) -> None:
    """Draw one square cell, its upper left corner given in inches."""
    extent = (left, left + size, top + size, top)
    axes.imshow(image, extent=extent, aspect="auto", interpolation="antialiased")


def _title_and_caption(figure: Figure, title: str, caption: str) -> None:
    """Write title and caption at a fixed distance from the edges, whatever the page's height."""
    height = figure.get_figheight()
    figure.suptitle(title, y=1 - 0.12 / height, va="top", fontweight="bold")
    figure.supxlabel(caption, y=0.1 / height, va="bottom", color=DARK, fontsize="small")

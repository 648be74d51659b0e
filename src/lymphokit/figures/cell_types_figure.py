"""The types of cells that a `CellTypes` model weighs most: what they look like, who has them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags
from lymphokit.figures.style import CAPTION, LABELS, clean_axes
from lymphokit.models.cell_types import CellTypes

EACH = 5  # types for either label
CELLS = 8  # of a type, at most
GAP, ROW_GAP = 0.05, 0.08  # between cells and between rows, as shares of a cell
CELL_INCHES, ROW_INCHES = 0.95, 1.0
NAMES, SIDE, ABOVE, BELOW = 0.95, 3.9, 1.25, 1.0  # left, right, above and below the cells
PARTS = {"train": ("training", 1.0), "validation": ("held out", 0.5)}  # name, opacity of bars
CAPTION_TEXT = (
    "A row a type: the training cells that belong to it most, of different patients if possible. "
    "Left: the label it weighs for,\nand its weight: log odds for one standard deviation more of "
    "such cells. Right: its mean share of the cells of a patient."
)
Floats = NDArray[np.float64]
Positions = NDArray[np.int64]


@dataclass(frozen=True)
class ShownType:
    """A type of cells.

    number: its row among the model's types; weight: log odds of tumoral for one standard deviation
    more of such cells; cells (n,): positions of those to show, the most typical first.
    """

    number: int
    weight: float
    cells: Positions


def shown_types(model: CellTypes, bags: Bags, *, each: int = EACH) -> list[ShownType]:
    """The types that weigh most for tumoral, then those that weigh most for reactive.

    bags: of the training patients. At most `each` of either, the largest weight first.
    """
    weights = model.regression_.weights_
    order = np.argsort(-weights, kind="stable")
    tumoral, reactive = order[weights[order] >= 0], order[::-1][weights[order[::-1]] < 0]
    belongs = model.weights(bags.instances)
    return [
        ShownType(int(number), float(weights[number]), typical_cells(belongs, number, bags.bag_of))
        for number in [*tumoral[:each], *reactive[:each]]
    ]


def typical_cells(
    belongs: Floats, number: int, bag_of: Positions, *, most: int = CELLS
) -> Positions:
    """Positions of the cells that belong most to a type, from different patients where possible.

    belongs (n_cells, n_types): as of `CellTypes.weights`. Of the cells that belong to no other
    type more, the best of every patient come first, then the second best.
    """
    members = np.flatnonzero(belongs.argmax(axis=1) == number)
    members = members[np.argsort(-belongs[members, number], kind="stable")]
    turn = pd.Series(bag_of[members]).groupby(bag_of[members]).cumcount().to_numpy()
    return members[np.argsort(turn, kind="stable")][:most]


def type_shares(
    model: CellTypes, bags: Bags, labels: NDArray[np.int64], parts: Sequence[str]
) -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """The mean share of a patient's cells that belong to each type, and the number of patients.

    labels (n_bags,) and parts: of the patients. A row for each part and label that occurs; of the
    shares a column for each type.
    """
    groups = [pd.Index(parts, name="part"), pd.Index(labels, name="label")]
    shares = pd.DataFrame(model.shares(bags)).groupby(groups)
    return shares.mean(), shares.size()


def cell_types_figure(
    types: Sequence[ShownType],
    images: Sequence[Sequence[NDArray[np.uint8]]],
    shares: pd.DataFrame,
    patients: "pd.Series[int]",
    weights: Floats,
    *,
    model: str,
    fold: int,
) -> Figure:
    """Draw a row a type: its most typical cells, and its share in patients of either label.

    types: at least one; images: for each its cells, square (h, w, 3) RGB; shares, patients: of
    `type_shares`; weights (n_types,): of all types of the model, by its name, in the fold.
    """
    figure, rows, sides = _page(len(types))
    for shown, cells, row, side in zip(types, images, rows, sides, strict=True):
        _draw_cells(row, shown, cells)
        _draw_shares(side, 100 * shares[shown.number], last=side is sides[-1])
    _name_bars(sides[0], patients)
    height = figure.get_figheight()
    title = f"Types of cells that {model} weighs most, fitted on the training patients of fold"
    figure.suptitle(f"{title} {fold}", y=1 - 0.12 / height, va="top", fontweight="bold")
    confirmed = [_is_confirmed(shares, number, weight) for number, weight in enumerate(weights)]
    among = sum(confirmed[shown.number] for shown in types)
    note = (
        f"In patients held out, {among} of these {len(types)} types, and {sum(confirmed)} of all "
        f"{len(confirmed)},\nare more frequent in the label that they weigh for; by chance, half."
    )
    figure.text(NAMES / figure.get_figwidth(), 1 - 0.55 / height, note, va="top")
    figure.text(0.5, 0.1 / height, CAPTION_TEXT, ha="center", va="bottom", **CAPTION)
    return figure


def _page(n_types: int) -> tuple[Figure, list[Axes], list[Axes]]:
    """A page with a row a type: axes of its cells, and axes of its shares."""
    width, height = NAMES + CELLS * CELL_INCHES + SIDE, ABOVE + n_types * ROW_INCHES + BELOW
    figure = Figure(figsize=(width, height))
    rows = {"bottom": BELOW / height, "top": 1 - ABOVE / height, "hspace": ROW_GAP}
    cells = {"left": NAMES / width, "right": (NAMES + CELLS * CELL_INCHES) / width}
    sides = {"left": 1 - (SIDE - 0.85) / width, "right": 1 - 0.5 / width}
    pictures, bars = (
        figure.subplots(n_types, 1, sharex="all", gridspec_kw=rows | place, squeeze=False)[:, 0]
        for place in (cells, sides)
    )
    return figure, pictures.tolist(), bars.tolist()


def _is_confirmed(shares: pd.DataFrame, number: int, weight: float) -> bool:
    """Whether the shares in validation patients differ in the direction of the weight."""
    of_type = shares[number].reindex([("validation", 0), ("validation", 1)]).to_numpy()
    return bool((of_type[1] - of_type[0]) * weight > 0)


def _draw_cells(axes: Axes, shown: ShownType, images: Sequence[NDArray[np.uint8]]) -> None:
    """The cells of a type in a row, its weight at the left in the colour of its side."""
    for place, image in enumerate(images):
        left = place * (1 + GAP)
        axes.imshow(image, extent=(left, left + 1, 0, 1), interpolation="antialiased")
    axes.set(xlim=(0, CELLS * (1 + GAP) - GAP), ylim=(0, 1), xticks=[], yticks=[])
    axes.set_aspect("equal", anchor="W")
    axes.spines[:].set_visible(False)
    name, colour = LABELS[int(shown.weight >= 0)]
    axes.set_ylabel(
        f"{name}\n{shown.weight:+.2f}", rotation=0, ha="right", va="center", color=colour
    )


def _draw_shares(side: Axes, shares: "pd.Series[float]", *, last: bool) -> None:
    """Bars of the shares in percent, one for each part and label."""
    parts, labels = (shares.index.get_level_values(level) for level in ("part", "label"))
    for part, label, share in zip(parts, labels, shares, strict=True):
        place = 2.3 * list(PARTS).index(part) + (1 - label)
        side.barh(place, share, 0.85, color=LABELS[label][1], alpha=PARTS[part][1])
        side.annotate(
            f"{share:.3g}",
            (share, place),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    side.set_yticks([0.5, 2.8], [name for name, _ in PARTS.values()], fontsize=8)
    side.set_ylim(3.9, -0.6)
    clean_axes(side, categories=True)
    side.tick_params(axis="x", labelbottom=last, bottom=last)
    side.spines["bottom"].set_visible(last)
    if last:
        side.set_xlabel("share of a patient's cells, %", fontsize=9)


def _name_bars(side: Axes, patients: "pd.Series[int]") -> None:
    """A legend above the bars, with the number of patients of either label."""
    handles = []
    for label in (1, 0):
        name, colour = LABELS[label]
        counts = [f"{patients.get((part, label), 0)} {word}" for part, (word, _) in PARTS.items()]
        handles.append(Patch(color=colour, label=f"{name}, n = {', '.join(counts)}"))
    side.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1.1, 1.05), frameon=False, fontsize=8
    )

"""How far cells lie inside the boundary of a one-class SVM: data in, figure out."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lymphokit.figures.cells import GROUPS
from lymphokit.figures.style import DARK, PALE

MOST_COLUMNS = 4
BINS_A_SIDE = 12
INCHES_WIDE, INCHES_HIGH, INCHES_OF_TEXT, INCHES_OF_CAPTION = 2.4, 1.9, 1.2, 7.0


def margin_histograms(
    margins: NDArray[np.floating],
    offsets: NDArray[np.int64],
    ids: Sequence[str],
    labels: Sequence[int],
    *,
    fitted_on: str,
) -> Figure:
    """Margins of a few patients' cells, a panel a patient, each label in rows of its own.

    margins (n_cells,), negative outside the boundary, packed with `offsets` (n_bags + 1,); ids
    and labels (0 reactive, 1 tumoral, -1 withheld) one a bag; fitted_on: whose cells the boundary
    was drawn around, such as "the reactive training patients of fold 1". Panels share their axes
    and bins, and a bar is a share of the patient's cells, so that bags of any size compare.
    Raises ValueError where there is no bag, or bags, ids and labels are not as many.
    Source: report, appendix "One-Class-SVM".
    """
    if not len(offsets) - 1 == len(ids) == len(labels) > 0:
        raise ValueError(
            f"{len(offsets) - 1} bags, {len(ids)} ids and {len(labels)} labels: "
            "give one of each for every panel, and at least one panel"
        )
    rows = _rows(labels)
    columns = max(map(len, rows))
    wide = max(INCHES_WIDE * columns + 0.6, INCHES_OF_CAPTION)
    size = (wide, INCHES_HIGH * len(rows) + INCHES_OF_TEXT)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), columns, sharex=True, sharey=True, squeeze=False)
    edges = _edges(margins)
    for panels, row in zip(axes, rows, strict=True):
        for panel, bag in zip(panels, row, strict=False):
            _draw(panel, margins[offsets[bag] : offsets[bag + 1]], edges, ids[bag], labels[bag])
        for unused in panels[len(row) :]:
            unused.set_visible(False)
    figure.supylabel("Share of the patient's cells")
    figure.suptitle(_title(labels, len(margins)), fontweight="bold")
    figure.supxlabel(
        "Margin of a cell, in units of the decision function; below 0, shaded: outside the "
        f"boundary,\nwhich is drawn around the cells of {fitted_on}.",
        color=DARK,
        fontsize="small",
    )
    return figure


def _rows(labels: Sequence[int]) -> list[list[int]]:
    """Positions of the bags, label after label, a few a row."""
    rows = []
    for label in GROUPS:
        bags = [bag for bag, own in enumerate(labels) if own == label]
        rows += [bags[i : i + MOST_COLUMNS] for i in range(0, len(bags), MOST_COLUMNS)]
    return rows


def _edges(margins: NDArray[np.floating]) -> NDArray[np.float64]:
    """Edges of bins of one width over all margins, one of them at the boundary, 0."""
    width = float(np.abs(margins).max()) / BINS_A_SIDE or 1.0
    first = min(np.floor(margins.min() / width), -1.0)
    last = max(np.ceil(margins.max() / width), 1.0)
    return np.asarray(np.arange(first, last + 1.0) * width, dtype=np.float64)


def _draw(
    panel: Axes, margins: NDArray[np.floating], edges: NDArray[np.float64], name: str, label: int
) -> None:
    """One patient: the histogram, the boundary, and how much lies outside."""
    group, colour = GROUPS[label]
    panel.axvspan(edges[0], 0.0, color=PALE, alpha=0.5, linewidth=0)
    panel.hist(
        margins, edges.tolist(), weights=np.full(len(margins), 1 / len(margins)), color=colour
    )
    panel.axvline(0.0, color=DARK, linestyle=(0, (4, 4)), linewidth=0.8)
    outside = np.mean(margins < 0.0)
    cells = f"{len(margins)} cell{'s' if len(margins) > 1 else ''}"
    panel.set_title(f"{name}, {group}\n{cells}, {outside:.0%} outside", color=colour, fontsize=9)
    panel.set_xlim(edges[0], edges[-1])
    panel.tick_params(labelbottom=True)
    panel.spines[["top", "right"]].set_visible(False)


def _title(labels: Sequence[int], n_cells: int) -> str:
    """How many patients of each group and how many cells are shown."""
    counted = [(list(labels).count(label), name) for label, (name, _) in GROUPS.items()]
    groups = ", ".join(f"{number} {name}" for number, name in counted if number)
    return (
        f"Margins to a one-class SVM,\nn = {len(labels)} patients ({groups}), n = {n_cells} cells"
    )

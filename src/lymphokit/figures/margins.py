"""Histograms of the margins of cells to the boundary of a one-class SVM."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lymphokit.figures.style import CAPTION, LABELS, PALE, REFERENCE, clean_axes, count_labels

MOST_COLUMNS = 4
BINS_PER_SIDE = 12
# Inches: size of a panel, height of title and caption, least width that the caption needs.
PANEL_WIDTH, PANEL_HEIGHT, TEXT_HEIGHT, LEAST_WIDTH = 2.4, 1.9, 1.2, 7.0


def margin_histograms(
    margins: NDArray[np.floating],
    offsets: NDArray[np.int64],
    ids: Sequence[str],
    labels: Sequence[int],
    *,
    fitted_on: str,
) -> Figure:
    """Draw the margins of the cells of a few patients, one panel per patient, sorted by label.

    margins (n_cells,), negative outside the boundary, packed with `offsets` (n_bags + 1,); ids
    and labels (0 reactive, 1 tumoral, -1 withheld): one per bag; fitted_on: training cells of the
    SVM, such as "the reactive training patients of fold 1". Panels share axes and bins, and a bar
    is a share of the patient's cells, so that bags of different sizes can be compared.
    Source: report, appendix "One-Class-SVM".
    """
    rows = _rows(labels)
    columns = max(map(len, rows))
    width = max(PANEL_WIDTH * columns + 0.6, LEAST_WIDTH)
    size = (width, PANEL_HEIGHT * len(rows) + TEXT_HEIGHT)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), columns, sharex=True, sharey=True, squeeze=False)
    edges = _edges(margins)
    for panels, row in zip(axes, rows, strict=True):
        for panel, bag in zip(panels, row, strict=False):
            _draw(panel, margins[offsets[bag] : offsets[bag + 1]], edges, ids[bag], labels[bag])
        for unused in panels[len(row) :]:
            unused.set_visible(False)
    figure.supylabel("Share of the patient's cells")
    patients = count_labels(labels)
    figure.suptitle(
        f"Margins to a one-class SVM,\n{patients}, n = {len(margins)} cells", fontweight="bold"
    )
    figure.supxlabel(
        "Margin of a cell, in units of the decision function; below 0, shaded: outside the "
        f"boundary,\nwhich was fitted on the cells of {fitted_on}.",
        **CAPTION,
    )
    return figure


def _rows(labels: Sequence[int]) -> list[list[int]]:
    """Positions of the bags, sorted by label, at most MOST_COLUMNS per row."""
    rows = []
    for label in LABELS:
        bags = [bag for bag, its_label in enumerate(labels) if its_label == label]
        rows += [bags[i : i + MOST_COLUMNS] for i in range(0, len(bags), MOST_COLUMNS)]
    return rows


def _edges(margins: NDArray[np.floating]) -> NDArray[np.float64]:
    """Edges of bins of equal width over all margins; one edge lies at the boundary, 0."""
    width = float(np.abs(margins).max()) / BINS_PER_SIDE or 1.0
    first = min(np.floor(margins.min() / width), -1.0)
    last = max(np.ceil(margins.max() / width), 1.0)
    return np.asarray(np.arange(first, last + 1.0) * width, dtype=np.float64)


def _draw(
    panel: Axes, margins: NDArray[np.floating], edges: NDArray[np.float64], name: str, label: int
) -> None:
    """Draw one patient: histogram, boundary, share of cells outside."""
    group, colour = LABELS[label]
    panel.axvspan(edges[0], 0.0, color=PALE, alpha=0.5, linewidth=0)
    panel.hist(
        margins, edges.tolist(), weights=np.full(len(margins), 1 / len(margins)), color=colour
    )
    panel.axvline(0.0, **REFERENCE)
    outside = np.mean(margins < 0.0)
    cells = f"{len(margins)} cell{'s' if len(margins) > 1 else ''}"
    panel.set_title(f"{name}, {group}\n{cells}, {outside:.0%} outside", color=colour, fontsize=9)
    panel.set_xlim(edges[0], edges[-1])
    panel.tick_params(labelbottom=True)
    clean_axes(panel)

"""Which types of cell a network takes for which (report 3.4.2): data in, figure out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from lymphokit.figures.shares import LEVEL, share_in_words
from lymphokit.figures.style import DARK


def confusion_figure(judged: pd.DataFrame, types: Sequence[str], *, network: str) -> Figure:
    """A row a true type, a column a type that cells are called, with numbers of held-out cells.

    judged: a row a cell with `type` and `called`, each among `types`; network: whose they are.
    Shades are shares of a row, so that a rare type shows its mistakes as a common one does.
    """
    counts = confusion_matrix(judged["type"], judged["called"], labels=list(types))
    side = 2.6 + 0.62 * len(types)
    figure = Figure(figsize=(side + 1.0, side), layout="constrained")
    axes = figure.subplots()
    _draw(axes, counts, types)
    n, accuracy = len(judged), float((judged["type"] == judged["called"]).mean())
    figure.suptitle(f"{network}: n = {n} held-out blood cells", fontweight="bold")
    axes.set_title(f"Accuracy {share_in_words(accuracy, n)}", fontsize="medium")
    figure.supxlabel(
        f"In brackets the {LEVEL:.0%} Wilson interval. Shade: share of the true type.",
        fontsize="small",
        color=DARK,
    )
    return figure


def _draw(axes: Axes, counts: NDArray[np.int64], types: Sequence[str]) -> None:
    """The matrix, with a number wherever there is a cell."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    scale = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts):
        colour = "white" if shares[row, column] > 0.5 else DARK
        number = str(counts[row, column])
        axes.text(column, row, number, ha="center", va="center", color=colour)
    names = [f"{name}, {total}" for name, total in zip(types, counts.sum(axis=1), strict=True)]
    axes.set_yticks(range(len(types)), names)
    axes.set_xticks(range(len(types)), types, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_ylabel("True type, number of cells")
    axes.set_xlabel("Called")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.figure.colorbar(scale, ax=axes, label="share of the true type, 0 to 1", shrink=0.7)

"""Confusion matrix of a classifier of blood cells (report, 3.4.2)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

from lymphokit.figures.style import CAPTION
from lymphokit.figures.terminal_tables import LEVEL, share_with_interval

SPELLED = {"ig": "immature granulocyte"}  # folders of the public cells (report, reference 5)


def confusion_figure(predictions: pd.DataFrame, types: Sequence[str], *, network: str) -> Figure:
    """Draw numbers of held-out cells by true type (rows) and predicted type (columns).

    predictions: one row per cell, `type` and `called`, both among `types`; network: its name.
    A cell of the matrix is shaded by its share of the row, so that the errors of a rare type are
    as visible as those of a frequent one.
    """
    counts = confusion_matrix(predictions["type"], predictions["called"], labels=list(types))
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, None]  # a type without a cell: a row of zeros
    side = 2.6 + 0.62 * len(types)
    figure = Figure(figsize=(side + 1.0, side), layout="constrained")
    axes = figure.subplots()
    names = [SPELLED.get(name.casefold(), name) for name in types]
    display = ConfusionMatrixDisplay(shares, display_labels=names)
    display.plot(
        ax=axes, cmap="Blues", colorbar=False, xticks_rotation=45, im_kw={"vmin": 0, "vmax": 1}
    )
    for place, count in np.ndenumerate(counts):
        display.text_[place].set_text(str(count) if count else "")
    axes.set_yticks(
        range(len(types)), [f"{name}, {n}" for name, n in zip(names, totals, strict=True)]
    )
    for label in axes.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    axes.set(xlabel="Predicted type", ylabel="True type, number of cells")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(display.im_, ax=axes, label="share of the true type, 0 to 1", shrink=0.7)
    n, accuracy = len(predictions), float((predictions["type"] == predictions["called"]).mean())
    figure.suptitle(f"{network}: n = {n} held-out blood cells", fontweight="bold")
    axes.set_title(f"Accuracy {share_with_interval(accuracy, n)}", fontsize="medium")
    figure.supxlabel(
        f"In brackets the {LEVEL:.0%} Wilson interval. Shade: share of the true type.", **CAPTION
    )
    return figure

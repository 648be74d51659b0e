"""Reliability diagram: tumoral share against predicted probability."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lymphokit.calibration.reliability import miscalibration
from lymphokit.figures.style import BLUE, CAPTION, ORANGE, PALE, REFERENCE, clean_axes

STYLES = {"before": (ORANGE, "o", "--"), "after": (BLUE, "s", "-")}
COLUMNS = 2


def reliability_figure(
    points: pd.DataFrame, table: pd.DataFrame, *, submitted: str, method: str, level: float
) -> Figure:
    """Draw the reliability diagram of each model in a panel.

    points: from `reliability_bins`, models in its order; table: from `calibration_table`, for the
    titles; submitted: the model in the figure's title; method: of calibration.
    """
    models = points["model"].unique().tolist()
    n_rows = -(-len(models) // COLUMNS)
    figure = Figure(figsize=(9.2, 4.3 * n_rows + 1.3), layout="constrained")
    axes = figure.subplots(n_rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, model in zip(axes, models, strict=False):
        _panel(panel, points[points["model"] == model])
        found = "; ".join(f"{stage}: {miscalibration(table, model, stage)}" for stage in STYLES)
        panel.set_title(f"{model}\n{found}", fontsize=10)
    for unused in axes[len(models) :]:
        unused.set_visible(False)
    n_patients = int(table["n_patients"].max())
    before, after = (miscalibration(table, submitted, stage) for stage in STYLES)
    figure.suptitle(
        f"{submitted}: {before} before calibration, {after} after\n"
        f"Out of fold, n = {n_patients} patients",
        fontweight="bold",
    )
    figure.supylabel("Share of these patients who are tumoral")
    figure.supxlabel(
        "Mean predicted probability of the patients in a bin\n"
        "Bins of equal size; fractions: tumoral / all patients of a bin after calibration. "
        f"Bars: {level:.0%} Wilson intervals.\nCalibrated by {method}, fitted on the inner "
        "predictions of each training part. Dashed diagonal: perfect calibration.",
        **CAPTION,
    )
    return figure


def _panel(panel: Axes, points: pd.DataFrame) -> None:
    """One model: both stages with their intervals, the counts of the later one."""
    panel.plot([0, 1], [0, 1], **REFERENCE)
    for stage, (colour, marker, style) in STYLES.items():
        rows = points[points["stage"] == stage]
        probability, share = rows["probability"].to_numpy(), rows["share"].to_numpy()
        panel.vlines(probability, rows["low"], rows["high"], color=colour, alpha=0.5, linewidth=1.6)
        panel.plot(probability, share, color=colour, linestyle=style, linewidth=1.4, label=stage)
        panel.plot(probability, share, marker, color=colour, ms=6, mec="white", clip_on=False)
    # Counts are spaced evenly below the axis, so that neighbours never overlap.
    for place, row in zip(np.linspace(0.03, 0.97, len(rows)), rows.to_dict("records"), strict=True):
        panel.annotate(
            f"{row['n_tumoral']}/{row['n_patients']}",
            (row["probability"], row["low"]),
            xytext=(place, -0.1),
            fontsize=8,
            color=BLUE,
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "-", "color": PALE, "linewidth": 0.8},
        )
    panel.set(xlim=(-0.04, 1.04), ylim=(-0.16, 1.04), aspect="equal")
    panel.set_yticks(np.linspace(0, 1, 6))
    clean_axes(panel, grid="both")
    panel.legend(loc="upper left", frameon=False, fontsize="small")

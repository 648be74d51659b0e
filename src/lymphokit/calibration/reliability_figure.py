"""Whether a probability means what it says: data in, figure out."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lymphokit.calibration.reliability import miscalibration
from lymphokit.figures.style import BLUE, DARK, ORANGE, PALE

STAGES = {"before": (ORANGE, "o", "--"), "after": (BLUE, "s", "-")}
COLUMNS = 2


def reliability_figure(
    points: pd.DataFrame, table: pd.DataFrame, *, submitted: str, method: str, level: float
) -> Figure:
    """Said against true before and after calibration, a panel a model.

    points: as `reliability_bins` gives it, models in its order; table: as `calibration_table`
    gives it, for the titles; submitted: the model in the figure's title; method: of calibration.
    """
    models = points["model"].unique().tolist()
    n_rows = -(-len(models) // COLUMNS)
    figure = Figure(figsize=(9.2, 4.3 * n_rows + 1.3), layout="constrained")
    axes = figure.subplots(n_rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, model in zip(axes, models, strict=False):
        _panel(panel, points[points["model"] == model])
        found = "; ".join(f"{stage}: {miscalibration(table, model, stage)}" for stage in STAGES)
        panel.set_title(f"{model}\n{found}", fontsize=10)
    for unused in axes[len(models) :]:
        unused.set_visible(False)
    n_patients = int(table["n_patients"].max())
    before, after = (miscalibration(table, submitted, stage) for stage in STAGES)
    figure.suptitle(
        f"{submitted}: {before} before calibration, {after} after\n"
        f"Out of fold, n = {n_patients} patients",
        fontweight="bold",
    )
    figure.supylabel("Share of these patients who are tumoral")
    figure.supxlabel(
        "Mean predicted probability of the patients in a bin\n"
        f"Bins of equally many patients; below, of the squares: tumoral / all. Bars: {level:.0%} "
        f"Wilson intervals.\nCalibrated by {method}, fitted on inner predictions of each training "
        "part. Dashed diagonal: what is said is so.",
        fontsize="small",
        color=DARK,
    )
    return figure


def _panel(panel: Axes, points: pd.DataFrame) -> None:
    """One model: both stages with their intervals, the counts of the later one."""
    panel.plot([0, 1], [0, 1], color=DARK, linestyle=(0, (4, 4)), linewidth=0.8)
    for stage, (colour, marker, style) in STAGES.items():
        own = points[points["stage"] == stage]
        said, share = own["probability"].to_numpy(), own["share"].to_numpy()
        panel.vlines(said, own["low"], own["high"], color=colour, alpha=0.5, linewidth=1.6)
        panel.plot(said, share, color=colour, linestyle=style, linewidth=1.4, label=stage)
        panel.plot(said, share, marker, color=colour, markersize=6, mec="white", clip_on=False)
    # Counts stand in a row of their own, evenly, so that neighbours never meet.
    for place, row in zip(np.linspace(0.03, 0.97, len(own)), own.to_dict("records"), strict=True):
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
    panel.grid(color=PALE, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(loc="upper left", frameon=False, fontsize="small")

"""Learning curves of D-MIL (report, figures 9 and 10)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lymphokit.figures.style import BLUE, REFERENCE, VERMILION, clean_axes

NAMES = {
    "balanced_accuracy": ("Balanced accuracy", "at probability 0.5"),
    "loss": ("Binary cross-entropy", "weighted by label, as in training"),
}
STYLES = {"training": (BLUE, "--"), "validation": (VERMILION, "-")}


def learning_curve_figure(curves: pd.DataFrame, metric: str, *, executions: int) -> Figure:
    """One metric against epochs: the mean of the executions in a band of one standard deviation.

    curves: as of `ablation.learning_curves`; metric: `balanced_accuracy` or `loss`.
    Source: report, figures 9 and 10.
    """
    name, detail = NAMES[metric]
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    axes = figure.subplots()
    for part, (colour, style) in STYLES.items():
        rows = curves[(curves["part"] == part) & (curves["metric"] == metric)]
        epochs, mean = rows["epoch"].to_numpy(), rows["mean"].to_numpy(np.float64)
        deviation = rows["std"].fillna(0.0).to_numpy(np.float64)
        low, high = mean - deviation, mean + deviation
        axes.fill_between(epochs, low, high, color=colour, alpha=0.15, lw=0)
        label = f"{part}, n = {rows['n_patients'].max()} patients"
        axes.plot(epochs, mean, color=colour, linestyle=style, linewidth=1.8, label=label)
    if metric == "balanced_accuracy":
        axes.axhline(0.5, **REFERENCE)
    axes.set_xlabel(f"Epoch\nMean of {executions} executions; bands: one standard deviation.")
    axes.set_ylabel(f"{name}\n({detail})")
    axes.set_title(f"D-MIL on the split: {name.lower()}", fontweight="bold")
    clean_axes(axes, grid="y")
    axes.legend(frameon=False)
    return figure

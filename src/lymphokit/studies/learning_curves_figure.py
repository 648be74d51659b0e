"""How D-MIL learns, epoch by epoch: data in, figure out."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lymphokit.figures.style import BLUE, DARK, PALE, VERMILION

NAMES = {
    "balanced_accuracy": ("Balanced accuracy", "at probability 0.5"),
    "loss": ("Binary cross-entropy", "weighted by label, as in training"),
}
STYLES = {"training": (BLUE, "--"), "validation": (VERMILION, "-")}


def curve_figure(curves: pd.DataFrame, metric: str, *, executions: int) -> Figure:
    """One metric against epochs: the mean of the executions in a band of one deviation.

    curves: as `evaluation.ablation.learning_curves` gives it; metric: `balanced_accuracy` or
    `loss`.
    Source: report, figures 9 and 10.
    """
    name, how = NAMES[metric]
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    axes = figure.subplots()
    for part, (colour, style) in STYLES.items():
        own = curves[(curves["part"] == part) & (curves["metric"] == metric)]
        epochs, mean = own["epoch"].to_numpy(), own["mean"].to_numpy(np.float64)
        spread = own["std"].fillna(0.0).to_numpy(np.float64)
        axes.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.15, lw=0)
        label = f"{part}, n = {own['n_patients'].max()} patients"
        axes.plot(epochs, mean, color=colour, linestyle=style, linewidth=1.8, label=label)
    if metric == "balanced_accuracy":
        axes.axhline(0.5, color=DARK, linestyle=(0, (4, 4)), linewidth=0.8)
    axes.set_xlabel(f"Epoch\nMean of {executions} executions; bands: one standard deviation.")
    axes.set_ylabel(f"{name}\n({how})")
    axes.set_title(f"D-MIL on the split: {name.lower()}", fontweight="bold")
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure

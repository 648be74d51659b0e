"""How well each model does out of fold, with its uncertainty: data in, figure out."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lymphokit.figures.style import BLUE, CURVES, DARK, PALE, VERMILION

PANELS = (
    ("balanced_accuracy", "low", "high", "Balanced accuracy"),
    ("auc", "auc_low", "auc_high", "Area under the ROC curve"),
)


def score_forest(
    scores: pd.DataFrame, *, submitted: str, folds: str, resamples: int, level: float
) -> Figure:
    """Balanced accuracy and AUC of every model with their intervals, the submitted one marked.

    scores: the score table with a column `naive`, drawn from top to bottom; submitted: the model
    or blend that is handed in; folds: how they were made, such as "5 folds"; resamples, level: as
    the intervals were made.
    """
    figure = Figure(figsize=(9.0, 1.9 + 0.34 * len(scores)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for panel, (column, low, high, name) in zip(axes, PANELS, strict=True):
        _forest(panel, scores, column, low, high, submitted)
        if column == "balanced_accuracy":
            naive = scores["naive"]
            panel.plot(
                naive, range(len(scores)), "o", mfc="none", mec=DARK, markersize=6, alpha=0.7
            )
        panel.set_xlabel(name)
    axes[0].set_yticks(range(len(scores)), scores["model"])
    for label in axes[0].get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == submitted else "normal")
    axes[0].invert_yaxis()
    n_patients = scores["n_patients"].max()
    figure.suptitle(f"Out of fold, {folds}, n = {n_patients} patients", fontweight="bold")
    figure.supxlabel(
        f"Bars: {level:.0%} percentile intervals over {resamples} resamples of the patients, "
        "drawn within each label, widened, for folds share patients.\n"
        f"Dashed: chance. Orange: {submitted}, the one submitted. "
        "Hollow: what it would have been, had all been chosen on the patients it scores.",
        fontsize="small",
        color=DARK,
    )
    return figure


def roc_curves(
    decisions: pd.DataFrame, scores: pd.DataFrame, models: Sequence[str], *, folds: str
) -> Figure:
    """Out-of-fold ROC curves of a few models, a curve a repeat, and where their thresholds lie.

    decisions: the long table; scores: the score table, whose AUCs the legend shows and whose
    recall and balanced accuracy place the point. All folds of a repeat are pooled.
    """
    figure = Figure(figsize=(6.0, 6.3), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=DARK, linestyle=(0, (4, 4)), linewidth=0.8)
    rows = decisions.loc[decisions["part"] == "validation"]
    by_model = scores.set_index("model")
    for model, (colour, style) in zip(models, cycle(CURVES), strict=False):
        figures = by_model.loc[model]
        _curves(axes, rows.loc[rows["model"] == model], colour, style)
        false_positives = 1 - (2 * figures["balanced_accuracy"] - figures["recall"])
        axes.plot(false_positives, figures["recall"], "o", color=colour, markersize=8, mec="white")
        interval = f"{figures['auc_low']:.2f} to {figures['auc_high']:.2f}"
        label = f"{model}, AUC {figures['auc']:.2f} ({interval})"
        axes.plot([], [], color=colour, linestyle=style, linewidth=2, label=label)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xlabel("Share of reactive patients called tumoral (1 - specificity)")
    axes.set_ylabel("Share of tumoral patients called tumoral (recall)")
    n_patients = rows["patient"].nunique()
    axes.set_title(f"Out of fold, {folds}, n = {n_patients} patients", fontweight="bold")
    axes.legend(
        loc="lower right", frameon=False, title="Points: decisions, thresholds chosen inside folds"
    )
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _forest(
    axes: Axes, scores: pd.DataFrame, column: str, low: str, high: str, submitted: str
) -> None:
    """One score: a bar from low to high, a point at the estimate, its value beside the panel."""
    axes.axvline(0.5, color=DARK, linestyle=(0, (4, 4)), linewidth=0.8)
    for place, row in enumerate(scores.to_dict("records")):
        colour = VERMILION if row["model"] == submitted else BLUE
        axes.plot([row[low], row[high]], [place, place], color=colour, linewidth=2.2, alpha=0.55)
        axes.plot(row[column], place, "o", color=colour, markersize=7, mec="white", clip_on=False)
        axes.annotate(
            f"{row[column]:.2f}",
            (1.03, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize="small",
            color=colour,
        )
    least = float(np.nanmin([0.5, *scores[low]]))
    axes.set_xlim(np.floor((least - 0.02) * 20) / 20, 1.0)
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _curves(axes: Axes, rows: pd.DataFrame, colour: str, style: str) -> None:
    """One ROC curve for each repeat."""
    from sklearn.metrics import (
        roc_curve,
    )  # two seconds, which those who want the palette alone spare

    repeats = rows.groupby("repeat")
    for _, own in repeats:
        false_positives, recalls, _ = roc_curve(
            own["label"], own["probability"], drop_intermediate=False
        )
        opacity = 0.95 if len(repeats) == 1 else 0.45
        axes.plot(
            false_positives, recalls, color=colour, linestyle=style, linewidth=1.8, alpha=opacity
        )

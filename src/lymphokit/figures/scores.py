"""Forest plot of the out-of-fold scores, and ROC curves."""

from collections.abc import Collection, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lymphokit.figures.style import (
    BLUE,
    CAPTION,
    CURVES,
    DARK,
    FADED,
    REFERENCE,
    VERMILION,
    clean_axes,
    draw_interval,
)
from lymphokit.figures.terminal_tables import two_decimals

# Columns of the estimate, of the low and of the high end of its interval; name of the score.
PANELS = (
    ("balanced_accuracy", "low", "high", "Balanced accuracy"),
    ("auc", "auc_low", "auc_high", "Area under the ROC curve"),
)


def score_forest(
    scores: pd.DataFrame,
    *,
    submitted: str,
    folds: str,
    resamples: int,
    level: float,
    faded: Collection[str] = (),
) -> Figure:
    """Draw balanced accuracy and AUC of each model with their intervals, the best on top.

    scores: the score table with a column `naive`; submitted: the model or blend of the submission;
    folds: such as "5 folds"; resamples, level: settings of the intervals; faded: models that enter
    no blend.
    """
    scores = scores.sort_values("balanced_accuracy", ascending=False, kind="stable")
    figure = Figure(figsize=(9.0, 1.9 + 0.34 * len(scores)), layout="constrained")
    axes = draw_forests(figure, scores, submitted, reference=0.5, faded=faded)
    for panel, (_, low, _, name) in zip(axes, PANELS, strict=True):
        panel.set_xlabel(name)
        # The axis starts at the last multiple of 0.05 at least 0.02 below the lowest interval.
        lowest = float(np.nanmin([0.5, *scores[low]]))
        panel.set_xlim(np.floor((lowest - 0.02) * 20) / 20, 1.0)
    places = range(len(scores))
    axes[0].plot(scores["naive"], places, "o", mfc="none", mec=DARK, markersize=6, alpha=0.7)
    pale = "" if not faded else "\nPale, in italics: scored alone, in no blend."
    n_patients = scores["n_patients"].max()
    figure.suptitle(f"Out of fold, {folds}, n = {n_patients} patients", fontweight="bold")
    figure.supxlabel(
        f"Bars: {level:.0%} percentile intervals over {resamples} stratified bootstrap resamples "
        "of the patients,\nwidened because the training sets of the folds overlap. Dashed: "
        f"chance. Diamond: {submitted}, submitted.\nHollow: naive score, with models and "
        f"thresholds selected on the patients that are scored.{pale}",
        **CAPTION,
    )
    return figure


def roc_curves(
    decisions: pd.DataFrame, scores: pd.DataFrame, models: Sequence[str], *, folds: str
) -> Figure:
    """Draw out-of-fold ROC curves, one per repeat of the folds, and the operating points.

    decisions: the long table; scores: the score table, which gives the AUCs in the legend and the
    operating points (recall and balanced accuracy of the decisions). The folds of a repeat are
    pooled.
    """
    figure = Figure(figsize=(6.0, 6.3), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], **REFERENCE)
    rows = decisions.loc[decisions["part"] == "validation"]
    by_model = scores.set_index("model")
    for model, (colour, style) in zip(models, cycle(CURVES), strict=False):
        figures = by_model.loc[model]
        _curves(axes, rows.loc[rows["model"] == model], colour, style)
        # Specificity is twice the balanced accuracy minus the recall.
        false_positives = 1 - (2 * figures["balanced_accuracy"] - figures["recall"])
        axes.plot(false_positives, figures["recall"], "o", color=colour, markersize=8, mec="white")
        interval = f"{figures['auc_low']:.2f} to {figures['auc_high']:.2f}"
        label = f"{model}, AUC {figures['auc']:.2f} ({interval})"
        axes.plot([], [], color=colour, linestyle=style, linewidth=2, label=label)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xlabel("False positive rate (1 - specificity): reactive patients called tumoral")
    axes.set_ylabel("True positive rate (recall): tumoral patients called tumoral")
    n_patients = rows["patient"].nunique()
    axes.set_title(f"Out of fold, {folds}, n = {n_patients} patients", fontweight="bold")
    axes.legend(
        loc="lower right", frameon=False, title="Points: thresholds chosen inside the folds"
    )
    clean_axes(axes)
    return figure


def draw_forests(
    figure: Figure,
    table: pd.DataFrame,
    submitted: str,
    *,
    reference: float,
    sign: str = "",
    faded: Collection[str] = (),
) -> Sequence[Axes]:
    """Draw a forest plot of each of `PANELS`: a row per model from top to bottom, in its order.

    submitted: drawn as a diamond, its name in bold; reference: where the dashed line stands; sign:
    `+` for differences; faded: models drawn pale. Returns the two panels.
    """
    axes: Sequence[Axes] = figure.subplots(1, len(PANELS), sharey=True)
    for panel, (*columns, _) in zip(axes, PANELS, strict=True):
        panel.axvline(reference, **REFERENCE)
        for place, row in enumerate(table.to_dict("records")):
            estimate, low, high = (row[column] for column in columns)
            colour, marker = (VERMILION, "D") if row["model"] == submitted else (BLUE, "o")
            colour = FADED if row["model"] in faded else colour
            text = two_decimals(estimate, sign=sign)
            draw_interval(panel, place, (estimate, low, high), text, colour, marker=marker)
        clean_axes(panel, grid="x", categories=True)
    axes[0].set_yticks(range(len(table)), table["model"])
    axes[0].invert_yaxis()
    for label in axes[0].get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == submitted else "normal")
        if label.get_text() in faded:
            label.set(color=FADED, fontstyle="italic")
    return axes


def _curves(axes: Axes, rows: pd.DataFrame, colour: str, style: str) -> None:
    """Draw one ROC curve per repeat."""
    from sklearn.metrics import roc_curve  # takes two seconds; only this figure needs it

    repeats = rows.groupby("repeat")
    opacity = 0.95 if len(repeats) == 1 else 0.45
    for _, group in repeats:
        false_positives, recalls, _ = roc_curve(
            group["label"], group["probability"], drop_intermediate=False
        )
        axes.plot(
            false_positives, recalls, color=colour, linestyle=style, linewidth=1.8, alpha=opacity
        )

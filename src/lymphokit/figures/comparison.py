"""Forest plot of the paired differences between each model and a reference model."""

import pandas as pd
from matplotlib.figure import Figure

from lymphokit.figures.scores import PANELS, draw_forests
from lymphokit.figures.style import CAPTION


def comparison_forest(
    comparisons: pd.DataFrame, *, submitted: str, resamples: int, level: float
) -> Figure:
    """Draw the differences of balanced accuracy and AUC with their intervals, one row per model.

    comparisons: the comparison table, drawn from top to bottom; submitted: the model or blend of
    the submission; resamples, level: settings of the intervals.
    """
    figure = Figure(figsize=(9.0, 2.0 + 0.34 * len(comparisons)), layout="constrained")
    axes = draw_forests(figure, comparisons, submitted, reference=0.0, sign="+")
    for panel, (*_, name) in zip(axes, PANELS, strict=True):
        panel.set_xlabel(f"Difference in {name[0].lower()}{name[1:]}")
    reference, n = comparisons["reference"].iloc[0], comparisons["n_patients"].max()
    clear = int((comparisons["low"] > 0).sum())
    finding = f"{clear or 'none'} of {len(comparisons)} clearly better than {reference}"
    figure.suptitle(f"Out of fold, n = {n} patients: {finding}", fontweight="bold")
    figure.supxlabel(
        f"Right of the line: better than {reference} on the same patients. Bars: {level:.0%} "
        f"percentile intervals over {resamples} stratified\nbootstrap resamples of the patients, "
        "widened because the training sets of the folds overlap. "
        f"About one in {round(1 / (1 - level))} misses the true difference.",
        **CAPTION,
    )
    return figure

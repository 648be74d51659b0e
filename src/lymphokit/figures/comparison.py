"""Forest plot of the paired differences between each model and a reference model."""

from collections.abc import Collection

import pandas as pd
from matplotlib.figure import Figure

from lymphokit.figures.scores import PANELS, draw_forests
from lymphokit.figures.style import CAPTION


def comparison_forest(
    comparisons: pd.DataFrame,
    *,
    submitted: str,
    resamples: int,
    level: float,
    faded: Collection[str] = (),
) -> Figure:
    """Draw the differences of balanced accuracy and AUC with their intervals, the best on top.

    comparisons: the comparison table; submitted: the model or blend of the submission; resamples,
    level: settings of the intervals; faded: models that enter no blend.
    """
    ahead = "balanced_accuracy"
    comparisons = comparisons.sort_values(ahead, ascending=False, kind="stable")
    figure = Figure(figsize=(9.0, 2.0 + 0.34 * len(comparisons)), layout="constrained")
    axes = draw_forests(figure, comparisons, submitted, reference=0.0, sign="+", faded=faded)
    for panel, (*_, name) in zip(axes, PANELS, strict=True):
        panel.set_xlabel(f"Difference in {name[0].lower()}{name[1:]}")
    reference, n = comparisons["reference"].iloc[0], comparisons["n_patients"].max()
    clear = int((comparisons["low"] > 0).sum())
    finding = f"{clear or 'none'} of {len(comparisons)} clearly better than {reference}"
    figure.suptitle(f"Out of fold, n = {n} patients: {finding}", fontweight="bold")
    figure.supxlabel(
        f"Diamond: {submitted}, submitted. {'Pale, in italics: in no blend. ' if faded else ''}"
        f"Right of the line: better than {reference} on the same patients.\n"
        f"Bars: {level:.0%} percentile intervals over {resamples} stratified bootstrap resamples "
        "of the patients, widened\nbecause the training sets of the folds overlap. "
        f"About one in {round(1 / (1 - level))} misses the true difference.",
        **CAPTION,
    )
    return figure

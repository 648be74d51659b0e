"""By how much each model is better than a reference: data in, figure out."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lymphokit.figures.scores import PANELS
from lymphokit.figures.style import BLUE, DARK, PALE, VERMILION


def comparison_forest(
    comparisons: pd.DataFrame, *, submitted: str, resamples: int, level: float
) -> Figure:
    """Paired differences of balanced accuracy and AUC with their intervals, a row a model.

    comparisons: the comparison table, drawn from top to bottom; submitted: the model or blend that
    is handed in; resamples, level: as the intervals were made.
    """
    figure = Figure(figsize=(9.0, 2.0 + 0.34 * len(comparisons)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for panel, (column, low, high, name) in zip(axes, PANELS, strict=True):
        _differences(panel, comparisons, (column, low, high), submitted)
        panel.set_xlabel(f"Difference in {name[0].lower()}{name[1:]}")
    axes[0].set_yticks(range(len(comparisons)), comparisons["model"])
    axes[0].invert_yaxis()
    reference, n = comparisons["reference"].iloc[0], comparisons["n_patients"].max()
    clear = int((comparisons["low"] > 0).sum())
    finding = f"{clear or 'none'} of {len(comparisons)} clearly better than {reference}"
    figure.suptitle(f"Out of fold, n = {n} patients: {finding}", fontweight="bold")
    figure.supxlabel(
        f"Right of the line: better than {reference} on the same patients. Bars: {level:.0%} "
        f"percentile intervals over {resamples} resamples\nof the patients, drawn within each "
        "label, widened, for folds share patients. "
        f"One in {round(1 / (1 - level))} bars misses the truth even where nothing differs.",
        fontsize="small",
        color=DARK,
    )
    return figure


def _differences(
    axes: Axes, comparisons: pd.DataFrame, columns: tuple[str, str, str], submitted: str
) -> None:
    """One score: a bar from low to high and a point at the difference, a line at none."""
    column, low, high = columns
    axes.axvline(0, color=DARK, linestyle=(0, (4, 4)), linewidth=0.8)
    for place, row in enumerate(comparisons.to_dict("records")):
        colour = VERMILION if row["model"] == submitted else BLUE
        axes.plot([row[low], row[high]], [place, place], color=colour, linewidth=2.2, alpha=0.55)
        axes.plot(row[column], place, "o", color=colour, markersize=7, mec="white")
        axes.annotate(
            f"{row[column]:+.2f}",
            (1.03, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize="small",
            color=colour,
        )
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)

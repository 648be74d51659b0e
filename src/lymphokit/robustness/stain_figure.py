"""The stain test shown: scores with columns removed, beside those of the control."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lymphokit.figures.style import (
    BLUE,
    DARK,
    REFERENCE,
    VERMILION,
    clean_axes,
    plain,
)
from lymphokit.robustness.stain_cohort import NONE
from lymphokit.robustness.stain_test import ALONE, NO_IMAGES, PRODUCT
from lymphokit.robustness.stain_verdict import headline

_QUANTITIES = {  # colour, marker, meaning, and place below the middle of the row
    "score": (BLUE, "o", "as it is", 0.0),
    "removed": (VERMILION, "D", "columns removed", -0.16),
    "control": (DARK, "s", "control: as many columns of other patients removed", 0.16),
}
_GAP = 0.7  # between two models, in rows


def stain_forest(table: pd.DataFrame, *, level: float) -> Figure:
    """AUC of each model with each set of columns removed, alone and with age and count.

    table: of `stain_table`; level: of its intervals.
    """
    shown = table[(table["metric"] == "auc") & table["quantity"].isin(_QUANTITIES)]
    rows = shown.loc[shown["score"] == ALONE, ["model", "columns"]].drop_duplicates()
    gaps = (rows["model"] != rows["model"].shift()).cumsum() * _GAP
    places = {
        key: place + gap
        for place, (key, gap) in enumerate(
            zip(rows.itertuples(index=False, name=None), gaps, strict=True)
        )
    }
    figure = Figure(figsize=(11.0, 2.2 + 0.36 * len(places)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, score in zip(panels, (ALONE, PRODUCT), strict=True):
        _panel(panel, shown[shown["score"] == score], places)
    names = [model if columns == NONE else f"without {columns}" for model, columns in places]
    panels[0].set_yticks(list(places.values()), [plain(name) for name in names])
    panels[0].invert_yaxis()
    panels[0].axvline(0.5, **REFERENCE)
    panels[0].set_title("Images alone", fontsize="medium")
    known = shown.loc[(shown["model"] == NO_IMAGES) & (shown["score"] == PRODUCT), "estimate"]
    panels[1].axvline(known.iloc[0], **REFERENCE)
    panels[1].set_title("With age and count (dashed: these alone)", fontsize="medium")
    handles = [
        Line2D([], [], color=colour, marker=marker, mec="white", linewidth=2.2, label=meaning)
        for colour, marker, meaning, _ in _QUANTITIES.values()
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize="small",
        title=f"Out of fold, n = {table['n_patients'].max()} patients. Columns are removed from "
        "descriptors of patients by linear regression fitted on the training part.\n"
        f"Bars: {level:.0%} percentile intervals over resampled patients, widened.",
        title_fontsize="small",
    )
    figure.suptitle(headline(table), fontweight="bold")
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, places: dict[tuple[str, str], float]) -> None:
    for row in rows.to_dict("records"):
        place = places.get((row["model"], row["columns"]))
        if place is None:
            continue
        colour, marker, _, below = _QUANTITIES[row["quantity"]]
        at = place + below
        axes.plot([row["low"], row["high"]], [at, at], color=colour, linewidth=2.2, alpha=0.55)
        axes.plot(row["estimate"], at, marker, color=colour, markersize=6, mec="white")
    axes.set_xlabel("AUC")
    axes.set_xlim(right=1.01)
    clean_axes(axes, grid="x", categories=True)

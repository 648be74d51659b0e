"""What tells the label and what tells train from test patients: data in, figure out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lymphokit.figures.style import BLUE, DARK, PALE, PURPLE, VERMILION
from lymphokit.studies.confounders_text import headline

COLOURS = {"medicine": BLUE, "mixed": PURPLE, "artefact": VERMILION}
MEANINGS = {"medicine": "medicine", "mixed": "shows cells too", "artefact": "no medicine"}
AUC = ("auc", "low", "high")
ADDED = ("added", "added_low", "added_high")
_HEADINGS = (
    ("Tells the label", "AUC"),
    ("Adds to age and count", "Difference of AUC"),
    ("Tells test from train patients", "AUC"),
)
GAP = 0.6  # between two families, in rows


def confounder_forest(
    labels: pd.DataFrame, train_or_test: pd.DataFrame, *, resamples: int, level: float
) -> Figure:
    """Every suspect in a row: the label's AUC, what it adds to medicine, train against test.

    labels, train_or_test: of `evaluation.confounders`; resamples, level: as they were made.
    """
    places = _places(train_or_test)
    figure = Figure(figsize=(11.5, 2.6 + 0.34 * len(places)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True, width_ratios=[1.25, 0.9, 1.25])
    _forest(panels[0], labels, places, AUC, chance=0.5)
    _forest(panels[1], labels.dropna(subset="added"), places, ADDED, chance=0.0)
    _forest(panels[2], train_or_test, places, AUC, chance=0.5)
    families = dict(zip(train_or_test["suspect"], train_or_test["family"], strict=True))
    panels[0].set_yticks(list(places.values()), list(places))
    for tick in panels[0].get_yticklabels():
        tick.set_color(COLOURS[families[tick.get_text()]])
    panels[0].invert_yaxis()
    _dress(list(panels), level)
    figure.suptitle(headline(labels, level), fontweight="bold")
    figure.supxlabel(
        f"Out of fold, n = {labels['n_patients'].max()} labelled patients; train against test "
        f"cross-validated, n = {train_or_test['n_patients'].max()} patients.\nBars: {level:.0%} "
        f"percentile intervals over {resamples} resamples of patients, widened; grey: the "
        "same where labels are shuffled, learned and predicted anew.",
        fontsize="small",
        color=DARK,
    )
    return figure


def _dress(panels: Sequence[Axes], level: float) -> None:
    """Titles, axes of one width for AUCs, and the legend."""
    for panel, (title, axis) in zip(panels, _HEADINGS, strict=True):
        panel.set_title(title, fontsize="medium")
        panel.set_xlabel(axis)
    of_auc = (panels[0], panels[2])
    least = min(panel.get_xlim()[0] for panel in of_auc)
    for panel in of_auc:
        panel.set_xlim(least, 1.0)
    # Medicine cannot be added to itself: the top of the middle panel is free.
    panels[1].legend(
        handles=_legend(level),
        loc="upper center",
        fontsize="small",
        labelspacing=0.3,
        framealpha=1.0,
        edgecolor="none",
    )


def _places(scores: pd.DataFrame) -> dict[str, float]:
    """Where each suspect's row lies, with a gap between families."""
    gaps = (scores["family"] != scores["family"].shift()).cumsum() * GAP
    return dict(zip(scores["suspect"], gaps + np.arange(len(scores)), strict=True))


def _forest(
    axes: Axes,
    scores: pd.DataFrame,
    places: dict[str, float],
    columns: tuple[str, str, str],
    chance: float,
) -> None:
    """A bar from low to high and a point a suspect, over the band of shuffled labels."""
    estimate, low, high = columns
    axes.axvline(chance, color=DARK, linestyle=(0, (4, 4)), linewidth=0.8)
    for row in scores.to_dict("records"):
        place, colour = places[row["suspect"]], COLOURS[row["family"]]
        sign = "" if columns == AUC else "+"
        note = f"{round(row[estimate], 2) + 0.0:{sign}.2f}" if row["varies"] else "constant"
        if row["varies"]:
            if columns == AUC:
                width = row["chance_high"] - row["chance_low"]
                axes.barh(place, width, left=row["chance_low"], height=0.72, color=PALE, zorder=0)
            axes.plot([row[low], row[high]], [place] * 2, color=colour, linewidth=2.2, alpha=0.55)
            axes.plot(row[estimate], place, "o", color=colour, markersize=7, mec="white")
        axes.annotate(
            note,
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize="small",
            color=colour,
        )
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _legend(level: float) -> list[Line2D | Patch]:
    lines: list[Line2D | Patch] = [
        Line2D([], [], color=colour, marker="o", mec="white", linewidth=2.2, label=MEANINGS[family])
        for family, colour in COLOURS.items()
    ]
    return [*lines, Patch(color=PALE, label=f"{level:.0%} of shuffles")]

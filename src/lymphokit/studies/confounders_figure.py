"""The figure of the confounder study: a forest plot of linear probes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lymphokit.figures.style import (
    BLUE,
    CAPTION,
    PALE,
    PURPLE,
    REFERENCE,
    VERMILION,
    clean_axes,
    draw_interval,
)
from lymphokit.studies.confounders_text import INTERVALS, MEANINGS, headline

COLOURS = {"medicine": BLUE, "mixed": PURPLE, "artefact": VERMILION}
AUC = ("auc", "low", "high")
ADDED = ("added", "added_low", "added_high")
_HEADINGS = (
    ("Predicts the label", "AUC"),
    ("Adds to age and count", "Difference of AUC"),
    ("Separates test from train patients", "AUC"),
)
GAP = 0.6  # between two families, in rows


def confounder_forest(
    labels: pd.DataFrame, train_or_test: pd.DataFrame, *, resamples: int, level: float
) -> Figure:
    """A row for each confounder: AUC for the label, what it adds, AUC for train against test.

    labels, train_or_test: of `studies.confounders`; resamples, level: settings of the intervals.
    """
    gaps = (train_or_test["family"] != train_or_test["family"].shift()).cumsum() * GAP
    places = dict(
        zip(train_or_test["confounder"], gaps + np.arange(len(train_or_test)), strict=True)
    )
    figure = Figure(figsize=(11.5, 2.6 + 0.34 * len(places)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True, width_ratios=[1.25, 0.9, 1.25])
    _forest(panels[0], labels, places, AUC)
    _forest(panels[1], labels.dropna(subset="added"), places, ADDED)
    _forest(panels[2], train_or_test, places, AUC)
    panels[0].set_yticks(list(places.values()), list(places))
    for tick, family in zip(panels[0].get_yticklabels(), train_or_test["family"], strict=True):
        tick.set_color(COLOURS[family])
    panels[0].invert_yaxis()
    for panel, (title, axis) in zip(panels, _HEADINGS, strict=True):
        panel.set_title(title, fontsize="medium")
        panel.set_xlabel(axis)
    _share_limits((panels[0], panels[2]))
    # Clinical columns have no row in the middle panel, so its top is free.
    panels[1].legend(
        handles=_legend(level),
        loc="upper center",
        fontsize="small",
        labelspacing=0.3,
        framealpha=1.0,
        edgecolor="none",
    )
    figure.suptitle(headline(labels, level), fontweight="bold")
    figure.supxlabel(
        f"Linear probes out of fold, n = {labels['n_patients'].max()} labelled patients; train "
        f"against test cross-validated, n = {train_or_test['n_patients'].max()} patients.\nBars: "
        f"{level:.0%} {INTERVALS}, {resamples} resamples; grey: AUCs on shuffled labels.",
        **CAPTION,
    )
    return figure


def _share_limits(panels: Sequence[Axes]) -> None:
    """The same limits for all axes of AUCs."""
    least = min(panel.get_xlim()[0] for panel in panels)
    for panel in panels:
        panel.set_xlim(least, 1.0)


def _forest(
    axes: Axes, scores: pd.DataFrame, places: dict[str, float], columns: tuple[str, str, str]
) -> None:
    """One interval for each confounder, for an AUC over the band of shuffled labels."""
    chance, sign = (0.5, "") if columns == AUC else (0.0, "+")
    axes.axvline(chance, **REFERENCE)
    for row in scores.to_dict("records"):
        place, colour = places[row["confounder"]], COLOURS[row["family"]]
        estimate, low, high = (row[column] for column in columns)
        if not row["varies"]:
            draw_interval(axes, place, (np.nan, np.nan, np.nan), "constant", colour)
            continue
        if columns == AUC:
            width = row["chance_high"] - row["chance_low"]
            axes.barh(place, width, left=row["chance_low"], height=0.72, color=PALE, zorder=0)
        text = f"{round(estimate, 2) + 0.0:{sign}.2f}"
        draw_interval(axes, place, (estimate, low, high), text, colour)
    axes.set_axisbelow(True)
    clean_axes(axes, categories=True)


def _legend(level: float) -> list[Line2D | Patch]:
    lines: list[Line2D | Patch] = [
        Line2D([], [], color=colour, marker="o", mec="white", linewidth=2.2, label=MEANINGS[family])
        for family, colour in COLOURS.items()
    ]
    return [*lines, Patch(color=PALE, label=f"{level:.0%} of shuffles")]

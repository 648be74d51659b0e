"""Figure of selective prediction: accuracy and cost against the share of patients referred."""

from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure

from lymphokit.calibration.referral import FLOW_CYTOMETRY, WITH_BAND
from lymphokit.figures.style import BLUE, CAPTION, REFERENCE, VERMILION, clean_axes

COLOURS = ((VERMILION, "-"), (BLUE, "--"))
PANELS = (
    ("accuracy", "Accuracy among the called patients"),
    ("cost", "Cost per patient, in flow cytometries"),
)
HIGHEST_COST, LOWEST_SHARE = 3.0, 0.5  # limits of the panels, unless an estimate lies below


def risk_coverage_figure(
    curve: pd.DataFrame, table: pd.DataFrame, *, missed: float, false_alarm: float, level: float
) -> Figure:
    """Draw accuracy among the called and cost per patient against the share referred.

    curve: from `risk_coverage`, a line per model; table: from `referral_table`, whose bands are
    the points; missed, false_alarm: the costs that placed them; level: of the intervals.
    """
    figure = Figure(figsize=(10.4, 5.4), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True)
    bands = table[table["strategy"].str.endswith(WITH_BAND)].set_index("model")
    for panel, (column, name) in zip(axes, PANELS, strict=True):
        for (model, rows), (colour, style) in zip(
            curve.groupby("model", sort=False), cycle(COLOURS), strict=False
        ):
            low, high = rows[f"{column}_low"], rows[f"{column}_high"]
            panel.fill_between(rows["referred"], low, high, color=colour, alpha=0.13, lw=0)
            panel.plot(rows["referred"], rows[column], style, color=colour, linewidth=1.8)
            band = bands.loc[model]
            panel.plot(band["referred"], band[column], "o", color=colour, ms=10, mec="white")
            label = f"{model}: {band['referred']:.0%} to flow cytometry"
            panel.plot([], [], style, marker="o", color=colour, label=label)
        panel.set_ylabel(name)
        panel.set_xlim(-0.02, 1.02)
        clean_axes(panel, grid="both")
    axes[0].set_ylim(min(LOWEST_SHARE, float(curve["accuracy"].min()) - 0.05), 1.005)
    axes[0].legend(loc="lower right", frameon=False, title="Points: the bands in use")
    axes[1].axhline(FLOW_CYTOMETRY, **REFERENCE)
    top = min(HIGHEST_COST, 1.05 * float(curve["cost_high"].max()))
    axes[1].set_ylim(0, max(top, 1.2))
    axes[1].annotate("flow cytometry for all patients", (0.98, 1.02), ha="right", fontsize="small")
    figure.suptitle(_title(table), fontweight="bold")
    figure.supxlabel(
        "Share of patients referred to flow cytometry, the least certain first\n"
        f"Out of fold. A missed tumoral patient costs {missed:g} flow cytometries, a false alarm "
        f"{false_alarm:g}.\nShaded: {level:.0%} intervals, Wilson's for shares, percentiles of "
        "resampled patients for costs, which contain no kind of error that did not occur.",
        **CAPTION,
    )
    return figure


def _title(table: pd.DataFrame) -> str:
    """The results of the first strategy."""
    first = table.iloc[0]
    return (
        f"{first['model']}, n = {first['n_patients']} patients: with {first['referred']:.0%} "
        f"referred to flow cytometry,\n{first['accuracy']:.0%} of the calls are right and the cost "
        f"is {first['cost']:.2f} flow cytometries per patient"
    )

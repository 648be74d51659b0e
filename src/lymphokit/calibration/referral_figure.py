"""What is gained by sending the unsure patients to flow cytometry: data in, figure out."""

from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lymphokit.calibration.referral import FLOW_CYTOMETRY, WITH_BAND
from lymphokit.figures.style import BLUE, DARK, PALE, VERMILION

COLOURS = ((VERMILION, "-"), (BLUE, "--"))
PANELS = (
    ("accuracy", "Share of the called patients who are called right"),
    ("cost", "Cost of a patient, in flow cytometries"),
)
HIGHEST_COST, LOWEST_SHARE = 3.0, 0.5  # that a panel shows; an estimate below is shown too


def risk_coverage_figure(
    curve: pd.DataFrame, table: pd.DataFrame, *, missed: float, false_alarm: float, level: float
) -> Figure:
    """Accuracy among the called and cost of a patient against the share sent on, a line a model.

    curve: as `risk_coverage` gives it; table: as `referral_table` gives it, whose bands are
    the points; missed, false_alarm: the costs that placed them; level: of the intervals.
    """
    figure = Figure(figsize=(10.4, 5.4), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True)
    chosen = table[table["strategy"].str.endswith(WITH_BAND)].set_index("model")
    for panel, (column, name) in zip(axes, PANELS, strict=True):
        for (model, own), (colour, style) in zip(
            curve.groupby("model", sort=False), cycle(COLOURS), strict=False
        ):
            _line(panel, own, column, colour, style)
            point = chosen.loc[model]
            label = f"{model}: {point['referred']:.0%} to flow cytometry"
            panel.plot(point["referred"], point[column], "o", color=colour, ms=10, mec="white")
            panel.plot([], [], style, marker="o", color=colour, label=label)
        panel.set_ylabel(name)
        panel.set_xlim(-0.02, 1.02)
        panel.grid(color=PALE, linewidth=0.6)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylim(min(LOWEST_SHARE, float(curve["accuracy"].min()) - 0.05), 1.005)
    axes[0].legend(loc="lower right", frameon=False, title="Points: the bands in use")
    axes[1].axhline(FLOW_CYTOMETRY, color=DARK, linestyle=(0, (4, 4)), linewidth=0.8)
    top = min(HIGHEST_COST, 1.05 * float(curve["cost_high"].max()))
    axes[1].set_ylim(0, max(top, 1.2))
    axes[1].annotate("flow cytometry for everybody", (0.98, 1.02), ha="right", fontsize="small")
    figure.suptitle(_title(table), fontweight="bold")
    figure.supxlabel(
        "Share of patients sent to flow cytometry, the least sure first\n"
        f"Out of fold. A missed tumoral patient costs {missed:g} flow cytometries, a false alarm "
        f"{false_alarm:g}.\nShaded: {level:.0%} intervals, of shares Wilson's, of "
        "costs over resampled patients, which hold no kind of error that was not seen once.",
        fontsize="small",
        color=DARK,
    )
    return figure


def _line(panel: Axes, own: pd.DataFrame, column: str, colour: str, style: str) -> None:
    """One model's curve in its band."""
    panel.fill_between(
        own["referred"], own[f"{column}_low"], own[f"{column}_high"], color=colour, alpha=0.13, lw=0
    )
    panel.plot(own["referred"], own[column], style, color=colour, linewidth=1.8)


def _title(table: pd.DataFrame) -> str:
    """What the first band comes to, in words."""
    first = table.iloc[0]
    return (
        f"{first['model']}, n = {first['n_patients']} patients: with {first['referred']:.0%} sent "
        f"to flow cytometry,\n{first['accuracy']:.0%} of the calls are right and a patient costs "
        f"{first['cost']:.2f} flow cytometries"
    )

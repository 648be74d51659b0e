"""Selective prediction shown: accuracy and cost by share referred, terminal table, sentences."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.table import Column, Table

from lymphokit.calibration.referral import FLOW_CYTOMETRY, WITH_BAND, Costs
from lymphokit.figures.style import BLUE, CAPTION, REFERENCE, VERMILION, clean_axes
from lymphokit.figures.terminal_tables import number_columns, percentage, with_interval

COLOURS = ((VERMILION, "-"), (BLUE, "--"))
PANELS = (
    ("accuracy", "Accuracy among the called patients"),
    ("cost", "Cost per patient, in flow cytometries"),
)
LOWEST_SHARE = 0.5  # limit of the first panel, unless an estimate lies below
LEAST_CALLED = 20  # patients, for a line to be drawn


def risk_coverage_figure(
    curve: pd.DataFrame, table: pd.DataFrame, costs: Costs, *, level: float
) -> Figure:
    """Draw accuracy among the called and cost per patient against the share referred.

    curve: from `risk_coverage`, a line per model; table: from `referral_table`, whose bands are
    the points; costs: those that placed them; level: of the intervals. Only the bands in use have
    intervals. Lines end where fewer than `LEAST_CALLED` patients are called: an accuracy among so
    few says little, and an area shaded around it looks like a result.
    """
    figure = Figure(figsize=(10.4, 5.4), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True)
    n_patients = int(table["n_patients"].max())
    curve = curve[(1 - curve["referred"]) * n_patients >= LEAST_CALLED - 0.5]
    bands = table[table["strategy"].str.endswith(WITH_BAND)].set_index("model")
    for panel, (column, name) in zip(axes, PANELS, strict=True):
        for (model, rows), (colour, style) in zip(
            curve.groupby("model", sort=False), cycle(COLOURS), strict=False
        ):
            panel.plot(rows["referred"], rows[column], style, color=colour, linewidth=1.8)
            band = bands.loc[model]
            at, ends = band["referred"], [band[f"{column}_low"], band[f"{column}_high"]]
            panel.plot([at, at], ends, color=colour, linewidth=2.2, alpha=0.55)
            panel.plot(at, band[column], "o", color=colour, ms=10, mec="white")
            label = f"{model}: {at:.0%} to flow cytometry"
            panel.plot([], [], style, marker="o", color=colour, label=label)
        panel.set_ylabel(name)
        panel.set_xlim(-0.02, 1.02)
        clean_axes(panel, grid="both")
    least = [LOWEST_SHARE, bands["accuracy_low"].min() - 0.02, curve["accuracy"].min() - 0.05]
    axes[0].set_ylim(float(np.nanmin(least)), 1.005)
    axes[0].legend(loc="lower right", frameon=False, title="Points with bars: the bands in use")
    axes[1].axhline(FLOW_CYTOMETRY, **REFERENCE)
    top = float(np.nanmax([curve["cost"].max(), bands["cost_high"].max()]))
    axes[1].set_ylim(0, max(1.05 * top, 1.2))
    axes[1].annotate("flow cytometry for all patients", (0.98, 1.02), ha="right", fontsize="small")
    first = table.iloc[0]
    figure.suptitle(
        f"{first['model']}, n = {n_patients} patients: with {first['referred']:.0%} "
        f"referred to flow cytometry,\n{first['accuracy']:.0%} of the calls are right and the "
        f"cost is {first['cost']:.2f} flow cytometries per patient",
        fontweight="bold",
    )
    figure.supxlabel(
        "Share of patients referred to flow cytometry, the least certain first\n"
        f"Out of fold. A missed tumoral patient costs {costs.missed:g} flow cytometries, a false "
        f"alarm {costs.false_alarm:g}. Lines end where fewer than {LEAST_CALLED} patients are "
        f"called.\nBars: {level:.0%} intervals, Wilson's for shares, percentiles of resampled "
        "patients for costs, which contain no kind of error that did not occur.",
        **CAPTION,
    )
    return figure


def referral_terminal_table(table: pd.DataFrame, costs: Costs, *, level: float) -> Table:
    """Format the referral table: a row per strategy; table: from `referral_table`."""
    shown = Table(
        Column("strategy", no_wrap=True),
        *number_columns("referred", "sensitivity", "specificity", "missed,\nalarms", "cost"),
        *number_columns("dearer by"),
        title=f"Referral to flow cytometry, out of fold, n = {table['n_patients'].max()} patients",
        caption="sensitivity and specificity: among the called. alarms: reactive patients called "
        "tumoral. cost: per patient, in flow cytometries; a missed tumoral patient costs "
        f"{costs.missed:g}, a false alarm {costs.false_alarm:g}. dearer: than the first row, on "
        f"the same patients. brackets: {level:.0%} intervals, with the fitted models fixed",
    )
    for place, row in enumerate(table.to_dict("records")):
        cost, dearer = (
            with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
            for name in ("cost", "dearer")
        )
        shown.add_row(
            row["strategy"],
            f"{row['referred']:.0%}",
            *(percentage(row, name) for name in ("sensitivity", "specificity")),
            f"{row['missed']:.3g}, {row['false_alarms']:.3g}",
            cost,
            dearer if place else "",
            style="bold" if place == 0 else None,
        )
    return shown


def referral_sentences(table: pd.DataFrame, advice: pd.DataFrame, costs: Costs) -> list[str]:
    """Summarise the first strategy, the errors its cost may leave out, and the test patients."""
    row = table.to_dict("records")[0]
    unseen = row["missed_high"] * row["n_tumoral"] / row["n_patients"] * costs.missed
    n_referred = int((advice["advice"] == "flow cytometry").sum())
    return [
        f"{row['strategy']}: {row['referred']:.0%} of patients are referred to flow cytometry. Of "
        f"{row['called_tumoral']:.3g} tumoral patients called, "
        f"{row['called_tumoral'] - row['missed']:.3g} are called right; of "
        f"{row['called_reactive']:.3g} reactive ones, "
        f"{row['called_reactive'] - row['false_alarms']:.3g}.",
        f"Missed: {row['missed']:.3g} of {row['n_tumoral']} tumoral patients. Up to "
        f"{row['missed_high']:.0%} cannot be excluded; they alone would cost {unseen:.2f} flow "
        "cytometries per patient.",
        f"Test patients: {n_referred} of {len(advice)} would be referred. The competition's CSV "
        "calls all patients.",
    ]

"""Calibration shown: reliability diagram, terminal table, sentences on wanted sensitivities."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Column, Table

from lymphokit.calibration.reliability import STAGES, miscalibration
from lymphokit.figures.style import BLUE, CAPTION, ORANGE, REFERENCE, clean_axes
from lymphokit.figures.terminal_tables import number_columns, percentage

STYLES = {"before": (ORANGE, "o", "--"), "after": (BLUE, "s", "-")}
COLUMNS = 2
METHODS = {
    "platt": "Platt scaling",
    "temperature": "temperature scaling",
    "isotonic": "isotonic regression",
    "none": "the identity",
}


def reliability_figure(
    points: pd.DataFrame, table: pd.DataFrame, *, submitted: str, method: str, level: float
) -> Figure:
    """Draw the reliability diagram of each model in a panel.

    points: from `reliability_bins`, models in its order; table: from `calibration_table`, for the
    titles; submitted: the model in the figure's title; method: of calibration.
    """
    models = points["model"].unique().tolist()
    n_rows = -(-len(models) // COLUMNS)
    figure = Figure(figsize=(9.2, 4.3 * n_rows + 1.3), layout="constrained")
    axes = figure.subplots(n_rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, model in zip(axes, models, strict=False):
        _panel(panel, points[points["model"] == model])
        found = "; ".join(f"{stage}: {miscalibration(table, model, stage)}" for stage in STYLES)
        panel.set_title(f"{model}\n{found}", fontsize=10)
    for unused in axes[len(models) :]:
        unused.set_visible(False)
    n_patients = int(table["n_patients"].max())
    before, after = (miscalibration(table, submitted, stage) for stage in STYLES)
    figure.suptitle(
        f"{submitted}: {before} before calibration, {after} after\n"
        f"Out of fold, n = {n_patients} patients",
        fontweight="bold",
    )
    figure.supylabel("Share of these patients who are tumoral")
    figure.supxlabel(
        "Mean predicted probability of the patients in a bin\n"
        "Bins of equal size; fractions: tumoral / all patients of each bin after calibration, from "
        f"left to right.\nBars: {level:.0%} Wilson intervals. Calibrated by "
        f"{METHODS.get(method, method)}, fitted on the inner predictions of each training "
        "part.\nDashed diagonal: perfect calibration.",
        **CAPTION,
    )
    return figure


def calibration_terminal_table(
    table: pd.DataFrame, *, submitted: str, method: str, level: float
) -> Table:
    """Format the calibration table: a row per model, measures before and after.

    table: from `calibration_table`; the submitted model is in bold.
    """
    shown = Table(
        Column("model", no_wrap=True),
        *number_columns("slope", "log loss", "Brier", "ECE (perfect)"),
        "finding: before > after",
        title=f"Calibration by {METHODS.get(method, method)}, out of fold, "
        f"n = {table['n_patients'].max()} patients: before > after",
        caption="slope: below 1 overconfident, above 1 underconfident. ECE: expected calibration "
        "error; in brackets that of a perfectly calibrated model on as few patients. finding: "
        f"from the {level:.0%} intervals of slope and intercept. bold: {submitted}, submitted",
    )
    for model, rows in table.groupby("model", sort=False):
        measures = {str(row["measure"]): row for row in rows.to_dict("records")}
        shown.add_row(
            str(model),
            _change(measures["slope"], 1),
            _change(measures["log_loss"], 2),
            _change(measures["brier"], 2),
            f"{_change(measures['ece'], 2)} ({measures['ece']['perfect_after']:.2f})",
            " > ".join(miscalibration(table, str(model), stage) for stage in STAGES),
            style="bold" if model == submitted else None,
        )
    return shown


def sensitivity_sentences(sensitivities: pd.DataFrame, models: Sequence[str]) -> list[str]:
    """A sentence for each wanted sensitivity of these models; from `sensitivity_table`."""
    rows = sensitivities[sensitivities["model"].isin(models)]
    return [
        f"{row['model']}: for a wanted sensitivity of {row['wanted']:.0%}, "
        f"{percentage(row, 'sensitivity')} of {row['n_tumoral']} tumoral patients are called "
        "tumoral "
        + (
            "because all patients are: no threshold can guarantee it on so few."
            if row["specificity"] == 0
            else f"and {percentage(row, 'specificity')} of {row['n_reactive']} reactive ones are "
            "not."
        )
        for row in rows.to_dict("records")
    ]


def _change(row: Mapping[Hashable, float], decimals: int) -> str:
    """Before and after."""
    return f"{row['before']:.{decimals}f} > {row['after']:.{decimals}f}"


def _panel(panel: Axes, points: pd.DataFrame) -> None:
    """One model: both stages with their intervals, the counts of the later one."""
    panel.plot([0, 1], [0, 1], **REFERENCE)
    for stage, (colour, marker, style) in STYLES.items():
        rows = points[points["stage"] == stage]
        probability, share = rows["probability"].to_numpy(), rows["share"].to_numpy()
        low, high = rows["share_low"], rows["share_high"]
        panel.vlines(probability, low, high, color=colour, alpha=0.5, linewidth=1.6)
        panel.plot(probability, share, color=colour, linestyle=style, linewidth=1.4)
        panel.plot(probability, share, marker, color=colour, ms=6, mec="white", clip_on=False)
        panel.plot([], [], color=colour, linestyle=style, marker=marker, mec="white", label=stage)
    # Bins may lie close together: counts are listed in their order, not placed at the points.
    for place, row in zip(np.linspace(0.03, 0.97, len(rows)), rows.to_dict("records"), strict=True):
        count = f"{row['n_tumoral']}/{row['n_patients']}"
        panel.text(place, -0.1, count, fontsize=8, color=BLUE, ha="center", va="center")
    panel.set(xlim=(-0.04, 1.04), ylim=(-0.16, 1.04), aspect="equal")
    panel.set_yticks(np.linspace(0, 1, 6))
    clean_axes(panel, grid="both")
    panel.legend(loc="upper left", frameon=False, fontsize="small")

"""Calibration and abstention for a terminal: data in, tables and sentences out."""

from collections.abc import Hashable, Mapping, Sequence

import pandas as pd
from rich.table import Table

from lymphokit.calibration.reliability import miscalibration


def calibration_terminal_table(
    table: pd.DataFrame, *, submitted: str, method: str, level: float
) -> Table:
    """A row a model: what its probabilities are worth before and after, in figures and words.

    table: as `calibration_table` gives it; the submitted model is in bold.
    """
    n_patients = table["n_patients"].max()
    shown = Table(
        title=f"Calibration by {method}, out of fold, n = {n_patients} patients: before > after",
        caption=f"slope: 1 is right, below it too sure, above it too timid. ECE: mean gap; in "
        f"brackets what a perfect model would show on as few patients. Words: {level:.0%} "
        f"intervals of slope and intercept. bold: {submitted}, submitted",
    )
    shown.add_column("model", no_wrap=True)
    for heading in ("slope", "log loss", "Brier", "ECE (perfect)"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("in words: before > after")
    for model, rows in table.groupby("model", sort=False):
        own = {str(row["measure"]): row for row in rows.to_dict("records")}
        shown.add_row(
            str(model),
            _change(own["slope"], 1),
            _change(own["log_loss"], 2),
            _change(own["brier"], 2),
            f"{_change(own['ece'], 2)} ({own['ece']['perfect_after']:.2f})",
            " > ".join(miscalibration(table, str(model), stage) for stage in ("before", "after")),
            style="bold" if model == submitted else None,
        )
    return shown


def sensitivity_sentences(sensitivities: pd.DataFrame, models: Sequence[str]) -> list[str]:
    """A sentence for each wanted sensitivity of these models."""
    rows = sensitivities[sensitivities["model"].isin(models)]
    return [
        f"{row['model']}: for a wanted sensitivity of {row['wanted']:.0%}, "
        f"{_share(row, 'sensitivity')} of {row['n_tumoral']} tumoral patients are called tumoral "
        + (
            "because everybody is: no threshold can promise it on so few."
            if row["specificity"] == 0
            else f"and {_share(row, 'specificity')} of {row['n_reactive']} reactive ones are not."
        )
        for row in rows.to_dict("records")
    ]


def referral_terminal_table(
    table: pd.DataFrame, *, missed: float, false_alarm: float, level: float
) -> Table:
    """A row a way to work: who is sent on, what the calls are worth, what a patient costs.

    table: as `referral_table` gives it; missed, false_alarm: the costs, in flow cytometries.
    """
    shown = Table(
        title=f"Whom to send on to flow cytometry, out of fold, n = {table['n_patients'].max()} "
        "patients",
        caption="sensitivity and specificity: of those called. alarms: reactive patients called "
        f"tumoral. cost: of a patient, in flow cytometries; a missed tumoral patient costs "
        f"{missed:g}, a false alarm {false_alarm:g}. dearer: than the first row, on the same "
        f"patients. brackets: {level:.0%} intervals of these models",
    )
    shown.add_column("way to work", no_wrap=True)
    for heading in ("sent on", "sensitivity", "specificity", "missed,\nalarms", "cost"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("dearer by", justify="right", no_wrap=True)
    for place, row in enumerate(table.to_dict("records")):
        interval = f"\\[{row['dearer_low']:.2f}, {row['dearer_high']:.2f}]"
        shown.add_row(
            row["strategy"],
            f"{row['referred']:.0%}",
            *(_share(row, name) for name in ("sensitivity", "specificity")),
            f"{row['missed']:.3g}, {row['false_alarms']:.3g}",
            f"{row['cost']:.2f} \\[{row['cost_low']:.2f}, {row['cost_high']:.2f}]",
            f"{row['dearer']:.2f} {interval}" if place else "",
            style="bold" if place == 0 else None,
        )
    return shown


def referral_sentences(table: pd.DataFrame, advice: pd.DataFrame, *, missed: float) -> list[str]:
    """The first way to work in words, what its cost may leave out, and the test patients."""
    row = table.to_dict("records")[0]
    unseen = row["missed_high"] * row["n_tumoral"] / row["n_patients"] * missed
    sent = int((advice["advice"] == "flow cytometry").sum())
    return [
        f"{row['strategy']}: {row['referred']:.0%} of patients go to flow cytometry. Of "
        f"{row['called_tumoral']:.3g} tumoral patients called, "
        f"{row['called_tumoral'] - row['missed']:.3g} are called right; of "
        f"{row['called_reactive']:.3g} reactive ones, "
        f"{row['called_reactive'] - row['false_alarms']:.3g}.",
        f"Missed: {row['missed']:.3g} of {row['n_tumoral']} tumoral patients. Up to "
        f"{row['missed_high']:.0%} cannot be excluded; they alone would cost {unseen:.2f} flow "
        "cytometries a patient.",
        f"Test patients: {sent} of {len(advice)} would go to flow cytometry. The "
        "competition's CSV calls everybody.",
    ]


def _change(row: Mapping[Hashable, float], decimals: int) -> str:
    """Before and after."""
    return f"{row['before']:.{decimals}f} > {row['after']:.{decimals}f}"


def _share(row: Mapping[Hashable, float], name: str) -> str:
    """A share in percent with its interval; a dash where nobody was called."""
    if pd.isna(row[name]):
        return "-"
    low, high = 100 * row[f"{name}_low"], 100 * row[f"{name}_high"]
    return f"{row[name]:.0%} ({low:.0f} to {high:.0f})"

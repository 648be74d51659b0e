"""Calibration and referral as tables and sentences for a terminal."""

from collections.abc import Hashable, Mapping, Sequence

import pandas as pd
from rich.table import Table

from lymphokit.calibration.reliability import STAGES, miscalibration


def calibration_terminal_table(
    table: pd.DataFrame, *, submitted: str, method: str, level: float
) -> Table:
    """Format the calibration table: a row per model, measures before and after.

    table: from `calibration_table`; the submitted model is in bold.
    """
    shown = Table(
        title=f"Calibration by {method}, out of fold, n = {table['n_patients'].max()} patients: "
        "before > after",
        caption="slope: below 1 overconfident, above 1 underconfident. ECE: expected calibration "
        "error; in brackets that of a perfectly calibrated model on as few patients. finding: "
        f"from the {level:.0%} intervals of slope and intercept. bold: {submitted}, submitted",
    )
    shown.add_column("model", no_wrap=True)
    for heading in ("slope", "log loss", "Brier", "ECE (perfect)"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("finding: before > after")
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
        f"{_share(row, 'sensitivity')} of {row['n_tumoral']} tumoral patients are called tumoral "
        + (
            "because all patients are: no threshold can guarantee it on so few."
            if row["specificity"] == 0
            else f"and {_share(row, 'specificity')} of {row['n_reactive']} reactive ones are not."
        )
        for row in rows.to_dict("records")
    ]


def referral_terminal_table(
    table: pd.DataFrame, *, missed: float, false_alarm: float, level: float
) -> Table:
    """Format the referral table: a row per strategy.

    table: from `referral_table`; missed, false_alarm: the costs, in flow cytometries.
    """
    shown = Table(
        title=f"Referral to flow cytometry, out of fold, n = {table['n_patients'].max()} patients",
        caption="sensitivity and specificity: among the called. alarms: reactive patients called "
        f"tumoral. cost: per patient, in flow cytometries; a missed tumoral patient costs "
        f"{missed:g}, a false alarm {false_alarm:g}. dearer: than the first row, on the same "
        f"patients. brackets: {level:.0%} intervals, with the fitted models fixed",
    )
    shown.add_column("strategy", no_wrap=True)
    for heading in ("referred", "sensitivity", "specificity", "missed,\nalarms", "cost"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("dearer by", justify="right", no_wrap=True)
    for place, row in enumerate(table.to_dict("records")):
        shown.add_row(
            row["strategy"],
            f"{row['referred']:.0%}",
            *(_share(row, name) for name in ("sensitivity", "specificity")),
            f"{row['missed']:.3g}, {row['false_alarms']:.3g}",
            _cost(row, "cost"),
            _cost(row, "dearer") if place else "",
            style="bold" if place == 0 else None,
        )
    return shown


def referral_sentences(table: pd.DataFrame, advice: pd.DataFrame, *, missed: float) -> list[str]:
    """Summarise the first strategy, the errors its cost may leave out, and the test patients."""
    row = table.to_dict("records")[0]
    unseen = row["missed_high"] * row["n_tumoral"] / row["n_patients"] * missed
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


def _change(row: Mapping[Hashable, float], decimals: int) -> str:
    """Before and after."""
    return f"{row['before']:.{decimals}f} > {row['after']:.{decimals}f}"


def _cost(row: Mapping[Hashable, float], name: str) -> str:
    """A cost with its interval."""
    return f"{row[name]:.2f} \\[{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]"


def _share(row: Mapping[Hashable, float], name: str) -> str:
    """A share in percent with its interval; a dash where nobody was called."""
    if pd.isna(row[name]):
        return "-"
    low, high = 100 * row[f"{name}_low"], 100 * row[f"{name}_high"]
    return f"{row[name]:.0%} ({low:.0f} to {high:.0f})"

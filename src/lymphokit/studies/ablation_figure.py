"""The ablation shown: learning curves of D-MIL, terminal table of the variants."""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.table import Column, Table

from lymphokit.figures.style import BLUE, REFERENCE, VERMILION, clean_axes
from lymphokit.figures.terminal_tables import number_columns

NAMES = {
    "balanced_accuracy": ("Balanced accuracy", "at probability 0.5"),
    "loss": ("Binary cross-entropy", "weighted by label, as in training"),
}
STYLES = {"training": (BLUE, "--"), "validation": (VERMILION, "-")}
HEADINGS = {
    "balanced_accuracy": "balanced acc.",
    "f1": "F1",
    "recall": "recall",
    "precision": "precision",
    "loss": "loss",
    "naive_balanced_accuracy": "naive bal. acc.",
}


def learning_curve_figure(curves: pd.DataFrame, metric: str, *, executions: int) -> Figure:
    """One metric against epochs: the mean of the executions in a band of one standard deviation.

    curves: as of `ablation.learning_curves`; metric: `balanced_accuracy` or `loss`.
    Source: report, figures 9 and 10.
    """
    name, detail = NAMES[metric]
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    axes = figure.subplots()
    for part, (colour, style) in STYLES.items():
        rows = curves[(curves["part"] == part) & (curves["metric"] == metric)]
        epochs, mean = rows["epoch"].to_numpy(), rows["mean"].to_numpy(np.float64)
        deviation = rows["std"].fillna(0.0).to_numpy(np.float64)
        low, high = mean - deviation, mean + deviation
        axes.fill_between(epochs, low, high, color=colour, alpha=0.15, lw=0)
        label = f"{part}, n = {rows['n_patients'].max()} patients"
        axes.plot(epochs, mean, color=colour, linestyle=style, linewidth=1.8, label=label)
    if metric == "balanced_accuracy":
        axes.axhline(0.5, **REFERENCE)
    axes.set_xlabel(f"Epoch\nMean of {executions} executions; bands: one standard deviation.")
    axes.set_ylabel(f"{name}\n({detail})")
    axes.set_title(f"D-MIL on the split: {name.lower()}", fontweight="bold")
    clean_axes(axes, grid="y")
    axes.legend(frameon=False)
    return figure


def ablation_terminal_table(summary: pd.DataFrame, *, executions: int, n_patients: int) -> Table:
    """Mean, standard deviation and best of every variant, the best mean of each source in bold.

    summary: as of `ablation.summarise`; executions: the number of ours.
    """
    table = Table(
        Column("variant", max_width=17),
        Column("source", no_wrap=True),
        *number_columns(*HEADINGS.values()),
        title=f"Ablation of D-MIL: mean ± deviation (best) of {executions} executions, "
        f"n = {n_patients} patients",
        caption="report: its table 1, 7 executions, other patients. Bold: best mean of a source. "
        "naive: epoch chosen on the scored patients.",
    )
    merit = summary["mean"].where(summary["metric"] != "loss", -summary["mean"])
    best = merit.groupby([summary["source"], summary["metric"]]).transform("max")
    texts = [_cell(row) for row in summary.assign(bold=merit == best).to_dict("records")]
    for variant, variant_rows in summary.assign(text=texts).groupby("variant", sort=False):
        table.add_section()
        for place, (source, rows) in enumerate(variant_rows.groupby("source", sort=False)):
            cells = rows.set_index("metric")["text"].reindex(list(HEADINGS), fill_value="")
            table.add_row("" if place else str(variant), str(source), *cells)
    return table


def _cell(row: Mapping[Hashable, float]) -> str:
    # Three decimals, without the 0 before the point.
    mean, deviation, best = (
        f"{row[name]:.3f}".removeprefix("0") for name in ("mean", "std", "best")
    )
    text = f"{mean} ± {deviation} ({best})"
    return f"[bold]{text}[/]" if row["bold"] else text

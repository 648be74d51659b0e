"""The terminal table of the ablation: the report's table 1 and ours."""

import pandas as pd
from rich.table import Table

HEADINGS = {
    "balanced_accuracy": "balanced acc.",
    "f1": "F1",
    "recall": "recall",
    "precision": "precision",
    "loss": "loss",
    "naive_balanced_accuracy": "naive bal. acc.",
}


def ablation_table(summary: pd.DataFrame, *, executions: int, n_patients: int) -> Table:
    """Mean, standard deviation and best of every variant, the best mean of each source in bold.

    summary: as of `ablation.summarise`; executions: the number of ours.
    """
    table = Table(
        title=f"Ablation of D-MIL: mean ± deviation (best) of {executions} executions, "
        f"n = {n_patients} patients",
        caption="report: its table 1, 7 executions, other patients. Bold: best mean of a source. "
        "naive: epoch chosen on the scored patients.",
    )
    table.add_column("variant", max_width=17)
    table.add_column("source", no_wrap=True)
    for heading in HEADINGS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    best = _best(summary)
    for variant, variant_rows in summary.groupby("variant", sort=False):
        sources = variant_rows["source"].unique()
        for source in sources:
            rows = variant_rows[variant_rows["source"] == source].set_index("metric")
            cells = [
                _cell(rows.loc[metric], best[source, metric]) if metric in rows.index else ""
                for metric in HEADINGS
            ]
            name = str(variant) if source == sources[0] else ""
            table.add_row(name, source, *cells, end_section=source == sources[-1])
    return table


def _best(summary: pd.DataFrame) -> "dict[tuple[str, str], float]":
    """The best mean of each source and metric: the highest, for the loss the lowest."""
    return {
        (str(source), str(metric)): float(means.min() if metric == "loss" else means.max())
        for (source, metric), means in summary.groupby(["source", "metric"])["mean"]
    }


def _cell(row: "pd.Series[float]", best: float) -> str:
    text = f"{_short(row['mean'])} ± {_short(row['std'])} ({_short(row['best'])})"
    return f"[bold]{text}[/]" if row["mean"] == best else text


def _short(value: float) -> str:
    """Three decimals, without the 0 before the point."""
    return f"{value:.3f}".removeprefix("0")

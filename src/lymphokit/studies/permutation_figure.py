"""The permutation test shown: histograms of shuffles, findings, terminal table."""

from collections.abc import Hashable
from math import ceil, log10
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.table import Column, Table

from lymphokit.figures.scores import PANELS
from lymphokit.figures.style import BLUE, CAPTION, VERMILION, clean_axes
from lymphokit.figures.terminal_tables import number_columns

SHUFFLED = {
    "labels": "labels",
    "images": "images, among all patients",
    "images_of_size": "images, among patients\nwith about as many",
    "images_of_risk": "images, among patients of\nlike risk by age and count",
}
SIGNIFICANT = 0.05
INCHES_PER_ROW, INCHES_OF_TEXT = 1.15, 2.1
BINS = 75
LEFT = 0.2  # left edge of the panels, unless a shuffle scores less
METHOD = (
    "Labels are shuffled and the folds drawn again; images are shuffled as whole bags, while "
    "label, age and count stay."
)
NOTE = (
    "Histograms: every fold model refitted after a shuffle, thresholds chosen again on inner "
    "folds; {shuffles:,} shuffles a row, n = {n_patients} patients. "
    "Solid line: without a shuffle.\n{method} Dotted line: {clinical}, without images.\n"
    "p: (1 + shuffles that score as high) / (1 + shuffles), one-sided."
)


def permutation_figure(
    table: pd.DataFrame, null: pd.DataFrame, *, n_patients: int, clinical: str | None
) -> Figure:
    """A row for each model and shuffle: a histogram of shuffles, the observed score as a line.

    table, null: as of `studies.permutation`; clinical: the model of age and count, whose scores
    are drawn where images are shuffled.
    """
    tests = table.groupby(["model", "shuffle"], sort=False)
    size = (9.5, INCHES_PER_ROW * len(tests) + INCHES_OF_TEXT)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(tests), len(PANELS), sharex="col", squeeze=False)
    clinical_rows = table[(table["model"] == clinical) & (table["shuffle"] == "labels")]
    clinical_scores = clinical_rows.set_index("metric")["observed"]
    for panels, ((model, shuffle), rows) in zip(axes, tests, strict=True):
        scores = null[(null["model"] == model) & (null["shuffle"] == shuffle)]
        found = {row["metric"]: row for row in rows.to_dict("records")}
        panels[0].set_ylabel(
            f"{model}\nshuffled: {SHUFFLED[str(shuffle)]}", rotation=0, ha="right", va="center"
        )
        for panel, (metric, *_) in zip(panels, PANELS, strict=True):
            _draw(panel, scores[metric].to_numpy(np.float64), found[metric])
            if shuffle != "labels" and metric in clinical_scores:
                panel.axvline(clinical_scores[metric], color=BLUE, linestyle=":", linewidth=1.6)
    for panel, (metric, _, _, name) in zip(axes[-1], PANELS, strict=True):
        panel.set_xlim(min(LEFT, float(null[metric].min())), 1.01)
        panel.set_xlabel(f"{name}, out of fold")
    figure.suptitle("\n".join(findings(table)), fontweight="bold")
    caption = NOTE.format(
        shuffles=table["shuffles"].max(),
        n_patients=n_patients,
        method=METHOD,
        clinical=clinical or "none",
    )
    figure.supxlabel(caption, **CAPTION)
    return figure


def findings(table: pd.DataFrame) -> list[str]:
    """The results of the tests by balanced accuracy, a sentence each.

    A sentence on chance, and one on each model whose images were shuffled: images add something
    only where every shuffle of images is significant.
    """
    rows = table[table["metric"] == "balanced_accuracy"]
    labels, images = rows[rows["shuffle"] == "labels"], rows[rows["shuffle"] != "labels"]
    significant = labels["p"] < SIGNIFICANT
    sentences = [
        f"{claim}: {', '.join(tests['model'])} ({_range(tests)})"
        for claim, tests in (
            ("Better than chance", labels[significant]),
            ("Not shown to be better than chance", labels[~significant]),
        )
        if len(tests)
    ]
    for model, tests in images.groupby("model", sort=False):
        add = tests["p"].max() < SIGNIFICANT
        claim = "images add to age and count" if add else "images not shown to add anything"
        sentences.append(f"{model}: {claim} ({_range(tests)})")
    return sentences


def permutation_terminal_table(table: pd.DataFrame, *, n_patients: int) -> Table:
    """The tests for a terminal, a row for each model and shuffle; table: `permutation_table`."""
    shown = Table(
        Column("model", no_wrap=True),
        "shuffled",
        *number_columns("balanced accuracy", "p", "AUC", "p"),
        title=f"Permutation test, n = {n_patients} patients, {table['shuffles'].max():,} shuffles "
        "of each kind",
        caption=f"score vs median of the shuffles (exceeded by 1 of 20). {METHOD}",
    )
    for (model, shuffle), rows in table.groupby(["model", "shuffle"], sort=False):
        cells = [cell for row in rows.to_dict("records") for cell in _cells(row)]
        shown.add_row(str(model), SHUFFLED[str(shuffle)].replace("\n", " "), *cells)
    return shown


def _range(tests: pd.DataFrame) -> str:
    """The p-values from lowest to highest."""
    ends = (tests["p"].min(), tests["p"].max())
    low, high = (_p(p, int(tests["shuffles"].min())) for p in ends)
    return f"p = {low}" if low == high else f"p = {low} to {high}"


def _cells(row: dict[Hashable, Any]) -> tuple[str, str]:
    scores = f"{row['observed']:.2f} vs {row['null_median']:.2f} ({row['null_high']:.2f})"
    style = "green" if row["p"] < SIGNIFICANT else "yellow"
    return scores, f"[{style}]{_p(row['p'], row['shuffles'])}[/]"


def _p(value: float, shuffles: int) -> str:
    """A p-value with as many decimals as so many shuffles can resolve, at most three."""
    decimals = min(3, ceil(log10(shuffles + 1)))
    return f"{value:.{decimals if value < 0.1 else 2}f}"


def _draw(panel: Axes, null: NDArray[np.float64], row: dict[Hashable, Any]) -> None:
    """One test of one score."""
    panel.hist(null, BINS, range=(0.0, 1.0), color="#9a9a9a")
    panel.axvline(row["observed"], color=VERMILION, linewidth=2.4)
    panel.annotate(
        f"{row['observed']:.2f}\np = {_p(row['p'], row['shuffles'])}",
        (0.02, 0.95),
        xycoords="axes fraction",
        va="top",
        color=VERMILION,
        fontweight="bold",
    )
    panel.set_yticks([])
    clean_axes(panel, grid="x", categories=True)

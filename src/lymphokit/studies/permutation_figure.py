"""What chance alone would score, beside what was scored: data in, picture and table out."""

from collections.abc import Hashable
from math import ceil, log10
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.table import Table

from lymphokit.figures.style import BLUE, DARK, PALE, VERMILION

NAMES = {"balanced_accuracy": "Balanced accuracy", "auc": "Area under the ROC curve"}
SHUFFLED = {
    "labels": "labels",
    "images": "images, among all patients",
    "images_of_size": "images, among patients\nwith about as many",
    "images_of_risk": "images, among patients of\nlike risk by age and count",
}
SIGNIFICANT = 0.05
INCHES_A_ROW, INCHES_OF_TEXT = 1.15, 2.1
BINS = 75
LEFT = 0.2  # edge of the panels, unless a shuffle scores less
CAPTION = (
    "Grey: every fold model refitted after a shuffle, thresholds chosen anew on inner folds; "
    "{shuffles:,} shuffles a row, n = {n_patients} patients. Orange: as it is.\n"
    "Labels are shuffled with the folds drawn anew; images as whole bags, label, age and count "
    "staying. Blue, dotted: {clinical}, without images.\n"
    "p: (1 + shuffles that score as high) / (1 + shuffles), one-sided."
)


def chance_figure(
    table: pd.DataFrame, null: pd.DataFrame, *, n_patients: int, clinical: str | None
) -> Figure:
    """A row a model and shuffle: the scores of shuffles as a histogram, the real one as a line.

    table, null: as of `evaluation.permutation`; clinical: the model of age and count alone, whose
    scores are drawn where images are shuffled.
    """
    kinds = table.drop_duplicates(["model", "shuffle"])
    tests = list(zip(kinds["model"].astype(str), kinds["shuffle"].astype(str), strict=True))
    size = (9.5, INCHES_A_ROW * len(tests) + INCHES_OF_TEXT)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(tests), len(NAMES), sharex="col", squeeze=False)
    alone = table[(table["model"] == clinical) & (table["shuffle"] == "labels")]
    for panels, (model, shuffle) in zip(axes, tests, strict=True):
        own = null[(null["model"] == model) & (null["shuffle"] == shuffle)]
        panels[0].set_ylabel(
            f"{model}\nshuffled: {SHUFFLED[shuffle]}", rotation=0, ha="right", va="center"
        )
        for panel, metric in zip(panels, NAMES, strict=True):
            row = table[(table["model"] == model) & (table["shuffle"] == shuffle)]
            found = row[row["metric"] == metric].iloc[0]
            _draw(panel, own[metric].to_numpy(np.float64), found)
            if shuffle != "labels":
                for score in alone.loc[alone["metric"] == metric, "observed"]:
                    panel.axvline(score, color=BLUE, linestyle=":", linewidth=1.6)
    for panel, (metric, name) in zip(axes[-1], NAMES.items(), strict=True):
        panel.set_xlim(min(LEFT, float(null[metric].min())), 1.01)
        panel.set_xlabel(f"{name}, out of fold")
    figure.suptitle("\n".join(findings(table)), fontweight="bold")
    caption = CAPTION.format(
        shuffles=table["shuffles"].max(), n_patients=n_patients, clinical=clinical or "none"
    )
    figure.supxlabel(caption, fontsize="small", color=DARK)
    return figure


def findings(table: pd.DataFrame) -> list[str]:
    """What the tests say, in words, by balanced accuracy.

    A sentence on chance, and one on each model whose images were shuffled: that they add
    something is said only where every shuffle of images says so.
    """
    rows = table[table["metric"] == "balanced_accuracy"]
    labels, images = rows[rows["shuffle"] == "labels"], rows[rows["shuffle"] != "labels"]
    said = []
    for claim, own in (
        ("Better than chance", labels[labels["p"] < SIGNIFICANT]),
        ("No better than chance as far as can be told", labels[labels["p"] >= SIGNIFICANT]),
    ):
        if len(own):
            said.append(f"{claim}: {', '.join(own['model'])} ({_range(own)})")
    for model, own in images.groupby("model", sort=False):
        add = own["p"].max() < SIGNIFICANT
        claim = "images add to age and count" if add else "no proof that images add anything"
        said.append(f"{model}: {claim} ({_range(own)})")
    return said


def _range(tests: pd.DataFrame) -> str:
    """Their p-values from lowest to highest."""
    ends = (tests["p"].min(), tests["p"].max())
    low, high = (_p(p, int(tests["shuffles"].min())) for p in ends)
    return f"p = {low}" if low == high else f"p = {low} to {high}"


def chance_table(table: pd.DataFrame, *, n_patients: int) -> Table:
    """The tests for reading: a row a model and shuffle.

    table: as of `evaluation.permutation.permutation_table`.
    """
    shown = Table(
        title=f"Could it be chance? n = {n_patients} patients, "
        f"{table['shuffles'].max():,} shuffles each",
        caption="score vs median of the shuffles (1 of 20 lies above). Labels are shuffled with "
        "folds drawn anew; images as whole bags, label, age and count staying.",
    )
    shown.add_column("model", no_wrap=True)
    shown.add_column("shuffled")
    for name in ("balanced accuracy", "AUC"):
        shown.add_column(name, justify="right", no_wrap=True)
        shown.add_column("p", justify="right", no_wrap=True)
    for (model, shuffle), own in table.groupby(["model", "shuffle"], sort=False):
        cells = [cell for row in own.to_dict("records") for cell in _cells(row)]
        shown.add_row(str(model), SHUFFLED[str(shuffle)].replace("\n", " "), *cells)
    return shown


def _cells(row: dict[Hashable, Any]) -> tuple[str, str]:
    scores = f"{row['observed']:.2f} vs {row['null_median']:.2f} ({row['null_high']:.2f})"
    style = "green" if row["p"] < SIGNIFICANT else "yellow"
    return scores, f"[{style}]{_p(row['p'], row['shuffles'])}[/]"


def _p(value: float, shuffles: int) -> str:
    """A p-value with as many decimals as so many shuffles can tell apart, three at most."""
    told_apart = min(3, ceil(log10(shuffles + 1)))
    return f"{value:.{told_apart if value < 0.1 else 2}f}"


def _draw(panel: Axes, chance: NDArray[np.float64], found: "pd.Series[float]") -> None:
    """One test of one score."""
    panel.hist(chance, BINS, range=(0.0, 1.0), color="#9a9a9a")
    panel.axvline(found["observed"], color=VERMILION, linewidth=2.4)
    panel.annotate(
        f"{found['observed']:.2f}\np = {_p(found['p'], int(found['shuffles']))}",
        (0.02, 0.95),
        xycoords="axes fraction",
        va="top",
        color=VERMILION,
        fontweight="bold",
    )
    panel.set_yticks([])
    panel.grid(axis="x", color=PALE, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)

"""The figure and the terminal table of the coverage of intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich.table import Table

from coverage_study import coverage_table, side_missed, surprising
from lymphokit.evaluation.metrics import Metric
from lymphokit.evaluation.uncertainty import COLUMNS_OF
from lymphokit.figures.style import BLUE, DARK, PALE, REFERENCE, VERMILION, clean_axes

PANELS: tuple[tuple[Metric, str], ...] = (
    ("balanced_accuracy", "Balanced accuracy"),
    ("auc", "Area under the ROC curve"),
)
_BAND = 0.72  # of a model's row that its cohorts fill
_ROW_INCHES = 0.46


def coverage_figure(scores: pd.DataFrame, *, truth: float, level: float, title: str) -> Figure:
    """The score and interval of every model in every cohort; orange where it misses the truth.

    scores: score tables one below the other with columns `cohort` and `naive`; the mean of `naive`
    is drawn hollow. Models from top to bottom in the given order, and likewise their cohorts.
    """
    models = scores["model"].drop_duplicates().tolist()
    figure = Figure(figsize=(10.0, 2.0 + _ROW_INCHES * len(models)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for panel, (metric, name) in zip(axes, PANELS, strict=True):
        _panel(panel, scores, models, metric, truth)
        panel.set_xlabel(name)
    naive = scores.groupby("model")["naive"].mean()[models]
    axes[0].plot(naive, range(len(models)), "D", mfc="white", mec=DARK, markersize=7, zorder=4)
    axes[0].set_yticks(range(len(models)), models)
    axes[0].set_ylim(len(models) - 0.4, -0.6)
    figure.suptitle(title, fontweight="bold")
    figure.legend(handles=_legend(truth, level), loc="outside lower center", ncols=2, frameon=False)
    return figure


def coverage_terminal_table(scores: pd.DataFrame, *, truth: float, level: float) -> Table:
    """The coverage of each model's intervals for a terminal; scores: as of `coverage_figure`."""
    n = scores["cohort"].nunique()
    table = Table(
        title=f"Nested scores of {n} cohorts: {level:.0%} intervals above and below {truth:g}",
        caption=(
            "mean ± standard error; spread: deviation between cohorts, over that which the "
            "intervals imply\nnaive: mean balanced accuracy with all choices made on the scored "
            "patients: optimistic\n"
            f"{surprising(n, 1 - level)} misses of one model of {n} cohorts are surprising, or "
            f"{surprising(n, (1 - level) / 2)} on one side, without correction for the other models"
        ),
    )
    table.add_column("model", no_wrap=True)
    misses = ("spread", "above", "below")
    for name in ("balanced accuracy", *misses, "naive", "AUC", *misses):
        table.add_column(name, justify="right", no_wrap=True)
    naive_of = scores.groupby("model")["naive"].mean()
    both = [
        coverage_table(scores, metric, truth=truth, level=level).to_dict("records")
        for metric, _ in PANELS
    ]
    for accuracy, auc in zip(*both, strict=True):
        naive = f"{naive_of[accuracy['model']]:.2f}"
        table.add_row(str(accuracy["model"]), *_cells(accuracy), naive, *_cells(auc))
    return table


def _cells(row: Mapping[Any, Any]) -> list[str]:
    """Mean, spread and misses of a row of the coverage table."""
    mean = f"{row['mean']:.3f} ± {row['error']:.3f}"
    spread = f"{row['deviation'] / row['implied']:.1f}"
    return [mean, spread, str(row["above"]), str(row["below"])]


def _panel(
    axes: Axes, scores: pd.DataFrame, models: list[str], metric: Metric, truth: float
) -> None:
    """One score: a bar and a point for each cohort, in a band for each model."""
    column, low, high = COLUMNS_OF[metric]
    cohorts = sorted(scores["cohort"].unique())
    offsets = dict(zip(cohorts, np.linspace(-_BAND / 2, _BAND / 2, len(cohorts)), strict=True))
    places = scores["model"].map(models.index) + scores["cohort"].map(offsets)
    missed = side_missed(scores, metric, truth) != 0
    for which, colour, width in ((~missed, BLUE, 0.7), (missed, VERMILION, 1.3)):
        rows = scores[which]
        axes.hlines(places[which], rows[low], rows[high], color=colour, linewidth=width, alpha=0.55)
        axes.plot(rows[column], places[which], "o", color=colour, markersize=2.6)
    for edge in range(1, len(models)):
        axes.axhline(edge - 0.5, color=PALE, linewidth=0.6, zorder=0)
    axes.axvline(truth, **REFERENCE)
    clean_axes(axes, categories=True)


def _legend(truth: float, level: float) -> list[Line2D]:
    """The meaning of the marks."""
    return [
        Line2D([], [], color=BLUE, marker="o", markersize=3, label=f"{level:.0%} covers {truth:g}"),
        Line2D([], [], color=VERMILION, marker="o", markersize=3, label=f"misses {truth:g}"),
        Line2D([], [], color=DARK, linestyle=(0, (4, 4)), label=f"the true score, {truth:g}"),
        Line2D(
            [],
            [],
            color=DARK,
            linestyle="",
            marker="D",
            mfc="white",
            label="mean naive score, all choices made on the scored patients",
        ),
    ]

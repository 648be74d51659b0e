"""Figures of the rounds (report, figure 7) and of the starting networks: data in, figure out."""

from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lymphokit.figures.style import (
    BLUE,
    CAPTION,
    CURVES,
    ORANGE,
    REFERENCE,
    SKY,
    VERMILION,
    annotate_right,
    clean_axes,
)
from lymphokit.figures.terminal_tables import LEVEL, share_with_interval

EXPECTED_SHARE = 0.9  # of truly abnormal cells, on a simulated cohort
# Size in inches, and rows and columns, by the number of panels.
_LAYOUTS = {2: ((8.0, 4.2), (1, 2)), 3: ((11.5, 4.2), (1, 3)), 4: ((9.0, 7.2), (2, 2))}


def rounds_figure(rounds: pd.DataFrame, *, labelled: int, n_patients: int | None = None) -> Figure:
    """Plot confidence, accuracy on labelled cells, validation AUC and, if known, truth per round.

    rounds: a row a fold and round (0: only labelled cells) with confidence and least_confidence
    (median and least probability of label 1 of the cells added as abnormal, NaN in round 0),
    labelled_accuracy (on `labelled` held-out labelled cells; no panel where the rounds started
    without), auc (of validation patients) and truly_abnormal (share of all cells added as abnormal
    so far; all NaN, and then no panel, where the truth is unknown), each in [0, 1]. The mean leaves
    out folds without a value.
    n_patients: over whose validation parts the AUCs are, for its title.
    Raises ValueError where a fold has a round twice.
    """
    drawn: list[Callable[[Axes, pd.DataFrame], None]] = [_draw_confidence]
    drawn += [partial(_draw_labelled_accuracy, labelled=labelled)] if labelled else []
    drawn += [partial(_draw_auc, n_patients=n_patients)]
    drawn += [_draw_truth] if rounds["truly_abnormal"].notna().any() else []
    size, shape = _LAYOUTS[len(drawn)]
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(*shape, squeeze=False).ravel()
    for draw, panel in zip(drawn, panels, strict=True):
        draw(panel, rounds)
    last = int(rounds["round"].max())
    for panel in panels:
        panel.set(xlabel="Round", xlim=(-0.5, last + 0.5))
        _tidy(panel)
    folds = _counted(rounds["fold"].nunique(), "fold")
    title = f"Semi-supervised phase, {_counted(last, 'round')}, {folds}"
    figure.suptitle(title, fontweight="bold")
    figure.supxlabel(
        "Fine lines: folds. Heavy: mean of the folds drawn. Round 0: "
        + ("labelled cells only." if labelled else "cells labelled as their patient."),
        **CAPTION,
    )
    return figure


def accuracy_curves(history: pd.DataFrame, *, n: int) -> Figure:
    """Plot accuracy on held-out labelled cells and training loss of each network, by epoch.

    history: a row a network and epoch (1..) with accuracy (in [0, 1], on `n` held-out labelled
    cells) and loss (mean negative log-likelihood of the training cells, nats).
    """
    figure = Figure(figsize=(7.0, 6.8), layout="constrained")
    accuracy, loss = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2, 1]})
    _draw_networks(accuracy, loss, history, n)
    accuracy.axhline(0.5, **REFERENCE)
    accuracy.set(ylim=_limits(history["accuracy"], 0.45), ylabel="Accuracy, share of cells")
    style = {"frameon": False, "title": "Best accuracy", "alignment": "left"}
    accuracy.legend(loc="lower left", bbox_to_anchor=(0, 1), **style)
    loss.set(xlabel="Epoch", xlim=(0.5, history["epoch"].max() + 0.5))
    loss.set(ylabel="Training loss,\nnats a cell", ylim=(0, None))
    _tidy(accuracy)
    _tidy(loss)
    figure.suptitle(f"Learning from labelled cells, n = {n} held out", fontweight="bold")
    figure.supxlabel(
        f"Points: the best epoch, the first of equals; in brackets its {LEVEL:.0%} Wilson "
        "interval.\nThe epoch was chosen on the same cells: optimistic. Dashed: chance.",
        **CAPTION,
    )
    return figure


def _draw_networks(accuracy: Axes, loss: Axes, history: pd.DataFrame, n: int) -> None:
    """Draw two curves per network, most accurate network first, and a point at its best epoch."""
    best = history.groupby("network")["accuracy"].max().sort_values(ascending=False, kind="stable")
    taken: list[tuple[int, float]] = []
    for network, (colour, style) in zip(best.index, cycle(CURVES), strict=False):
        epochs = history.loc[history["network"] == network].sort_values("epoch")
        at = epochs["accuracy"].argmax()
        point = (int(epochs["epoch"].iloc[at]), float(epochs["accuracy"].iloc[at]))
        line: dict[str, Any] = {"color": colour, "linestyle": style, "linewidth": 1.8}
        label = f"{network}: {share_with_interval(point[1], n)}, epoch {point[0]}"
        accuracy.plot(epochs["epoch"], epochs["accuracy"], label=label, **line)
        under = taken.count(point)  # points at the same place become rings around each other
        ring: dict[str, Any] = {"markersize": 8 + 5 * under, "zorder": 3 - under / 100}
        accuracy.plot(*point, "o", color=colour, mec="white", **ring)
        loss.plot(epochs["epoch"], epochs["loss"], **line)
        taken.append(point)


def _draw_confidence(axes: Axes, rounds: pd.DataFrame) -> None:
    """Draw the probability of the cells added: of the median cell and of the least confident."""
    _draw_folds(axes, rounds, "least_confidence", VERMILION, ORANGE)
    _draw_folds(axes, rounds, "confidence")
    axes.set_ylim(_limits(rounds["least_confidence"], 0.9))
    axes.set_title("Confidence in the cells added")
    axes.set_ylabel("Probability of being abnormal")
    for name, colour in (("median", BLUE), ("least confident", VERMILION)):
        axes.plot([], [], color=colour, linewidth=2.8, label=name)
    axes.legend(loc="best", frameon=False, fontsize="small", title="Cell of a round")


def _draw_labelled_accuracy(axes: Axes, rounds: pd.DataFrame, labelled: int) -> None:
    """Draw the accuracy on held-out labelled cells, which falls where the network forgets them."""
    _draw_folds(axes, rounds, "labelled_accuracy")
    start = rounds.loc[rounds["round"] == 0, "labelled_accuracy"].mean()
    _mark(axes, start, "round 0")
    axes.set_ylim(_limits(rounds["labelled_accuracy"], 0.9))
    axes.set_title(f"Held-out labelled cells, n = {labelled}")
    axes.set_ylabel("Accuracy, share of cells")


def _draw_auc(axes: Axes, rounds: pd.DataFrame, n_patients: int | None) -> None:
    """Draw the AUC of the share of cells called abnormal, over validation patients."""
    _draw_folds(axes, rounds, "auc")
    _mark(axes, 0.5, "chance")
    axes.set_ylim(_limits(rounds["auc"], 0.45))
    n = "" if n_patients is None else f", n = {n_patients} in all folds"
    axes.set_title(f"Validation patients{n}")
    axes.set_ylabel("AUC of the share of cells\ncalled abnormal")


def _draw_truth(axes: Axes, rounds: pd.DataFrame) -> None:
    """Draw the share of truly abnormal cells among those added as abnormal."""
    _draw_folds(axes, rounds, "truly_abnormal")
    _mark(axes, EXPECTED_SHARE, f"{EXPECTED_SHARE:.0%}")
    axes.set_ylim(_limits(rounds["truly_abnormal"], 0.75))
    axes.set_title("Cells added as abnormal, simulated truth")
    axes.set_ylabel("Truly abnormal,\nshare of all added so far")


def _draw_folds(
    axes: Axes, rounds: pd.DataFrame, column: str, mean: str = BLUE, fold: str = SKY
) -> None:
    """Draw a light line per fold, and the mean of those with a value as a heavy line."""
    by_fold = rounds.pivot(index="round", columns="fold", values=column)
    axes.plot(by_fold.index, by_fold, color=fold, linewidth=1.0, alpha=0.8)
    axes.plot(by_fold.index, by_fold.mean(axis=1), color=mean, linewidth=2.8)


def _mark(axes: Axes, level: float, name: str) -> None:
    """Draw a reference level, named at the right of the panel."""
    axes.axhline(level, **{**REFERENCE, "color": VERMILION, "linewidth": 1.0})
    annotate_right(axes, level, name, VERMILION)


def _limits(values: "pd.Series[float]", at_most: float) -> tuple[float, float]:
    """Limits of an axis: from below the least value, at most `at_most`, to just above 1."""
    least = float(np.nanmin([at_most + 0.01, *values]))
    bottom = max(0.0, np.floor((least - 0.01) * 20) / 20)
    return bottom, 1 + 0.03 * (1 - bottom)


def _counted(number: int, thing: str) -> str:
    """`1 fold`, `5 folds`."""
    return f"{number} {thing}" + "s" * (number != 1)


def _tidy(axes: Axes) -> None:
    """Set whole numbers on the x axis, round ones on the y axis, a pale grid, no box."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    clean_axes(axes, grid="both")

"""Plot a comparison of submissions."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lymphokit.figures.style import (
    BLUE,
    CAPTION,
    GREEN,
    LABELS,
    ORANGE,
    PALE,
    REFERENCE,
    SKY,
    VERMILION,
    clean_axes,
    draw_interval,
    plain,
)
from lymphokit.leaderboard.compare import Comparison
from lymphokit.leaderboard.compare_text import percent, private_part, summary
from lymphokit.leaderboard.distributions import LEVEL


def comparison_figure(comparison: Comparison) -> Figure:
    """Draw where predictions differ, the expected scores, and whether the best file is ahead."""
    n_files = len(comparison.candidates)
    heights = [0.3 * n_files + 0.6, max(2.8, 0.5 * n_files) + 0.9]  # inches, with titles and ticks
    figure = Figure(figsize=(11.0, sum(heights) + 0.4), layout="constrained")
    axes = figure.subplot_mosaic([["tiles", "tiles"], ["scores", "leads"]], height_ratios=heights)
    _tiles(axes["tiles"], comparison)
    _expected_scores(axes["scores"], comparison)
    _leads(axes["leads"], comparison)
    title = textwrap.fill(summary(comparison), 105)
    figure.suptitle(title, fontweight="bold", fontsize=11)
    return figure


def _tiles(axes: Axes, comparison: Comparison) -> None:
    """Draw the contested predictions: one row per file, one column per patient."""
    contested = comparison.contested
    if len(contested):
        colours = ListedColormap([LABELS[0][1], LABELS[1][1]])
        labels = comparison.labels[:, contested]
        axes.pcolormesh(labels, cmap=colours, vmin=0, vmax=1, edgecolors="white", linewidth=2)
        axes.set_xlim(0, max(len(contested), 12))
        for row, column in np.argwhere(labels == 1):
            axes.text(column + 0.5, row + 0.5, "+", color="white", ha="center", va="center")
    names = [plain(comparison.patients[place]) for place in contested]
    axes.set_xticks(np.arange(len(names)) + 0.5, names, fontsize=8, rotation=90)
    letters = [one.letter for one in comparison.candidates]
    axes.set_yticks(np.arange(len(letters)) + 0.5, letters)
    axes.set_ylim(len(letters), 0)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    n_agreed = len(comparison.patients) - len(contested)
    _title(
        axes,
        f"All agree on {n_agreed} of {len(comparison.patients)} patients; the others "
        f"(+: called {LABELS[1][0]}, no sign: {LABELS[0][0]})",
    )


def _expected_scores(axes: Axes, comparison: Comparison) -> None:
    """Draw the expected scores of each file, its out-of-fold score and its public score."""
    names = []
    for number, one in enumerate(comparison.candidates):
        for row, (part, scores, colour) in enumerate(
            (("public", one.public, SKY), ("private", one.private, BLUE))
        ):
            interval = (scores.mean, *scores.interval())
            draw_interval(axes, 2 * number + row, interval, f"{scores.mean:.2f}", colour)
            names.append(f"{one.letter}, {part}")
        out_of_fold, ends = one.figures.balanced_accuracy, [2 * number - 0.3, 2 * number + 1.3]
        axes.plot([out_of_fold] * 2, ends, color=ORANGE, linewidth=1.6, zorder=0.5)
        # A score that is not entered is NaN, which draws nothing.
        axes.plot(one.public_score, 2 * number, "*", color=VERMILION, markersize=13, mec="white")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.axvline(0.5, **REFERENCE)
    axes.set_xlim(None, 1.01)
    clean_axes(axes, grid="x", categories=True)
    n_public, n_private = comparison.n_public, comparison.n_private
    _title(axes, f"Expected on the board: {n_public} public, {n_private} private patients")
    axes.set_xlabel(
        f"Mean and {LEVEL:.0%} interval of balanced accuracy; tall line: out of fold; star: board",
        **CAPTION,
    )


def _leads(axes: Axes, comparison: Comparison) -> None:
    """Draw the probability that the best file is ahead of, level with or behind each other."""
    best, others = comparison.best.letter, comparison.others
    left = np.zeros(len(others))
    for name, colour, chances in (
        (f"{best} ahead", ORANGE, [one.lead.p_positive for one in others]),
        ("level", PALE, [one.lead.p_zero for one in others]),
        (f"{best} behind", GREEN, [one.lead.p_negative for one in others]),
    ):
        bars = axes.barh(range(len(others)), chances, left=left, color=colour, label=name)
        axes.bar_label(bars, [percent(p) if p > 0.08 else "" for p in chances], label_type="center")
        left += chances
    axes.set_yticks(range(len(others)), [f"against {one.letter}" for one in others])
    axes.set_ylim(len(others) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    clean_axes(axes, categories=True)
    axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    axes.set_xlabel(f"Probability {private_part(comparison)}", **CAPTION)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=10, loc="left")

"""Plot a comparison of submissions."""

import math
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from lymphokit.figures.style import (
    BLUE,
    DARK,
    GREEN,
    LABELS,
    ORANGE,
    PALE,
    REFERENCE,
    SKY,
    VERMILION,
    clean_axes,
)
from lymphokit.leaderboard.compare import Candidate, Comparison
from lymphokit.leaderboard.distributions import LEVEL, Distribution
from lymphokit.leaderboard.text import deciding_part, lead_matrix, percent, summary

PART_COLOURS = {"all": DARK, "public": SKY, "private": BLUE}
UNLIKELY = 1e-3  # a less likely lead does not widen the axis
BIN = 0.02  # width of a bar of leads, in balanced accuracy
MAX_PATIENTS = 60  # names that fit below the tiles
MAX_FILES = 5  # with one row for each part; with more, the private part alone
MAX_NUMBERS = 12  # files of a matrix whose numbers are legible


def comparison_figure(comparison: Comparison) -> Figure:
    """Draw where predictions differ, the expected scores, and who is likely ahead.

    Two files: the distribution of the lead; more: the probability that one leads another.
    """
    n_files = len(comparison.candidates)
    n_rows = n_files * (3 if n_files <= MAX_FILES else 1)
    heights = [0.3 * n_files + 0.6, max(2.8, 0.25 * n_rows) + 0.9]  # inches, with titles and ticks
    figure = Figure(figsize=(11.0, sum(heights) + 0.4), layout="constrained")
    axes = figure.subplot_mosaic([["tiles", "tiles"], ["forest", "leads"]], height_ratios=heights)
    _tiles(axes["tiles"], comparison)
    _forest(axes["forest"], comparison)
    (_lead if n_files == 2 else _matrix)(axes["leads"], comparison)
    title = textwrap.fill(summary(comparison), 105)
    figure.suptitle(title, fontweight="bold", fontsize=11)
    return figure


def _tiles(axes: Axes, comparison: Comparison) -> None:
    """Draw the contested predictions: one row per file, one column per patient."""
    contested = comparison.contested
    names = [comparison.patients[place] for place in contested]
    if len(contested):
        colours = ListedColormap([LABELS[0][1], LABELS[1][1]])
        labels = comparison.labels[:, contested]
        axes.pcolormesh(labels, cmap=colours, vmin=0, vmax=1, edgecolors="white", linewidth=2)
        axes.set_xlim(0, max(len(contested), 12))
    if len(names) <= MAX_PATIENTS:
        angle = 90 if len(names) > 20 else 0
        axes.set_xticks(np.arange(len(names)) + 0.5, names, fontsize=8, rotation=angle)
    letters = [one.letter for one in comparison.candidates]
    axes.set_yticks(np.arange(len(letters)) + 0.5, letters)
    axes.set_ylim(len(letters), 0)
    _hide_frame(axes)
    n_agreed = len(comparison.patients) - len(contested)
    _title(
        axes,
        f"All agree on {n_agreed} of {len(comparison.patients)} patients; the others "
        f"(blue: called {LABELS[0][0]}, red: {LABELS[1][0]})",
    )


def _forest(axes: Axes, comparison: Comparison) -> None:
    """Draw the expected scores of each file."""
    if not comparison.candidates[0].scores:
        axes.axis("off")
        axes.text(0.5, 0.5, "No out-of-fold scores:\nno expected scores", ha="center", color=DARK)
        return
    parts = list(PART_COLOURS) if len(comparison.candidates) <= MAX_FILES else ["private"]
    places, names = [], []
    for number, one in enumerate(comparison.candidates):
        first = number * (len(parts) + 0.6)
        for row, part in enumerate(parts):
            _expected_score(axes, first + row, one, part)
            places.append(first + row)
            names.append(f"{one.letter}, {part} {comparison.sizes[part]}")
        if one.figures is not None:
            score = one.figures.balanced_accuracy
            ends = [first - 0.4, first + len(parts) - 0.6]
            axes.plot([score] * 2, ends, color=ORANGE, linewidth=1.6, zorder=0.5)
    axes.set_yticks(places, names, fontsize=9)
    axes.invert_yaxis()
    axes.axvline(0.5, **REFERENCE)
    axes.set_xlim(None, 1.01)
    clean_axes(axes, grid="x", categories=True)
    _title(axes, "Expected scores on the board")
    axes.set_xlabel(
        f"Balanced accuracy, {LEVEL:.0%} intervals. Wide: by chance alone; narrow: with the "
        "uncertainty\nof the out-of-fold score (orange line). Dot: mean. Star: board score.",
        fontsize=8,
        color=DARK,
    )


def _expected_score(axes: Axes, place: float, one: Candidate, part: str) -> None:
    """Draw intervals, mean and board score of one file on one part."""
    colour = PART_COLOURS[part]
    for scores, width, opacity in (
        (one.scores[part], 1.4, 1.0),
        (one.scores_if_exact[part], 6.0, 0.45),
    ):
        ends = scores.interval()
        axes.plot(ends, [place] * 2, color=colour, lw=width, alpha=opacity, solid_capstyle="butt")
    axes.plot(one.scores[part].mean, place, "o", color=colour, markersize=5, mec="white")
    board = {"public": one.public, "private": one.private}.get(part, math.nan)
    if not math.isnan(board):
        axes.plot(board, place, "*", color=VERMILION, markersize=13, mec="white", zorder=3)


def _lead(axes: Axes, comparison: Comparison) -> None:
    """Draw the distribution of the lead of A; the bars add up to the probabilities in the title."""
    a, b = (one.letter for one in comparison.candidates)
    lead = comparison.deciding_lead(comparison.pairs[0])
    for chosen, colour in (
        (lead.values < 0, GREEN),
        (lead.values == 0, PALE),
        (lead.values > 0, ORANGE),
    ):
        bars = _binned(Distribution(lead.values[chosen], lead.probabilities[chosen]))
        axes.bar(*bars, width=0.9 * BIN, color=colour, edgecolor=DARK, lw=0.5)
    axes.axvline(0, color=DARK, linewidth=0.8)
    likely = abs(lead.values[lead.probabilities > UNLIKELY])
    reach = max(likely.max(), 4 * BIN) + BIN
    axes.set_xlim(-reach, reach)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    clean_axes(axes)
    axes.set_xlabel(
        f"Balanced accuracy of {a} minus that of {b},\n{deciding_part(comparison)}",
        fontsize=8,
        color=DARK,
    )
    axes.set_ylabel("Chance", fontsize=9)
    _title(
        axes,
        f"{b} ahead {percent(lead.p_negative)} | level {percent(lead.p_zero)} | "
        f"{a} ahead {percent(lead.p_positive)}",
    )


def _binned(lead: Distribution) -> tuple[list[float], list[float]]:
    """Sum probabilities in bins of width BIN, none across 0: middles and heights of the bars."""
    middles = np.where(
        lead.values == 0, 0.0, np.sign(lead.values) * (np.floor(abs(lead.values) / BIN) + 0.5)
    )
    unique, place = np.unique(middles, return_inverse=True)
    heights = np.bincount(place, weights=lead.probabilities)
    return (unique * BIN).tolist(), heights.tolist()


def _matrix(axes: Axes, comparison: Comparison) -> None:
    """Draw the probability that the file of the row is ahead of that of the column."""
    letters, chances = [one.letter for one in comparison.candidates], lead_matrix(comparison)
    axes.imshow(chances, cmap="PuOr_r", vmin=0, vmax=1, aspect="auto")
    for (row, column), chance in np.ndenumerate(chances):
        if not np.isnan(chance) and len(letters) <= MAX_NUMBERS:
            colour = "white" if abs(chance - 0.5) > 0.35 else "black"
            axes.text(column, row, f"{chance:.0%}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(letters)), letters)
    axes.set_yticks(range(len(letters)), letters)
    _hide_frame(axes)
    _title(axes, "Chance that the row is ahead of the column")
    axes.set_xlabel(deciding_part(comparison), fontsize=8, color=DARK)


def _hide_frame(axes: Axes) -> None:
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=10, loc="left")

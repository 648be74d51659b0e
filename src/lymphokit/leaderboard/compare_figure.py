"""A comparison of submissions as a picture: data in, figure out."""

import math
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from lymphokit.figures.style import BLUE, DARK, GREEN, LABELS, ORANGE, PALE, SKY, VERMILION
from lymphokit.leaderboard.agreement import LEVEL
from lymphokit.leaderboard.chances import Distribution
from lymphokit.leaderboard.compare import Comparison, Entrant
from lymphokit.leaderboard.compare_text import answer, decisive, percent

PART_COLOURS = {"all": DARK, "public": SKY, "private": BLUE}
LEADS = {"ahead": ORANGE, "level": PALE, "behind": GREEN}
WIDE, BETWEEN = 11.0, (0.8, 0.75, 0.75)  # inches: the width; above, between and below the panels
UNSEEN = 1e-3  # a chance too small to widen the axis for
BIN = 0.02  # width of a bar of leads, in balanced accuracy
MOST_NAMED = 60  # patients whose names fit below the tiles
MOST_IN_FULL = 5  # files with a row for each part; beyond, the private part alone


def comparison_figure(comparison: Comparison) -> Figure:
    """Who differs where, what the boards may show of each file, and who is likely ahead.

    Two files get the distribution of the lead, more get the chance that one is ahead of another.
    """
    n_files = len(comparison.entrants)
    rows = n_files * (3 if n_files <= MOST_IN_FULL else 1)
    tiles, panels = 0.3 * n_files, max(2.8, 0.25 * rows)
    high = tiles + panels + sum(BETWEEN)
    figure = Figure(figsize=(WIDE, high))
    above = BETWEEN[2] + panels + BETWEEN[1]
    _tiles(_placed(figure, (0.5, WIDE - 0.7), (above, tiles)), comparison)
    leads = _placed(figure, (6.7, WIDE - 6.9), (BETWEEN[2], panels))
    _forest(_placed(figure, (1.2, 4.6), (BETWEEN[2], panels)), comparison)
    if n_files == 2:
        _lead(leads, comparison)
    else:
        _matrix(leads, comparison)
    title = textwrap.fill(answer(comparison), 105)
    figure.suptitle(title, y=1 - 0.12 / high, va="top", fontweight="bold", fontsize=11)
    return figure


def _placed(figure: Figure, across: tuple[float, float], up: tuple[float, float]) -> Axes:
    """Axes at left and width, bottom and height, in inches; a layout engine would draw twice."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((across[0] / wide, up[0] / high, across[1] / wide, up[1] / high))


def _tiles(axes: Axes, comparison: Comparison) -> None:
    """A column a patient on whom the files differ, a row a file, coloured by label."""
    contested = comparison.contested
    names = [comparison.patients[place] for place in contested]
    letters = [entrant.letter for entrant in comparison.entrants]
    if len(contested):
        colours = ListedColormap([LABELS[0][1], LABELS[1][1]])
        labels = comparison.labels[:, contested]
        axes.pcolormesh(labels, cmap=colours, vmin=0, vmax=1, edgecolors="white", linewidth=2)
        axes.set_xlim(0, max(len(contested), 12))
    if len(names) <= MOST_NAMED:
        turned = 90 if len(names) > 20 else 0
        axes.set_xticks(np.arange(len(names)) + 0.5, names, fontsize=8, rotation=turned)
    axes.set_yticks(np.arange(len(letters)) + 0.5, letters)
    axes.set_ylim(len(letters), 0)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    agreed = len(comparison.patients) - len(contested)
    axes.set_title(
        f"All agree on {agreed} of {len(comparison.patients)} patients; the others "
        f"(blue: called {LABELS[0][0]}, red: {LABELS[1][0]})",
        fontsize=10,
        loc="left",
    )


def _forest(axes: Axes, comparison: Comparison) -> None:
    """Each file's scores to expect, by chance alone and with what is uncertain out of fold."""
    if not comparison.entrants[0].expected:
        axes.axis("off")
        axes.text(0.5, 0.5, "No out-of-fold scores:\nno score to expect", ha="center", color=DARK)
        return
    parts = list(PART_COLOURS) if len(comparison.entrants) <= MOST_IN_FULL else ["private"]
    n, n_public = len(comparison.patients), comparison.n_public
    sizes = {"all": n, "public": n_public, "private": n - n_public}
    places, names = [], []
    for number, entrant in enumerate(comparison.entrants):
        for row, part in enumerate(parts):
            place = number * (len(parts) + 0.6) + row
            _bar(axes, place, entrant, part)
            places.append(place)
            names.append(f"{entrant.letter}, {part} {sizes[part]}")
        _own_score(axes, entrant, places[-len(parts)] - 0.4, places[-1] + 0.4)
    axes.set_yticks(places, names, fontsize=9)
    axes.invert_yaxis()
    axes.axvline(0.5, color=DARK, linestyle=(0, (4, 4)), linewidth=0.8)
    axes.set_xlim(None, 1.01)
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title("Scores to expect on the board", fontsize=10, loc="left")
    axes.set_xlabel(
        f"Balanced accuracy. Thick: {LEVEL:.0%} of boards by chance alone; thin: and the "
        "out-of-fold\nscore (orange line) uncertain too. Dot: mean. Star: the board's score.",
        fontsize=8,
        color=DARK,
    )


def _bar(axes: Axes, place: float, entrant: Entrant, part: str) -> None:
    """One file on one part."""
    colour = PART_COLOURS[part]
    for scores, width in ((entrant.expected[part], 1.4), (entrant.noise[part], 6.0)):
        low, high = scores.interval(LEVEL)
        opacity = 0.45 if width > 2 else 1.0
        axes.plot(
            [low, high], [place] * 2, color=colour, lw=width, alpha=opacity, solid_capstyle="butt"
        )
    axes.plot(entrant.expected[part].mean, place, "o", color=colour, markersize=5, mec="white")
    board = {"public": entrant.known.public, "private": entrant.known.private}.get(part, math.nan)
    if not math.isnan(board):
        axes.plot(board, place, "*", color=VERMILION, markersize=13, mec="white", zorder=3)


def _own_score(axes: Axes, entrant: Entrant, top: float, bottom: float) -> None:
    """The file's out-of-fold score beside its boards."""
    if entrant.known.figures is not None:
        score = entrant.known.figures.balanced_accuracy
        axes.plot([score] * 2, [top, bottom], color=ORANGE, linewidth=1.6, zorder=0.5)


def _lead(axes: Axes, comparison: Comparison) -> None:
    """How far A may be ahead of B, in bars that add up to the chances in the title."""
    pair = comparison.pairs[0]
    a, b = (entrant.letter for entrant in comparison.entrants)
    lead = decisive(comparison, pair)
    for name, chosen in {
        "behind": lead.values < 0,
        "level": lead.values == 0,
        "ahead": lead.values > 0,
    }.items():
        middles, heights = _binned(lead, chosen)
        axes.bar(middles, heights, width=0.9 * BIN, color=LEADS[name], edgecolor=DARK, lw=0.5)
    axes.axvline(0, color=DARK, linewidth=0.8)
    furthest = max(abs(lead.values[lead.chances > UNSEEN]).max(), 4 * BIN) + BIN
    axes.set_xlim(-furthest, furthest)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(
        f"Balanced accuracy of {a} minus that of {b},\n{_decisive_part(comparison)}",
        fontsize=8,
        color=DARK,
    )
    axes.set_ylabel("Chance", fontsize=9)
    axes.set_title(
        f"{b} ahead {percent(lead.below)} | level {percent(lead.level)} | "
        f"{a} ahead {percent(lead.above)}",
        fontsize=10,
        loc="left",
    )


def _binned(
    lead: Distribution, chosen: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> tuple[list[float], list[float]]:
    """Chances of the chosen leads in bars of one width: the bars' middles and heights."""
    values, chances = lead.values[chosen], lead.chances[chosen]
    bars = np.where(values == 0, 0.0, np.sign(values) * (np.floor(abs(values) / BIN) + 0.5))
    middles = np.unique(bars)
    heights = [float(chances[bars == middle].sum()) for middle in middles]
    return (middles * BIN).tolist(), heights


def _matrix(axes: Axes, comparison: Comparison) -> None:
    """The chance that the file of the row is ahead of that of the column."""
    letters = [entrant.letter for entrant in comparison.entrants]
    chances = np.full((len(letters), len(letters)), np.nan)
    for pair in comparison.pairs:
        lead = decisive(comparison, pair)
        chances[pair.a, pair.b], chances[pair.b, pair.a] = lead.above, lead.below
    axes.imshow(chances, cmap="PuOr_r", vmin=0, vmax=1, aspect="auto")
    for (row, column), chance in np.ndenumerate(chances):
        if not np.isnan(chance) and len(letters) <= 12:
            colour = "white" if abs(chance - 0.5) > 0.35 else "black"
            axes.text(column, row, f"{chance:.0%}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(letters)), letters)
    axes.set_yticks(range(len(letters)), letters)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Chance that the row is ahead of the column", fontsize=10, loc="left")
    axes.set_xlabel(_decisive_part(comparison), fontsize=8, color=DARK)


def _decisive_part(comparison: Comparison) -> str:
    n = len(comparison.patients)
    if comparison.after_public:
        return f"on the private {n - comparison.n_public}, the public scores known"
    return f"on all {n} patients"

"""Plot board scores against out-of-fold scores."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lymphokit.figures.style import BLUE, REFERENCE, SKY, VERMILION, clean_axes
from lymphokit.leaderboard.board import GRID, Board
from lymphokit.leaderboard.distributions import LEVEL
from lymphokit.leaderboard.text import BOARD_NAMES, board_summary


def board_figure(boards: Sequence[Board]) -> Figure:
    """Draw one panel per board with scores, with the expected bands; label points outside."""
    panels = [(board, column) for board in boards for column in board.scored]
    figure = Figure(figsize=(5.4 * len(panels) + 0.4, 5.6), layout="constrained")
    all_axes = np.ravel(figure.subplots(1, len(panels), squeeze=False))
    for axes, (board, column) in zip(all_axes, panels, strict=True):
        _panel(axes, board, column)
    sentences = [board_summary(board) for board in boards if board.scored]
    figure.suptitle("\n".join(sentences), fontweight="bold", fontsize=10)
    return figure


def _panel(axes: Axes, board: Board, column: str) -> None:
    band, rows, name = board.bands[column], board.scored_rows(column), BOARD_NAMES[column]
    bands = (
        (band.full, 0.25, "chance and out-of-fold uncertainty"),
        (band.sampling, 0.45, "chance"),
    )
    for ends, opacity, label in bands:
        axes.fill_between(GRID, *ends.T, color=SKY, alpha=opacity, lw=0, label=label)
    axes.plot([0, 1], [0, 1], **REFERENCE)
    for _, row in rows.iterrows():
        outside, point = bool(row[f"{column}_outside"]), (row["oof"], row[column])
        colour = VERMILION if outside else BLUE
        axes.plot(*point, "o", color=colour, mec="white", markersize=8)
        if outside:
            axes.annotate(
                f"{row['blend']}, {str(row['file'])[:16]}",
                point,
                xytext=(-8, -3),
                textcoords="offset points",
                ha="right",
                fontsize=8,
                color=colour,
            )
    lowest = float(min(rows["oof"].min(), rows[column].min(), band.full[0, 0]))
    axes.set(xlim=(min(0.5, rows["oof"].min()) - 0.005, 1.005), ylim=(lowest - 0.03, 1.02))
    axes.set_xlabel("Balanced accuracy out of fold")
    axes.set_ylabel(f"Balanced accuracy on the {name} board")
    axes.set_title(f"{name} part, {band.n_drawn} of {board.n_patients} patients", loc="left")
    axes.legend(title=f"{LEVEL:.0%} interval", loc="lower right", frameon=False, fontsize=8)
    clean_axes(axes, grid="both")

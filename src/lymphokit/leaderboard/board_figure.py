"""Plot board scores against out-of-fold scores."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lymphokit.figures.style import BLUE, REFERENCE, SKY, VERMILION, clean_axes, plain
from lymphokit.leaderboard.board import GRID, Board, board_summary
from lymphokit.leaderboard.distributions import LEVEL


def board_figure(boards: Sequence[Board]) -> Figure:
    """Draw one panel per board, with the expected band; label the points outside."""
    figure = Figure(figsize=(5.4 * len(boards) + 0.4, 5.6), layout="constrained")
    all_axes = figure.subplots(1, len(boards), squeeze=False)[0]
    for axes, board in zip(all_axes, boards, strict=True):
        _panel(axes, board)
    summaries = plain("\n".join(map(board_summary, boards)))
    figure.suptitle(summaries, fontweight="bold", fontsize=10)
    return figure


def _panel(axes: Axes, board: Board) -> None:
    axes.fill_between(
        GRID, *board.band.T, color=SKY, alpha=0.4, lw=0, label=f"{LEVEL:.0%} interval"
    )
    axes.plot([0, 1], [0, 1], **REFERENCE)
    for row in board.scored.to_dict("records"):
        colour, point = VERMILION if row["outside"] else BLUE, (row["oof"], row["score"])
        axes.plot(*point, "o", color=colour, mec="white", markersize=8)
        if row["outside"]:
            text = plain(f"{row['blend']}, {row['file'][:16]}  ")
            axes.text(*point, text, ha="right", va="center", fontsize=8, color=colour)
    left, lowest = board.scored[["oof", "score"]].min()
    axes.set(
        xlim=(min(0.5, left) - 0.005, 1.005), ylim=(min(lowest, board.band.min()) - 0.03, 1.02)
    )
    axes.set_xlabel("Balanced accuracy out of fold")
    axes.set_ylabel(f"Balanced accuracy on the {board.name} board")
    axes.set_title(f"{plain(board.cohort)}, n = {board.n_patients} patients", loc="left")
    axes.legend(loc="lower right", frameon=False)
    clean_axes(axes, grid="both")

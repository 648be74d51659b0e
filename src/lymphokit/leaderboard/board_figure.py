"""Out-of-fold scores against the board's: data in; figure, table and words out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.markup import escape
from rich.table import Table

from lymphokit.figures.style import BLUE, DARK, PALE, SKY, VERMILION
from lymphokit.leaderboard.agreement import LEVEL
from lymphokit.leaderboard.board import Board
from lymphokit.submission.ledger import BOARD

LONGEST = 40  # characters of a file name on one line
NAMES = {"board_public": "public", "board_private": "private"}


def scored(board: Board) -> list[str]:
    """The boards of which any score was entered."""
    return [column for column in BOARD if board.rows[column].notna().any()]


def said(board: Board) -> str:
    """One sentence: is the board as far from the out-of-fold scores as noise makes it?"""
    if not scored(board):
        return (
            f"{board.cohort}: no board score yet. Enter them in the ledger's columns board_public "
            "and board_private, with a decimal point; the table says what to expect."
        )
    known = [
        (row, column) for column in scored(board) for _, row in _with(board, column).iterrows()
    ]
    outside = [row for row, column in known if row[f"{column}_outside"]]
    distance = float(np.mean([row[column] - row["oof"] for row, column in known]))
    where = "below" if distance < 0 else "above"
    count = f"{len(known) - len(outside)} of {len(known)} board scores are where noise puts them"
    shared = "; all are of the same patients, so several outside are one surprise"
    return (
        f"{board.cohort}: {count}, on average {abs(distance):.2f} {where} out of fold"
        f"{shared if len(outside) > 1 else ''}."
    )


def board_table(board: Board) -> Table:
    """A row a submission: out of fold, what to expect on each board, what it said."""
    table = Table(
        title=f"{board.cohort}: out of fold against the board, {board.n_patients} test patients",
        caption=f"brackets: {LEVEL:.0%} of boards to expect from the out-of-fold score",
    )
    table.add_column("submission", max_width=LONGEST, overflow="fold")
    table.add_column("out of fold", justify="right", no_wrap=True)
    for column in BOARD:
        drawn = board.bands[column].drawn
        table.add_column(f"{NAMES[column]} {drawn}", justify="right", no_wrap=True)
    for _, row in board.rows.iterrows():
        table.add_row(
            escape(str(row["file"])), f"{row['oof']:.2f}", *(_cell(row, column) for column in BOARD)
        )
    return table


def board_figure(boards: Sequence[Board]) -> Figure:
    """Out of fold across, board up, a panel a board with scores; points outside the band named."""
    panels = [(board, column) for board in boards for column in scored(board)]
    figure = Figure(figsize=(5.4 * len(panels) + 0.4, 5.6), layout="constrained")
    for axes, (board, column) in zip(
        np.ravel(figure.subplots(1, len(panels), squeeze=False)), panels, strict=True
    ):
        _panel(axes, board, column)
    figure.suptitle(
        "\n".join(said(board) for board in boards if scored(board)), fontweight="bold", fontsize=10
    )
    return figure


def _panel(axes: Axes, board: Board, column: str) -> None:
    band, rows = board.bands[column], _with(board, column)
    full, alone = band.full.T, band.noise.T
    axes.fill_between(
        band.at, full[0], full[1], color=SKY, alpha=0.25, lw=0, label="and out of fold uncertain"
    )
    axes.fill_between(
        band.at, alone[0], alone[1], color=SKY, alpha=0.45, lw=0, label="chance alone"
    )
    axes.plot([0, 1], [0, 1], color=DARK, linestyle=(0, (4, 4)), linewidth=0.8)
    for _, row in rows.iterrows():
        outside = bool(row[f"{column}_outside"])
        colour = VERMILION if outside else BLUE
        axes.plot(row["oof"], row[column], "o", color=colour, mec="white", markersize=8)
        if outside:
            axes.annotate(
                f"{row['blend']}, {str(row['file'])[:16]}",
                (row["oof"], row[column]),
                xytext=(-8, -3),
                textcoords="offset points",
                ha="right",
                fontsize=8,
                color=colour,
            )
    lowest = float(min(rows["oof"].min(), rows[column].min(), full[0].min()))
    axes.set(xlim=(min(0.5, rows["oof"].min()) - 0.005, 1.005), ylim=(lowest - 0.03, 1.02))
    axes.set_xlabel("Balanced accuracy out of fold")
    axes.set_ylabel(f"Balanced accuracy on the {NAMES[column]} board")
    axes.set_title(f"{NAMES[column]} part, {band.drawn} of {board.n_patients} patients", loc="left")
    axes.legend(title=f"{LEVEL:.0%} of boards, by", loc="lower right", frameon=False, fontsize=8)
    axes.grid(color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _with(board: Board, column: str) -> pd.DataFrame:
    """The rows that have a score of this board and one out of fold."""
    return board.rows.dropna(subset=[column, "oof"])


def _cell(row: "pd.Series[float]", column: str) -> str:
    """What to expect; before it the score, marked where it is elsewhere."""
    expected = f"\\[{row[f'{column}_low']:.2f}, {row[f'{column}_high']:.2f}]"
    if pd.isna(row[column]):
        return expected
    score = f"{row[column]:.2f}"
    return f"{f'[bold red]{score} outside[/]' if row[f'{column}_outside'] else score} {expected}"

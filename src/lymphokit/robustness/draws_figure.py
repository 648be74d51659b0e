"""The draws of cells shown: figure, findings, terminal table."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich.table import Column, Table

from lymphokit.figures.scores import PANELS
from lymphokit.figures.style import BLUE, CAPTION, DARK, VERMILION, clean_axes
from lymphokit.figures.terminal_tables import number_columns
from lymphokit.robustness.cell_draws import ALL

# Name, colour, marker and shift to the side of a model alone and of its product with age and count.
PAIR = {
    False: ("images alone", BLUE, "o", -0.17),
    True: ("with age and count", VERMILION, "s", 0.17),
}
JITTER = 0.07  # half the width of a strip of draws
LEAST_RANGE = 0.2  # of an axis of scores, so that small differences look small
NOTE = (
    "Points: draws of so many cells of each of n = {n_patients} patients, everything fitted anew "
    "in each draw.\nPatients with fewer cells keep theirs; where a number leaves no cell out there "
    "is one draw.\nDiamonds: log odds averaged over the draws. Dashed lines: all cells."
)


def draws_figure(scores: pd.DataFrame, summary: pd.DataFrame, *, level: float) -> Figure:
    """The scores of all draws by number of cells, a row a model, with the score of all cells.

    scores: of `cell_draws.draw_scores`; summary: of `cell_draws.draw_summary`; level: of intervals.
    """
    models = list(dict.fromkeys(summary["model"]))
    figure = Figure(figsize=(10.0, 1.8 + 3.1 * len(models)), layout="constrained")
    axes = figure.subplots(len(models), len(PANELS), sharey="col", squeeze=False)
    for row, model in zip(axes, models, strict=True):
        for panel, (metric, _, _, name) in zip(row, PANELS, strict=True):
            shown = summary[(summary["model"] == model) & (summary["metric"] == metric)]
            _draw(panel, shown, scores[scores["model"] == model], metric)
            panel.set_ylabel(f"{name}, out of fold")
            panel.set_xlabel("Cells drawn of each patient")
        row[0].set_title(model, loc="left", fontweight="bold")
    for panel in axes[0]:
        _widen_axis(panel)
    _name_colours(axes[0, -1])
    figure.suptitle("\n".join(findings(summary, level=level)), fontsize="medium")
    n_patients = int(summary["n_patients"].iloc[0])
    figure.supxlabel(NOTE.format(n_patients=n_patients), **CAPTION)
    return figure


def findings(summary: pd.DataFrame, *, level: float) -> list[str]:
    """How far draws differ, what averaging them does, and what other cells add to the interval.

    Of the first model, with age and count where there are, by balanced accuracy. summary: of
    `cell_draws.draw_summary`; level: of intervals.
    """
    first = summary["model"].iloc[0]
    wanted = (summary["model"] == first) & (summary["metric"] == "balanced_accuracy")
    with_clinical = bool(summary["with_clinical"].max())
    rows = summary[wanted & (summary["with_clinical"] == with_clinical)]
    drawn, whole = rows[rows["draws"] > 1], rows[rows["draws"] == 1]
    if drawn.empty:
        return [f"No number of cells leaves a cell out: {first} has one draw."]
    fewest = drawn.iloc[0]
    sentences = [
        f"{first}, {PAIR[with_clinical][0]}: {fewest['draws']} draws of {fewest['cells']} cells of "
        f"each patient score {fewest['lowest']:.3f} to {fewest['highest']:.3f} in balanced "
        "accuracy.",
        f"Averaging the log odds over the draws scores {fewest['averaged']:.3f}",
    ]
    if whole.empty:
        sentences[1] += f", one draw on average {fewest['mean']:.3f}."
        return sentences
    all_cells = whole.iloc[-1]
    sentences[1] += (
        f", one draw on average {fewest['mean']:.3f}, all cells {all_cells['mean']:.3f}."
    )
    sentences.append(
        f"With all cells the {level:.0%} interval for other patients is {all_cells['low']:.2f} to "
        f"{all_cells['high']:.2f}; for other patients and other cells of each it is "
        f"{all_cells['drawn_low']:.2f} to {all_cells['drawn_high']:.2f}."
    )
    return sentences


def draws_terminal_table(summary: pd.DataFrame, *, level: float) -> Table:
    """The summary of the draws for a terminal, a row for each model, number of cells and score.

    summary: of `cell_draws.draw_summary`; level: of intervals.
    """
    shown = Table(
        Column("model", no_wrap=True),
        *number_columns("cells"),
        Column("score", no_wrap=True),
        *number_columns("mean (sd)", "range", "patients", "and cells", "averaged"),
        title=f"Draws of cells, n = {summary['n_patients'].iloc[0]} patients",
        caption=f"brackets: {level:.0%} intervals, widened as in the score table, over resampled "
        "patients, and over patients and cells. Averaged: log odds over the draws. "
        "With all cells, the second allows for other cells by what fewer show.",
    )
    for (model, with_clinical), rows in summary.groupby(["model", "with_clinical"], sort=False):
        shown.add_section()
        name = f"{model}, {PAIR[bool(with_clinical)][0]}"
        for place, row in enumerate(rows.to_dict("records")):
            metric = str(row["metric"]).replace("_", " ").replace("auc", "AUC")
            shown.add_row(
                "" if place else name,
                str(row["cells"]),
                metric,
                f"{row['mean']:.3f} ({row['sd']:.3f})",
                f"{row['lowest']:.3f} to {row['highest']:.3f}",
                f"[{row['low']:.2f}, {row['high']:.2f}]",
                f"[{row['drawn_low']:.2f}, {row['drawn_high']:.2f}]",
                "" if np.isnan(row["averaged"]) else f"{row['averaged']:.3f}",
            )
    return shown


def _draw(panel: Axes, summary: pd.DataFrame, scores: pd.DataFrame, metric: str) -> None:
    """One model and score: a strip of draws for each number, lines at the score of all cells."""
    numbers = list(dict.fromkeys(summary["cells"]))
    jitter = np.random.default_rng(0)
    for row in summary.to_dict("records"):
        _, colour, marker, shift = PAIR[row["with_clinical"]]
        at = numbers.index(row["cells"]) + shift
        is_row = (scores["cells"] == row["cells"]) & (
            scores["with_clinical"] == row["with_clinical"]
        )
        drawn = scores.loc[is_row, metric].to_numpy(np.float64)
        places = at + (jitter.uniform(-JITTER, JITTER, len(drawn)) if len(drawn) > 1 else 0.0)
        panel.scatter(
            np.broadcast_to(places, drawn.shape), drawn, s=24, c=colour, marker=marker, ec="white",
            lw=0.5,
        )  # fmt: skip
        panel.plot(at + 0.13, row["averaged"], "D", color=colour, mec=DARK, markersize=6)
        if row["cells"] == ALL:
            panel.axhline(row["mean"], color=colour, linestyle=(0, (4, 4)), linewidth=1.0, zorder=0)
    panel.set_xticks(range(len(numbers)), numbers)
    panel.set_xlim(-0.5, len(numbers) - 0.5)
    clean_axes(panel, grid="y")


def _widen_axis(panel: Axes) -> None:
    """Show a range of scores of at least `LEAST_RANGE`."""
    low, high = panel.get_ylim()
    more = max(0.0, LEAST_RANGE - (high - low)) / 2
    panel.set_ylim(low - more, high + more)


def _name_colours(panel: Axes) -> None:
    """A legend above a panel, of the model alone and with age and count."""
    handles = [
        Line2D([], [], marker=marker, linestyle="", color=colour, label=name)
        for name, colour, marker, _ in PAIR.values()
    ]
    panel.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)

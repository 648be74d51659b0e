"""The spread of single splits shown: figure, finding, terminal table."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Column, Table

from lymphokit.figures.scores import PANELS
from lymphokit.figures.style import BLUE, CAPTION, PALE, REFERENCE, SKY, VERMILION, clean_axes
from lymphokit.figures.terminal_tables import number_columns, with_interval

OFFSETS = {"part": 0.22, "repeat": 0.0, "pooled": -0.22}
SIZE_ALONE = "where parts of that size lie if only the choice of patients differs"
NOTE = (
    "Circles: each of {n_parts} validation parts ({part_patients} patients, a {split} split "
    "each). Band: {size_alone}, {level:.0%} of them.\n"
    "Squares: each drawing of the {k} folds, its parts pooled. Diamond: the mean of the "
    "{n_repeats} drawings, {level:.0%} interval over resampled patients, widened.\n"
    "The drawings share all {n_patients} patients: their spread does not show how precisely the "
    "score is known. The report scored 98.5% on its split and 71.4% on the leaderboard."
)


def spread_figure(
    table: pd.DataFrame, splits: pd.DataFrame, *, n_patients: int, level: float
) -> Figure:
    """The score of every split, a row a model, with the pooled score and the band by size alone.

    table: of `spread.spread_table`; splits: of `spread.split_scores`; level: of intervals and
    bands.
    """
    models = list(dict.fromkeys(table["model"]))
    figure = Figure(figsize=(11.0, 2.4 + 1.25 * len(models)), layout="constrained")
    axes = figure.subplots(1, len(PANELS), sharey=True)
    jitter = np.random.default_rng(0)
    for panel, (metric, _, _, name) in zip(axes, PANELS, strict=True):
        for place, model in enumerate(models):
            row = table[(table["model"] == model) & (table["metric"] == metric)].iloc[0]
            _draw(panel, place, row, splits[splits["model"] == model], jitter)
        panel.axvline(0.5, **REFERENCE)
        panel.set_xlabel(f"{name}, out of fold")
        clean_axes(panel, grid="x", categories=True)
    axes[0].set_yticks(range(len(models)), models)
    axes[0].set_ylim(len(models) - 0.5, -0.5)
    figure.suptitle(finding(table), fontweight="bold")
    first = table.iloc[0]
    counts = {name: int(first[name]) for name in ("n_parts", "n_repeats", "part_patients")}
    k = counts["n_parts"] // counts["n_repeats"]
    caption = NOTE.format(
        **counts,
        k=k,
        split=f"{1 - 1 / k:.0%} to {1 / k:.0%}",
        size_alone=SIZE_ALONE,
        n_patients=n_patients,
        level=level,
    )
    figure.supxlabel(caption, **CAPTION)
    return figure


def finding(table: pd.DataFrame) -> str:
    """The range of single splits against the pooled score, for the model with the best one."""
    rows = table[table["metric"] == "balanced_accuracy"]
    best = rows.iloc[int(rows["pooled"].to_numpy().argmax())]
    return (
        f"{best['model']}: single splits of {best['part_patients']:.0f} patients score "
        f"{best['parts_min']:.2f} to {best['parts_max']:.2f};\n"
        f"balanced accuracy over all patients is {best['pooled']:.2f} "
        f"({best['low']:.2f} to {best['high']:.2f})"
    )


def spread_terminal_table(table: pd.DataFrame, *, n_patients: int, level: float) -> Table:
    """The spread for a terminal, a row for each model and score.

    table: of `spread.spread_table`; level: of intervals and bands.
    """
    first = table.iloc[0]
    shown = Table(
        Column("model", no_wrap=True),
        Column("score", no_wrap=True),
        *number_columns("all patients"),
        Column(f"{first['n_repeats']} drawings of the folds", justify="right"),
        Column(f"{first['n_parts']} single parts of {first['part_patients']}", justify="right"),
        Column("parts by size alone", justify="right"),
        title=f"Spread of single splits, n = {n_patients} patients",
        caption=f"brackets: {level:.0%} interval over resampled patients, widened. "
        f"Parentheses: standard deviation. By size alone: {SIZE_ALONE}. "
        "Drawings share all patients: they are no independent samples.",
    )
    for model, rows in table.groupby("model", sort=False):
        shown.add_section()
        for place, row in enumerate(rows.to_dict("records")):
            shown.add_row(
                "" if place else str(model),
                str(row["metric"]).replace("_", " ").replace("auc", "AUC"),
                with_interval(row["pooled"], row["low"], row["high"]),
                *(
                    f"{row[low]:.2f} to {row[high]:.2f} ({row[deviation]:.2f})"
                    for low, high, deviation in (
                        ("repeats_min", "repeats_max", "repeats_sd"),
                        ("parts_min", "parts_max", "parts_sd"),
                        ("by_n_low", "by_n_high", "by_n_sd"),
                    )
                ),
            )
    return shown


def _draw(
    panel: Axes,
    place: int,
    row: "pd.Series[float]",
    splits: pd.DataFrame,
    jitter: np.random.Generator,
) -> None:
    """One model and score: the band, the parts, the drawings, the pooled score."""
    heights = {name: place - offset for name, offset in OFFSETS.items()}
    at = heights["part"]
    panel.fill_between(
        [row["by_n_low"], row["by_n_high"]], at - 0.16, at + 0.16, color=PALE, linewidth=0
    )
    for split, colour, size, marker in (("part", SKY, 22, "o"), ("repeat", BLUE, 26, "s")):
        scores = splits.loc[splits["split"] == split, str(row["metric"])]
        most = 0.11 if split == "part" else 0.03
        places = heights[split] + jitter.uniform(-most, most, len(scores))
        panel.scatter(
            scores, places, s=size, c=colour, marker=marker, ec="white", lw=0.4, alpha=0.85
        )
    at = heights["pooled"]
    panel.plot([row["low"], row["high"]], [at, at], color=VERMILION, linewidth=2.4, alpha=0.55)
    panel.plot(row["pooled"], at, "D", color=VERMILION, markersize=8, mec="white", clip_on=False)

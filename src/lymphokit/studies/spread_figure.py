"""What a single split would have told: data in, picture and table out."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from lymphokit.figures.style import BLUE, DARK, PALE, SKY, VERMILION

NAMES = {"balanced_accuracy": "Balanced accuracy", "auc": "Area under the ROC curve"}
OFFSETS = {"part": 0.22, "repeat": 0.0, "pooled": -0.22}
CAPTION = (
    "Light blue: each of {n_parts} validation parts ({part_patients} patients, a {split} split "
    "each). Grey: where {level:.0%} of such parts lie if nothing differs but who is in them.\n"
    "Dark blue: each drawing of the {k} folds, its parts pooled. Orange: the mean of the "
    "{n_repeats} drawings, {level:.0%} interval over resampled patients, widened.\n"
    "The drawings share all {n_patients} patients: how near they lie says nothing about how well "
    "the score is known. The report saw 98.5% on one split of its own, and 71.4% on the board."
)


def spread_figure(
    table: pd.DataFrame, parts: pd.DataFrame, *, n_patients: int, level: float
) -> Figure:
    """Every split's score, a row a model, beside the pooled score and what size alone explains.

    table, parts: as of `evaluation.spread.Spread`; level: of intervals and bands.
    """
    models = list(dict.fromkeys(table["model"]))
    figure = Figure(figsize=(11.0, 2.4 + 1.25 * len(models)), layout="constrained")
    axes = figure.subplots(1, len(NAMES), sharey=True)
    draw = np.random.default_rng(0)
    for panel, (metric, name) in zip(axes, NAMES.items(), strict=True):
        for place, model in enumerate(models):
            row = table[(table["model"] == model) & (table["metric"] == metric)].iloc[0]
            _draw(panel, place, row, parts[parts["model"] == model], draw)
        panel.axvline(0.5, color=DARK, linestyle=(0, (4, 4)), linewidth=0.8)
        panel.set_xlabel(f"{name}, out of fold")
        panel.grid(axis="x", color=PALE, linewidth=0.6)
        panel.set_axisbelow(True)
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(models)), models)
    axes[0].set_ylim(len(models) - 0.5, -0.5)
    first = table.iloc[0]
    figure.suptitle(finding(table), fontweight="bold")
    k = int(first["n_parts"] // first["n_repeats"])
    counts = {name: int(first[name]) for name in ("n_parts", "n_repeats", "part_patients")}
    split = f"{1 - 1 / k:.0%} to {1 / k:.0%}"
    caption = CAPTION.format(**counts, k=k, split=split, n_patients=n_patients, level=level)
    figure.supxlabel(caption, fontsize="small", color=DARK)
    return figure


def finding(table: pd.DataFrame) -> str:
    """How far apart single splits lie, in words, for the model with the best pooled score."""
    rows = table[table["metric"] == "balanced_accuracy"]
    best = rows.iloc[int(rows["pooled"].to_numpy().argmax())]
    return (
        f"One split of {best['part_patients']:.0f} patients says anything from "
        f"{best['parts_min']:.2f} to {best['parts_max']:.2f} of {best['model']},\n"
        f"whose balanced accuracy over all patients is {best['pooled']:.2f} "
        f"({best['low']:.2f} to {best['high']:.2f})"
    )


def spread_table(table: pd.DataFrame, *, n_patients: int, level: float) -> Table:
    """The spread for reading: a row a model and score.

    table: as of `evaluation.spread.Spread.table`; level: of intervals and bands.
    """
    first = table.iloc[0]
    shown = Table(
        title=f"What a single split would have told, n = {n_patients} patients",
        caption=f"brackets: {level:.0%} interval over resampled patients, widened. "
        "Parentheses: standard deviation. By size alone: where such parts lie if nothing differs "
        "but who is in them. Drawings share all patients: they are no independent samples.",
    )
    shown.add_column("model", no_wrap=True)
    shown.add_column("score", no_wrap=True)
    shown.add_column("all patients", justify="right", no_wrap=True)
    shown.add_column(f"{first['n_repeats']} drawings of the folds", justify="right")
    shown.add_column(
        f"{first['n_parts']} single parts of {first['part_patients']}", justify="right"
    )
    shown.add_column("parts by size alone", justify="right")
    for row in table.to_dict("records"):
        shown.add_row(
            str(row["model"]) if row["metric"] == "balanced_accuracy" else "",
            str(row["metric"]).replace("_", " ").replace("auc", "AUC"),
            f"{row['pooled']:.2f} \\[{row['low']:.2f}, {row['high']:.2f}]",
            *(
                f"{row[f'{what}_{low}']:.2f} to {row[f'{what}_{high}']:.2f} "
                f"({row[f'{what}_sd']:.2f})"
                for what, low, high in (
                    ("repeats", "min", "max"),
                    ("parts", "min", "max"),
                    ("by_n", "low", "high"),
                )
            ),
            end_section=row["metric"] == "auc",
        )
    return shown


def _draw(
    panel: Axes,
    place: int,
    row: "pd.Series[float]",
    parts: pd.DataFrame,
    draw: np.random.Generator,
) -> None:
    """One model and score: the band, the parts, the drawings, the pooled score."""
    heights = {name: place - offset for name, offset in OFFSETS.items()}
    at = heights["part"]
    panel.fill_between(
        [row["by_n_low"], row["by_n_high"]], at - 0.16, at + 0.16, color=PALE, linewidth=0
    )
    for split, colour, size in (("part", SKY, 22), ("repeat", BLUE, 26)):
        scores = parts.loc[parts["split"] == split, str(row["metric"])]
        most = 0.11 if split == "part" else 0.03
        places = heights[split] + draw.uniform(-most, most, len(scores))
        panel.scatter(scores, places, s=size, color=colour, ec="white", lw=0.4, alpha=0.85)
    at = heights["pooled"]
    panel.plot([row["low"], row["high"]], [at, at], color=VERMILION, linewidth=2.4, alpha=0.55)
    panel.plot(row["pooled"], at, "o", color=VERMILION, markersize=8, mec="white", clip_on=False)

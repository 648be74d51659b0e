"""The confounder study shown: forest plot of linear probes, terminal table, findings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from rich.table import Column, Table

from lymphokit.figures.style import (
    BLUE,
    CAPTION,
    PALE,
    PURPLE,
    REFERENCE,
    VERMILION,
    clean_axes,
    draw_interval,
)
from lymphokit.figures.terminal_tables import join_names, number_columns, with_interval

COLOURS = {"medicine": BLUE, "mixed": PURPLE, "artefact": VERMILION}
STYLES = {"medicine": "cyan", "mixed": "magenta", "artefact": None}  # on a terminal
MEANINGS = {"medicine": "clinical", "mixed": "depends on cells too", "artefact": "nuisance"}
COUNTED = {"artefact": "nuisance columns", "mixed": "columns that depend on cells too"}
INTERVALS = "percentile intervals over resampled patients, widened"
AUC = ("auc", "low", "high")
ADDED = ("added", "added_low", "added_high")
_HEADINGS = (
    ("Predicts the label", "AUC"),
    ("Adds to age and count", "Difference of AUC"),
    ("Separates test from train patients", "AUC"),
)
GAP = 0.6  # between two families, in rows
NO_PROBE = {
    "varies": False,
    "added": np.nan,
    "predicts": False,
    "adds": False,
}  # of the label: the last row has none
Row = Mapping[Any, Any]


def confounder_forest(
    labels: pd.DataFrame, train_or_test: pd.DataFrame, *, resamples: int, level: float
) -> Figure:
    """A row for each confounder: AUC for the label, what it adds, AUC for train against test.

    labels, train_or_test: of `studies.confounders`; resamples, level: settings of the intervals.
    """
    gaps = (train_or_test["family"] != train_or_test["family"].shift()).cumsum() * GAP
    places = dict(
        zip(train_or_test["confounder"], gaps + np.arange(len(train_or_test)), strict=True)
    )
    figure = Figure(figsize=(11.5, 2.6 + 0.34 * len(places)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True, width_ratios=[1.25, 0.9, 1.25])
    _forest(panels[0], labels, places, AUC, level)
    _forest(panels[1], labels.dropna(subset="added"), places, ADDED, level)
    _forest(panels[2], train_or_test, places, AUC, level)
    panels[0].set_yticks(list(places.values()), list(places))
    for tick, family in zip(panels[0].get_yticklabels(), train_or_test["family"], strict=True):
        tick.set_color(COLOURS[family])
    panels[0].invert_yaxis()
    for panel, (title, axis) in zip(panels, _HEADINGS, strict=True):
        panel.set_title(title, fontsize="medium")
        panel.set_xlabel(axis)
    _share_limits((panels[0], panels[2]))
    # Clinical columns have no row in the middle panel, so its top is free.
    panels[1].legend(
        handles=_legend(level),
        loc="upper center",
        fontsize="small",
        labelspacing=0.3,
        framealpha=1.0,
        edgecolor="none",
    )
    figure.suptitle(headline(labels, level), fontweight="bold", fontsize="medium")
    figure.supxlabel(
        f"Linear probes out of fold, n = {labels['n_patients'].max()} labelled patients; train "
        f"against test cross-validated, n = {train_or_test['n_patients'].max()} patients.\nBars: "
        f"{level:.0%} {INTERVALS}, {resamples} resamples. Wide bands: AUCs on shuffled labels.\n"
        "Filled points: better than chance, corrected for the number of confounders; in the middle "
        "panel: interval above 0.",
        **CAPTION,
    )
    return figure


def confounder_terminal_table(
    labels: pd.DataFrame, train_or_test: pd.DataFrame, *, level: float
) -> Table:
    """A row for each confounder, with its findings.

    labels, train_or_test: of `studies.confounders`; level: of intervals and of shuffles.
    """
    n_labelled, n_all = labels["n_patients"].max(), train_or_test["n_patients"].max()
    families = [MEANINGS[family] for family in train_or_test["family"].unique()]
    table = Table(
        Column("confounder", no_wrap=True),
        *number_columns("label", "by chance", "added to age, count", "train or test"),
        "finding",
        title=f"Linear probes: label, n = {n_labelled} patients; train or test, n = {n_all}",
        caption=f"AUC out of fold; brackets: {level:.0%} {INTERVALS}; by chance: AUC on shuffled "
        f"labels. Sections: {'; '.join(families)}",
    )
    found = labels.assign(predicts=predicts(labels, level), adds=adds(labels))
    label_rows = found.set_index("confounder").to_dict("index")
    train_or_test = train_or_test.assign(separates=predicts(train_or_test, level))
    for family, rows in train_or_test.groupby("family", sort=False):
        table.add_section()
        for row in rows.to_dict("records"):
            label = label_rows.get(row["confounder"], NO_PROBE)
            table.add_row(
                str(row["confounder"]),
                *_label_cells(label),
                _auc(row) if row["varies"] else "",
                _finding(label, row),
                style=STYLES[str(family)],
            )
    return table


def headline(labels: pd.DataFrame, level: float) -> str:
    """How many columns predict the label, and how many add to age and count: the findings counted.

    A line for nuisance columns, and one for columns that depend on cells too.
    """
    return "\n".join(_counted(labels, family, level) for family in COUNTED)


def _counted(labels: pd.DataFrame, family: str, level: float) -> str:
    """The findings on a family: the columns that predict the label, the best, those that add."""
    scores = labels[(labels["family"] == family) & labels["varies"]]
    found, adding = scores[predicts(scores, level)], scores[adds(scores)]
    if found.empty:
        result = "predicts the label better than chance"
        return f"None of {len(scores)} {COUNTED[family]} {result}{_adding(adding)}"
    best = found.sort_values("auc", ascending=False, kind="stable").iloc[0].to_dict()
    verb = "predicts" if len(found) == 1 else "predict"
    name = f"{'best: ' * (len(found) > 1)}{best['confounder']}, AUC {_auc(best)}"
    return (
        f"{len(found)} of {len(scores)} {COUNTED[family]} {verb} the label ({name})"
        f"{_adding(adding)}"
    )


def _adding(adding: pd.DataFrame) -> str:
    """The end of a headline: the columns that add to age and count."""
    names = join_names(adding["confounder"].tolist()) or "none"
    return f"; {names} add{'' if len(adding) > 1 else 's'} to age and count"


def predicts(scores: pd.DataFrame, level: float) -> "pd.Series[bool]":
    """Whether each confounder beats shuffled labels; level: 1 minus the false discovery rate."""
    return scores["varies"] & (scores["adjusted_p"] < 1 - level)


def adds(labels: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each confounder adds to age and count: the interval of the gain lies above 0."""
    return labels["added_low"] > 0


def significant_artefacts(scores: pd.DataFrame, level: float) -> pd.DataFrame:
    """The artefacts that predict better than on shuffled labels, the best first."""
    significant = predicts(scores, level) & (scores["family"] == "artefact")
    return scores[significant].sort_values("auc", ascending=False)


def label_sentence(labels: pd.DataFrame, level: float) -> str:
    """Which artefacts predict the label, how well age and count do, and what artefacts add."""
    significant = significant_artefacts(labels, level)
    known = f"Age and count predict it with AUC {_auc(labels.iloc[0].to_dict())}."
    if significant.empty:
        return f"No nuisance column predicts the label better than chance. {known}"
    adding = significant.loc[adds(significant), "confounder"].tolist()
    more = (
        f"Joined to these, {join_names(adding)} would raise it: check whether a model uses that."
        if adding
        else "No nuisance column is shown to add to them."
    )
    return f"Nuisance columns that predict the label: {_with_auc(significant)}. {known} {more}"


def shift_sentence(train_or_test: pd.DataFrame, columns: pd.DataFrame, level: float) -> str:
    """Whether test patients differ from training patients, and in which columns."""
    significant = train_or_test[train_or_test["adjusted_p"] < 1 - level]
    differing = columns.loc[columns["adjusted_p"] < 1 - level, "column"].tolist()
    joined = train_or_test.iloc[-1].to_dict()
    first = (
        "No shift between training and test patients is shown"
        if significant.empty
        else f"Test patients differ from training patients by {_with_auc(significant)}"
    )
    second = f"Columns that differ, of {len(columns)}: {join_names(differing) or 'none'}."
    return f"{first}; {joined['confounder']} together: AUC {_auc(joined)}. {second}"


def _label_cells(label: Row) -> tuple[str, str, str]:
    """What predicts the label: the AUC, that by chance, the gain over age and count."""
    if not label["varies"]:
        return "", "", ""
    chance = f"{label['chance_low']:.2f} to {label['chance_high']:.2f}"
    no_gain = np.isnan(label["added"])
    gain = "" if no_gain else with_interval(*(label[name] for name in ADDED), sign="+")
    return _auc(label), chance, gain


def _finding(label: Row, shift: Row) -> str:
    """The significant results of a confounder in a few words."""
    if not shift["varies"]:
        return "constant"
    results = {
        "predicts the label": label["predicts"],
        "adds to age and count": label["adds"],
        "separates test from train": shift["separates"],
    }
    return ", ".join(name for name, found in results.items() if found) or "no better than chance"


def _with_auc(scores: pd.DataFrame) -> str:
    """The names of confounders with their AUCs."""
    return join_names(
        [f"{row['confounder']} ({row['auc']:.2f})" for row in scores.to_dict("records")]
    )


def _auc(row: Row) -> str:
    return with_interval(row["auc"], row["low"], row["high"])


def _share_limits(panels: Sequence[Axes]) -> None:
    """The same limits for all axes of AUCs."""
    least = min(panel.get_xlim()[0] for panel in panels)
    for panel in panels:
        panel.set_xlim(least, 1.0)


def _forest(
    axes: Axes,
    scores: pd.DataFrame,
    places: dict[str, float],
    columns: tuple[str, str, str],
    level: float,
) -> None:
    """One interval for each confounder, for an AUC over the band of shuffled labels."""
    chance, sign = (0.5, "") if columns == AUC else (0.0, "+")
    axes.axvline(chance, **REFERENCE)
    found = predicts(scores, level) if columns == AUC else adds(scores)
    for row, is_found in zip(scores.to_dict("records"), found, strict=True):
        place, colour = places[row["confounder"]], COLOURS[row["family"]]
        estimate, low, high = (row[column] for column in columns)
        if not row["varies"]:
            draw_interval(axes, place, (np.nan, np.nan, np.nan), "constant", colour)
            continue
        if columns == AUC:
            width = row["chance_high"] - row["chance_low"]
            axes.barh(place, width, left=row["chance_low"], height=0.72, color=PALE, zorder=0)
        text = f"{round(estimate, 2) + 0.0:{sign}.2f}"  # adding 0.0 turns -0.0 into 0.0
        draw_interval(axes, place, (estimate, low, high), text, colour, filled=is_found)
    axes.set_axisbelow(True)
    clean_axes(axes, categories=True)


def _legend(level: float) -> list[Line2D | Patch]:
    lines: list[Line2D | Patch] = [
        Line2D([], [], color=colour, marker="o", mec="white", linewidth=2.2, label=MEANINGS[family])
        for family, colour in COLOURS.items()
    ]
    return [*lines, Patch(color=PALE, label=f"{level:.0%} of shuffles")]

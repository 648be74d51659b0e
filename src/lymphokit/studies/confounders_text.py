"""The confounder study for a terminal: its table and its findings as sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.table import Table

STYLES = {"medicine": "cyan", "mixed": "magenta", "artefact": None}
MEANINGS = {"medicine": "clinical", "mixed": "depends on cells too", "artefact": "nuisance"}
INTERVALS = "percentile intervals over resampled patients, widened"
Row = Mapping[Any, Any]


def confounder_table(labels: pd.DataFrame, train_or_test: pd.DataFrame, *, level: float) -> Table:
    """A row for each confounder, with its findings.

    labels, train_or_test: of `studies.confounders`; level: of intervals and of shuffles.
    """
    n_labelled, n_all = labels["n_patients"].max(), train_or_test["n_patients"].max()
    legend = "; ".join(f"{style}: {MEANINGS[family]}" for family, style in STYLES.items() if style)
    table = Table(
        title=f"Linear probes: label, n = {n_labelled} patients; train or test, n = {n_all}",
        caption=f"AUC out of fold; brackets: {level:.0%} {INTERVALS}; by chance: AUC on shuffled "
        f"labels. {legend.capitalize()}",
    )
    table.add_column("confounder", no_wrap=True)
    for heading in ("label", "by chance", "added to age, count", "train or test"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("finding")
    label_rows = labels.set_index("confounder").to_dict("index")
    for family, rows in train_or_test.groupby("family", sort=False):
        for place, row in enumerate(rows.to_dict("records"), start=1):
            label = label_rows.get(row["confounder"], {"varies": False, "added": float("nan")})
            table.add_row(
                str(row["confounder"]),
                _cell(label, "auc", "low", "high") if label["varies"] else "",
                f"{label['chance_low']:.2f} to {label['chance_high']:.2f}"
                if label["varies"]
                else "",
                _cell(label, "added", "added_low", "added_high", sign="+")
                if pd.notna(label["added"])
                else "",
                _cell(row, "auc", "low", "high") if row["varies"] else "",
                _finding(label, row, level),
                style=STYLES[str(family)],
                end_section=place == len(rows),
            )
    return table


def headline(labels: pd.DataFrame, level: float) -> str:
    """The strongest nuisance confounder in a line."""
    significant = significant_artefacts(labels, level)
    if significant.empty:
        return "No nuisance column predicts the label better than chance"
    strongest = significant.iloc[0].to_dict()
    return f"{_capital(strongest['confounder'])} predicts the label: AUC {_interval(strongest)}"


def significant_artefacts(scores: pd.DataFrame, level: float) -> pd.DataFrame:
    """The artefacts that predict better than on shuffled labels, the best first.

    level: 1 minus the false discovery rate.
    """
    significant = (scores["adjusted_p"] < 1 - level) & (scores["family"] == "artefact")
    return scores[significant].sort_values("auc", ascending=False)


def label_sentence(labels: pd.DataFrame, level: float) -> str:
    """Which artefacts predict the label, how well age and count do, and what artefacts add."""
    clinical = labels.iloc[0].to_dict()
    significant = significant_artefacts(labels, level)
    known = f"{_capital(clinical['confounder'])} predict it with AUC {_interval(clinical)}."
    if significant.empty:
        return f"{headline(labels, level)}. {known}"
    adding = significant.loc[significant["added_low"] > 0, "confounder"].tolist()
    more = (
        f"{_capital(_listed(adding))} would add to them: check whether a model uses that."
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
    second = f"Columns that differ, of {len(columns)}: {_listed(differing) or 'none'}."
    return f"{first}; {joined['confounder']} together: AUC {_interval(joined)}. {second}"


def bag_size_sentences(sizes: pd.DataFrame, users: Sequence[str], others: int) -> list[str]:
    """Which models use the number of images, and how much their scores depend on it.

    sizes: of `studies.bag_size`; others: how many models do not use it.
    """
    if not users:
        return [f"None of {others} models uses the number of a patient's images."]
    sentences = [
        f"The number of a patient's images is used by {_listed(users)}, and by none of the "
        f"{others} other models."
    ]
    for row in sizes[sizes["metric"] != "balanced_accuracy"].to_dict("records"):
        if pd.isna(row["difference"]):
            sentences.append(f"{row['model']} has no twin without it to be compared with.")
            continue
        gain = _cell(row, "difference", "low", "high", sign="+").replace("\\", "")
        sentences.append(
            f"{row['model']} against {row['twin']}, the same without it: AUC "
            f"{gain}, {_direction(row)}."
        )
    return sentences


def _direction(row: Row) -> str:
    if row["low"] > 0:
        return "so its score depends on the number of images"
    return "so it is worse with it" if row["high"] < 0 else "no difference is shown"


def _finding(label: Row, shift: Row, level: float) -> str:
    """The significant results of a confounder in a few words."""
    if not shift["varies"]:
        return "constant"
    found = []
    if label["varies"] and label["adjusted_p"] < 1 - level:
        found.append("predicts the label")
    if label["added"] > 0 and label["added_low"] > 0:
        found.append("adds to age and count")
    if shift["adjusted_p"] < 1 - level:
        found.append("separates test from train")
    return ", ".join(found) or "no better than chance"


def _with_auc(scores: pd.DataFrame) -> str:
    """The names of confounders with their AUCs."""
    return _listed([f"{row['confounder']} ({row['auc']:.2f})" for row in scores.to_dict("records")])


def _cell(row: Row, estimate: str, low: str, high: str, sign: str = "") -> str:
    # Adding 0.0 turns -0.0 into 0.0, so that no number is shown as -0.00.
    middle, least, most = (f"{round(row[key], 2) + 0.0:{sign}.2f}" for key in (estimate, low, high))
    return f"{middle} \\[{least}, {most}]"


def _interval(row: Row) -> str:
    return f"{row['auc']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

"""What the confounder page says in words, for a terminal: data in, table and sentences out."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.table import Table

STYLES = {"medicine": "cyan", "mixed": "magenta", "artefact": None}
Row = Mapping[Any, Any]


def confounder_table(labels: pd.DataFrame, train_or_test: pd.DataFrame, *, level: float) -> Table:
    """A row a suspect, with what was found of it.

    labels, train_or_test: of `evaluation.confounders`; level: the share of resamples and of
    shuffles that an interval holds.
    """
    n_labelled, n_all = labels["n_patients"].max(), train_or_test["n_patients"].max()
    table = Table(
        title=f"What predicts the label, n = {n_labelled} patients; what tells test from train "
        f"patients, n = {n_all}",
        caption=f"AUC out of fold; brackets: {level:.0%} intervals over resampled patients, "
        "widened; by chance: the same of shuffled labels. Cyan: medicine; magenta: shows cells too",
    )
    table.add_column("suspect", no_wrap=True)
    for heading in ("label", "by chance", "added to age, count", "train or test"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("found")
    of_label = labels.set_index("suspect").to_dict("index")
    for family, rows in train_or_test.groupby("family", sort=False):
        for place, row in enumerate(rows.to_dict("records"), start=1):
            label = of_label.get(row["suspect"], {"varies": False, "added": float("nan")})
            table.add_row(
                str(row["suspect"]),
                _cell(label, "auc", "low", "high") if label["varies"] else "",
                f"{label['chance_low']:.2f} to {label['chance_high']:.2f}"
                if label["varies"]
                else "",
                _cell(label, "added", "added_low", "added_high", sign="+")
                if pd.notna(label["added"])
                else "",
                _cell(row, "auc", "low", "high") if row["varies"] else "",
                _found(label, row, level),
                style=STYLES[str(family)],
                end_section=place == len(rows),
            )
    return table


def headline(labels: pd.DataFrame, level: float) -> str:
    """The worst artefact in a line."""
    telling = telling_artefacts(labels, level)
    if telling.empty:
        return "No artefact tells the label better than chance"
    worst = telling.iloc[0].to_dict()
    return f"{_capital(worst['suspect'])} alone tells the label: AUC {_interval(worst)}"


def telling_artefacts(scores: pd.DataFrame, level: float) -> pd.DataFrame:
    """The artefacts that tell better than shuffled labels do, the best first.

    level: one less the false discovery rate.
    """
    clear = scores["adjusted_p"] < 1 - level
    return scores[clear & (scores["family"] == "artefact")].sort_values("auc", ascending=False)


def label_sentence(labels: pd.DataFrame, level: float) -> str:
    """Which artefacts tell the label, how well beside the medicine, and what they add to it."""
    medicine = labels.iloc[0].to_dict()
    telling = telling_artefacts(labels, level)
    known = f"{_capital(medicine['suspect'])} tell it with AUC {_interval(medicine)}."
    if telling.empty:
        return f"{headline(labels, level)}. {known}"
    listed = _listed([f"{row['suspect']} ({row['auc']:.2f})" for _, row in telling.iterrows()])
    adding = telling.loc[telling["added_low"] > 0, "suspect"].tolist()
    verb = "tells" if len(telling) == 1 else "tell"
    more = (
        f"{_listed(adding)} would add to them: look whether a model lives on that."
        if adding
        else "Beside these, nothing that an artefact adds can be seen."
    )
    return f"Without being medicine, {listed} {verb} the label. {known} {more}"


def shift_sentence(train_or_test: pd.DataFrame, columns: pd.DataFrame, level: float) -> str:
    """Whether test patients differ from training patients, and in which columns."""
    clear = train_or_test[train_or_test["adjusted_p"] < 1 - level]
    differing = columns.loc[columns["adjusted_p"] < 1 - level, "column"].tolist()
    together = train_or_test.iloc[-1].to_dict()
    if clear.empty:
        first = "Test patients cannot be told from training patients by any suspect"
    else:
        names = [f"{row['suspect']} ({row['auc']:.2f})" for _, row in clear.iterrows()]
        first = f"Test patients are told from training patients by {_listed(names)}"
    second = f"Columns that differ, of {len(columns)}: {_listed(differing) or 'none'}."
    return f"{first}; {together['suspect']} together: AUC {_interval(together)}. {second}"


def bag_size_sentences(sizes: pd.DataFrame, users: Sequence[str], others: int) -> list[str]:
    """Which models use the number of images, and what their scores owe to it.

    sizes: of `evaluation.bag_size`; others: how many models use none.
    """
    if not users:
        return [f"None of {others} models uses the number of a patient's images."]
    said = [
        f"The number of a patient's images is used by {_listed(users)}, and by none of the "
        f"{others} other models."
    ]
    for row in sizes[sizes["metric"] != "balanced_accuracy"].to_dict("records"):
        if pd.isna(row["difference"]):
            said.append(f"{row['model']} has no twin without it to be compared with.")
            continue
        gain = _cell(row, "difference", "low", "high", sign="+").replace("\\", "")
        said.append(
            f"{row['model']} against {row['twin']}, the same without it: AUC "
            f"{gain}, {_direction(row)}."
        )
    return said


def _direction(row: Row) -> str:
    if row["low"] > 0:
        return "so its score owes something to the number of images"
    return "so it does worse with it" if row["high"] < 0 else "no difference that can be seen"


def _found(label: Row, shift: Row, level: float) -> str:
    """In a few words, what a suspect tells."""
    if not shift["varies"]:
        return "the same for everybody"
    found = []
    if label["varies"] and label["adjusted_p"] < 1 - level:
        found.append("tells the label")
    if label["added"] > 0 and label["added_low"] > 0:
        found.append("adds to age and count")
    if shift["adjusted_p"] < 1 - level:
        found.append("tells test from train")
    return ", ".join(found) or "no better than chance"


def _cell(row: Row, estimate: str, low: str, high: str, sign: str = "") -> str:
    # No figure is shown as -0.00.
    middle, least, most = (f"{round(row[key], 2) + 0.0:{sign}.2f}" for key in (estimate, low, high))
    return f"{middle} \\[{least}, {most}]"


def _interval(row: Row) -> str:
    return f"{row['auc']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

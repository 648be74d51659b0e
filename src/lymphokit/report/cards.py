"""Patient cards: the probabilities of every model, and the cells that speak for them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from lymphokit.report.faithfulness import Ranking, patient_faithfulness

MOST_CELLS = 40  # shown of a patient
_SHEET_BYTES = 20_000_000  # for the cells of all patients
_CELL_BYTES = 2_200  # of a thumbnail in the page, about
_FEWEST_CELLS = 8
_TOP = 0.1  # share of a patient's cells that count as those most attended to


@dataclass(frozen=True)
class Evidence:
    """The cells of every patient as one model orders them.

    cells: of `evaluation.evidence`, all folds; neutral: the score that speaks for neither label;
    faithful: of `patient_faithfulness`.
    """

    model: str
    ranking: Ranking
    neutral: float
    cells: pd.DataFrame
    faithful: pd.DataFrame

    @property
    def members(self) -> list[str]:
        """The columns of attention, one an ensemble member."""
        return [str(name) for name in self.cells.columns if str(name).startswith("attention_")]


def collect_evidence(
    tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    decisions: pd.DataFrame,
    neutral: Mapping[str, float | None],
) -> list[Evidence]:
    """The evidence of models that score cells, those with attention twice.

    tables: for each model its scores of cells and its subsets, all folds of the first repeat;
    decisions: the long table; neutral: the neutral score of each model, where it has one. Models
    without any score are left out.
    """
    label_of = decisions.groupby("patient")["label"].first()
    first = decisions.loc[(decisions["repeat"] == 1) & (decisions["part"] == "validation")]
    found = []
    for model, (cells, subsets) in tables.items():
        if cells.empty:
            continue
        calls = first.loc[first["model"] == model].set_index("patient")
        rankings: list[Ranking] = ["cell score"]
        rankings += ["attention"] if any(cells.columns.str.startswith("attention_")) else []
        for ranking in rankings:
            faithful = patient_faithfulness(subsets, calls, ranking)
            known = neutral[model]
            middle = _middle(cells, label_of) if known is None else known
            found.append(Evidence(model, ranking, middle, cells, faithful))
    return found


def _middle(cells: pd.DataFrame, label_of: "pd.Series[int]") -> float:
    """The score half way between the cells of reactive and of tumoral patients, on average."""
    means = cells.groupby(cells["patient"].map(label_of))["score"].mean()
    return round(float(means.reindex([0, 1]).mean()), 3)


def card_data(
    patients: pd.DataFrame,
    decisions: pd.DataFrame,
    columns: Sequence[str],
    models: Sequence[str],
    evidence: Sequence[Evidence],
) -> list[dict[str, Any]]:
    """The content of every card as plain values, training patients first, each in natural order.

    decisions: the long table; columns: models and blends on a card, the submitted one first, by
    which errors count; models: those without the blends. Patients without a prediction, as most
    are with the folds of a single split, have no card. A probability is the out-of-fold one of the
    first repeat in which a patient is held out, for a test patient the mean over the folds.
    `disagreement` is the standard deviation of the probabilities of the models; `rankings` belong
    to `evidence`, None where a model has no scores of the patient.
    """
    calls = _calls(decisions, columns)
    predicted = set(calls.index.get_level_values("patient"))
    by_patient = [dict(iter(each.cells.groupby("patient", sort=False))) for each in evidence]
    content = []
    for row in patients.loc[patients["patient"].isin(predicted)].to_dict("records"):
        patient = str(row["patient"])
        rankings = [
            _ranking(each, patient, cells[patient]) if patient in cells else None
            for each, cells in zip(evidence, by_patient, strict=True)
        ]
        table = pd.DataFrame(calls.loc[patient]).reindex(list(columns))
        content.append(_patient(row, table, models) | {"rankings": rankings})
    return sorted(content, key=lambda card: card["part"] != "train")


def _patient(row: Mapping[Any, Any], calls: pd.DataFrame, models: Sequence[str]) -> dict[str, Any]:
    """A card without its cells; calls: the rows of this patient, the submitted one first."""
    probabilities = calls["probability"].to_numpy(np.float64)
    of_models = probabilities[calls.index.isin(models)]
    label = int(row["label"])
    return {
        "id": str(row["patient"]),
        "part": str(row["part"]),
        "label": label,
        "age": _rounded(row["age_years"], 0),
        "count": _rounded(row["lymphocytes_giga_per_litre"], 2),
        "n_cells": int(row["n_cells"]),
        "probability": _rounded(probabilities[0]),
        "call": int(calls["decision"].to_numpy()[0]),
        "error": None if label < 0 else _rounded(abs(label - probabilities[0])),
        "disagreement": _rounded(of_models.std()),
        "models": [
            [_rounded(probability), _rounded(threshold), int(decision)]
            for probability, threshold, decision in calls.to_numpy(np.float64)
        ],
    }


def _calls(decisions: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Probability, threshold and decision by patient and model; see `card_data`.

    A test patient's decision compares the means over the folds, as the submission does.
    """
    rows = decisions.loc[decisions["model"].isin(models)].sort_values("repeat", kind="stable")
    keys, columns = ["patient", "model"], ["probability", "threshold", "decision"]
    validation = rows.loc[rows["part"] == "validation"].drop_duplicates(keys)
    first = validation.set_index(keys)[columns]
    means = rows.loc[rows["part"] == "test"].groupby(keys)[columns].mean()
    margin = (means["probability"] - means["threshold"]).round(12)
    return pd.concat([first, means.assign(decision=(margin >= 0).astype(int))])


def _ranking(evidence: Evidence, patient: str, rows: pd.DataFrame) -> dict[str, Any]:
    """The values of a patient's cells; a test patient's are means over the folds."""
    n_cells = int(rows["place"].max()) + 1
    if evidence.ranking == "cell score":
        values = rows.groupby("place")["score"].mean().to_numpy(np.float64)
        content: dict[str, Any] = {"values": [_significant(value) for value in values]}
    else:
        members = (
            rows[evidence.members].to_numpy(np.float64).reshape(-1, n_cells, len(evidence.members))
        )
        each = np.concatenate(list(members.transpose(0, 2, 1)))  # (folds x members, n_cells)
        content = {
            "values": [_significant(value) for value in each.mean(axis=0)],
            "agreeing": [_rounded(share, 2) for share in share_in_top(each)],
            "correlation": _rounded(mean_correlation(each), 2),
        }
    return content | _faithful(evidence, patient)


def _faithful(evidence: Evidence, patient: str) -> dict[str, Any]:
    if patient not in evidence.faithful.index:
        return {}
    row = evidence.faithful.loc[patient]
    return {str(name): _rounded(value) for name, value in row.items() if name != "n_cells"}


def share_in_top(attention: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the members (members, n_cells) that place a cell in their top tenth: (n_cells,)."""
    n_top = int(np.ceil(_TOP * attention.shape[1]))
    ranks = np.stack([rankdata(-row, method="min") for row in attention])
    return np.asarray((ranks <= n_top).mean(axis=0), dtype=np.float64)


def mean_correlation(attention: NDArray[np.float64]) -> float:
    """Mean rank correlation of all pairs of members (members, n_cells); NaN where undefined.

    Undefined for a single member or cell, and where a member attends to all cells alike.
    """
    ranks = np.stack([rankdata(row) for row in attention])
    if len(ranks) < 2 or ranks.shape[1] < 2 or (ranks.std(axis=1) == 0).any():
        return float("nan")
    pairs = np.corrcoef(ranks)[np.triu_indices(len(ranks), k=1)]
    return float(pairs.mean())


def shown_cells(card: Mapping[str, Any], most: int) -> list[int]:
    """The places of the cells that a card shows, at most `most`, in order.

    All where they fit; else those that any model places first or last, in turns, then the others.
    """
    n_cells = int(card["n_cells"])
    if n_cells <= most:
        return list(range(n_cells))
    return sorted(list(dict.fromkeys(_in_turns(card["rankings"], n_cells)))[:most])


def _in_turns(rankings: Sequence[Mapping[str, Any] | None], n_cells: int) -> Iterator[int]:
    """Cells as every ranking in turn names its first and its last, with repetitions."""
    orders = [
        np.argsort(-np.array(each["values"], dtype=np.float64)).tolist()
        for each in rankings
        if each
    ]
    for step in range(n_cells):
        for order in orders:
            yield order[step]
            yield order[-1 - step]
    yield from range(n_cells)


def most_cells(n_patients: int) -> int:
    """Cells to show of each patient, so that the page stays of a size that opens quickly."""
    fitting = _SHEET_BYTES // (_CELL_BYTES * max(n_patients, 1))
    return int(np.clip(fitting, _FEWEST_CELLS, MOST_CELLS))


def _rounded(value: Any, decimals: int = 3) -> float | None:
    return None if pd.isna(value) else round(float(value), decimals)


def _significant(value: float) -> float | None:
    return float(f"{value:.3g}") if np.isfinite(value) else None

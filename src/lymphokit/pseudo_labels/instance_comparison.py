"""The naive instance-level network in the report's forms, on its one split of the patients.

Several networks (ResNet18, SENet, pretrained or not), each with the mean and the maximum of a
patient's cells, alone and with age and count in XGBoost.
Source: report, appendix, "Naive Instance-Level deep MIL", which gives no figures.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Column, Table

from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.evaluation import metrics, threshold
from lymphokit.evaluation.out_of_fold import cross_predict, decision_table
from lymphokit.evaluation.threshold import Rule
from lymphokit.evaluation.uncertainty import score_table
from lymphokit.figures.terminal_tables import number_columns, with_interval
from lymphokit.models.registry import create

AGGREGATIONS = ("mean", "max")
_SCORES = ["balanced_accuracy", "low", "high", "naive", "f1", "recall", "precision", "auc"]


def compare_instance_networks(
    probabilities: Mapping[str, NDArray[np.floating]],
    patients: pd.DataFrame,
    split: pd.DataFrame,
    boosting: Mapping[str, Any],
    *,
    rule: Rule,
    uncertainty: Mapping[str, Any],
    seed: int,
) -> pd.DataFrame:
    """Score every network, aggregation, and use of clinical data on the split.

    probabilities: P(1) of each cell (n_cells, 1) by the name of the network, as of
    `instance_probabilities`; patients: patients.csv; split: rows of folds.csv of one fold;
    boosting: the block of a `bag_average_xgboost`; rule: that of the threshold, which is chosen on
    inner predictions; uncertainty: level and resamples of the intervals.
    Rows `network, aggregation, clinical, balanced_accuracy, low, high, naive, f1, recall,
    precision, auc, n_patients`. naive is optimistic: its threshold is chosen on the scored
    patients.
    """
    keys: dict[str, tuple[str, str, bool]] = {}
    decisions, naive = [], {}
    for network, bank in probabilities.items():
        for aggregation in AGGREGATIONS:
            for block in _blocks(boosting, aggregation):
                with_clinical = block["kind"] == "bag_average_xgboost"
                name = f"{network} {aggregation} {with_clinical}"
                keys[name] = (network, aggregation, with_clinical)
                predictions = _predict(block, bank, patients, split, seed)
                table = decision_table(predictions, model=name, fold=1, repeat=1, rule=rule)
                decisions.append(table)
                naive[name] = _naive_score(table)
    scores = score_table(
        pd.concat(decisions, ignore_index=True), list(keys), seed=seed, **uncertainty
    ).assign(naive=list(naive.values()))
    names = pd.DataFrame(list(keys.values()), columns=["network", "aggregation", "clinical"])
    return pd.concat([names, scores[[*_SCORES, "n_patients"]]], axis=1)


def instance_terminal_table(table: pd.DataFrame) -> Table:
    """A line for each row of `compare_instance_networks`."""
    shown = Table(
        Column("network", no_wrap=True),
        Column("cells"),
        Column("with clinical data"),
        *number_columns("balanced accuracy", "naive", "F1", "recall", "precision", "AUC"),
        title=f"Naive instance networks on the split, n = {table['n_patients'].max()} patients",
        caption="Every cell is labelled as its patient (report, appendix, without figures). "
        "naive: threshold chosen on the scored patients.",
    )
    for row in table.to_dict("records"):
        shown.add_row(
            str(row["network"]),
            str(row["aggregation"]),
            "XGBoost" if row["clinical"] else "no",
            with_interval(row["balanced_accuracy"], row["low"], row["high"]),
            *(f"{row[score]:.2f}" for score in _SCORES[3:]),
        )
    return shown


def _blocks(boosting: Mapping[str, Any], aggregation: str) -> list[dict[str, Any]]:
    """The blocks of the models that read the network's probabilities: alone, with XGBoost."""
    kept = {key: boosting[key] for key in ("enabled", "features")}
    return [
        {**kept, "kind": "bag_average", "aggregation": aggregation},
        {**boosting, "aggregation": aggregation},
    ]


def _predict(
    block: Mapping[str, Any],
    bank: NDArray[np.floating],
    patients: pd.DataFrame,
    split: pd.DataFrame,
    seed: int,
) -> pd.DataFrame:
    return cross_predict(
        lambda fit_seed: create(block, seed=fit_seed),
        bags_of(patients, bank),
        labels_of(patients),
        clinical_of(patients),
        split,
        np.empty(0, np.int64),
        seed,
    )


def _naive_score(decisions: pd.DataFrame) -> float:
    """Balanced accuracy at the threshold that is best on the scored patients."""
    labels = decisions["label"].to_numpy(np.int64)
    probabilities = decisions["probability"].to_numpy(np.float64)
    best = threshold.choose("balanced_accuracy", labels, probabilities)
    decided = threshold.decide(probabilities, best)
    return metrics.score("balanced_accuracy", labels, decided, probabilities)

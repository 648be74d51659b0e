"""Boosted trees as the report sets them, for tables of a few columns and a hundred patients."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from xgboost import XGBClassifier


def boosted_trees(
    table: NDArray[np.floating],
    labels: NDArray[np.int64],
    *,
    trees: int,
    learning_rate: float,
    max_depth: int,
    scale_pos_weight: float | Literal["balanced"],
    seed: int,
) -> XGBClassifier:
    """Trees fitted on a table (n_patients, n_columns).

    scale_pos_weight: the weight of a positive patient; `balanced` is the share of positives, the
    report's 98 / 142. One thread, so that the trees are the same wherever they grow.
    Source: report 5.1.2.
    """
    model = XGBClassifier(
        n_estimators=trees,
        learning_rate=learning_rate,
        max_depth=max_depth,
        scale_pos_weight=positive_weight(scale_pos_weight, labels),
        random_state=seed,
        n_jobs=1,
    )
    return model.fit(table, labels)


def positive_weight(
    scale_pos_weight: float | Literal["balanced"], labels: NDArray[np.int64]
) -> float:
    """The weight of a positive patient: as set or, if balanced, the share of positives."""
    return float(labels.mean()) if scale_pos_weight == "balanced" else scale_pos_weight


def probabilities(model: ClassifierMixin, table: NDArray[np.floating]) -> NDArray[np.float64]:
    """The probability of label 1 for each row: (n_patients,)."""
    return np.asarray(model.predict_proba(table)[:, 1], dtype=np.float64)

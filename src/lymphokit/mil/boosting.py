"""XGBoost as the report sets it, for tables of a few columns and a hundred patients."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
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
    weight = float(labels.mean()) if scale_pos_weight == "balanced" else scale_pos_weight
    model = XGBClassifier(
        n_estimators=trees,
        learning_rate=learning_rate,
        max_depth=max_depth,
        scale_pos_weight=weight,
        random_state=seed,
        n_jobs=1,
    )
    return model.fit(table, labels)


def probabilities(model: XGBClassifier, table: NDArray[np.floating]) -> NDArray[np.float64]:
    """The probability of label 1 for each row: (n_patients,)."""
    return np.asarray(model.predict_proba(table)[:, 1], dtype=np.float64)

"""LightGBM for tables of a few columns and a hundred patients."""

from typing import Literal

import numpy as np
from lightgbm import LGBMClassifier
from numpy.typing import NDArray

from lymphokit.models.boosting import positive_weight


def leafwise_trees(
    table: NDArray[np.floating],
    labels: NDArray[np.int64],
    *,
    trees: int,
    learning_rate: float,
    leaves: int,
    least_patients: int,
    scale_pos_weight: float | Literal["balanced"],
    seed: int,
) -> LGBMClassifier:
    """LightGBM's trees fitted on a table (n_patients, n_columns).

    leaves: most leaves of a tree; least_patients: fewest in a leaf; scale_pos_weight as for
    `boosted_trees`. One thread and the exact order of sums, for the same trees everywhere.
    Source: report 4.4.3, which gives no settings: these are LightGBM's own.
    """
    model = LGBMClassifier(
        n_estimators=trees,
        learning_rate=learning_rate,
        num_leaves=leaves,
        min_child_samples=least_patients,
        scale_pos_weight=positive_weight(scale_pos_weight, labels),
        random_state=seed,
        n_jobs=1,
        deterministic=True,
        force_col_wise=True,
        verbose=-1,
    )
    return model.fit(table, labels)

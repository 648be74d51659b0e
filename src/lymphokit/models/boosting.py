"""Boosted trees on tables of a few columns and a hundred patients: XGBoost and LightGBM."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lymphokit.bags.contract import ModelSettings
from lymphokit.settings import BoostingRate, Count, Digits, Positive, Several

if TYPE_CHECKING:
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier


class XgboostSettings(ModelSettings):
    """Settings of XGBoost. Report 5.1.2 gives all except `max_depth`."""

    trees: Count
    learning_rate: BoostingRate
    max_depth: Annotated[int, Field(strict=True, ge=1, le=32), Digits]
    scale_pos_weight: Positive | Literal["balanced"]
    """Weight of a positive patient; `balanced` is the share of positives, the report's 98/142.

    It is the report's, and not XGBoost's usual n_negatives / n_positives.
    """


class LightgbmSettings(ModelSettings):
    """Settings of LightGBM. Report 4.4.3 gives none."""

    trees: Count
    learning_rate: BoostingRate
    leaves: Several
    """Leaves of a tree at most."""
    least_patients: Count
    """Patients in a leaf at least."""
    scale_pos_weight: Positive | Literal["balanced"]


def fit_xgboost(
    table: NDArray[np.floating], labels: NDArray[np.int64], settings: XgboostSettings, seed: int
) -> "XGBClassifier":
    """XGBoost fitted on a table (n_patients, n_columns).

    On one thread, so that sums have one order and the trees are the same on every machine.

    Source: report 5.1.2.
    """
    from xgboost import XGBClassifier

    model = XGBClassifier(
        n_estimators=settings.trees,
        learning_rate=settings.learning_rate,
        max_depth=settings.max_depth,
        scale_pos_weight=_positive_weight(settings.scale_pos_weight, labels),
        random_state=seed,
        n_jobs=1,
    )
    return model.fit(table, labels)


def fit_lightgbm(
    table: NDArray[np.floating], labels: NDArray[np.int64], settings: LightgbmSettings, seed: int
) -> "LGBMClassifier":
    """LightGBM fitted on a table (n_patients, n_columns).

    On one thread and with sums in one order, so that the trees are the same on every machine.

    Source: report 4.4.3, which compares it with XGBoost.
    """
    from lightgbm import LGBMClassifier

    model = LGBMClassifier(
        n_estimators=settings.trees,
        learning_rate=settings.learning_rate,
        num_leaves=settings.leaves,
        min_child_samples=settings.least_patients,
        scale_pos_weight=_positive_weight(settings.scale_pos_weight, labels),
        random_state=seed,
        n_jobs=1,
        deterministic=True,
        force_col_wise=True,
        verbose=-1,
    )
    return model.fit(table, labels)


def positive_probability(model: Any, table: NDArray[np.floating]) -> NDArray[np.float64]:
    """The probability of label 1 for each row of a table by a fitted classifier: (n_patients,)."""
    return np.asarray(model.predict_proba(table)[:, 1], dtype=np.float64)


def _positive_weight(
    scale_pos_weight: float | Literal["balanced"], labels: NDArray[np.int64]
) -> float:
    return float(labels.mean()) if scale_pos_weight == "balanced" else scale_pos_weight

"""Which models use the number of a patient's images, and what their scores owe to it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lymphokit.evaluation.uncertainty import Outcomes, difference, patient_draws
from lymphokit.models.registry import kind_of

Models = Mapping[str, Mapping[str, Any]]


def users_of_bag_size(models: Models) -> list[str]:
    """The names of the models whose predictions use the number of a bag's cells.

    models: their blocks of config.yaml by name.
    """
    return [name for name, block in models.items() if _uses(block)]


def pairs_apart_in_bag_size(models: Models) -> list[tuple[str, str]]:
    """Pairs of a model that uses bag size and one that does not and is otherwise set the same."""
    return [
        (user, other)
        for user in users_of_bag_size(models)
        for other, block in models.items()
        if not _uses(block) and _rest(models[user]) == _rest(block)
    ]


def bag_size_scores(
    decisions: pd.DataFrame, models: Models, *, resamples: int, level: float, seed: int
) -> pd.DataFrame:
    """By how much each model that uses bag size scores above its twin that does not.

    decisions: the long table of validation decisions. Columns `model, twin, metric, difference,
    low, high`, for AUC and balanced accuracy; a model without a twin has a row with the twin and
    figures missing. Both are scored on the same drawn patients.
    """
    pairs = pairs_apart_in_bag_size(models)
    without_twin = [name for name in users_of_bag_size(models) if name not in dict(pairs)]
    return pd.DataFrame(
        [
            *_differences(decisions, pairs, resamples=resamples, level=level, seed=seed),
            *({"model": name} for name in without_twin),
        ],
        columns=["model", "twin", "metric", "difference", "low", "high"],
    )


def _differences(
    decisions: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    *,
    resamples: int,
    level: float,
    seed: int,
) -> list[dict[str, object]]:
    if not pairs:
        return []
    outcomes = Outcomes.from_decisions(decisions, list(dict.fromkeys(np.ravel(pairs).tolist())))
    draws = patient_draws(outcomes.labels, resamples=resamples, seed=seed)
    rows: list[dict[str, object]] = []
    for user, twin in pairs:
        for metric in ("auc", "balanced_accuracy"):
            more = difference(outcomes, user, twin, metric, draws, level)
            row = {"difference": more.estimate, "low": more.low, "high": more.high}
            rows.append({"model": user, "twin": twin, "metric": metric, **row})
    return rows


def _uses(block: Mapping[str, Any]) -> bool:
    return kind_of(block["kind"]).uses_bag_size(block)


def _rest(block: Mapping[str, Any]) -> dict[str, Any]:
    """The settings but for the one that decides about bag size, and for who is in the blends."""
    decides = kind_of(block["kind"]).counts_cells
    return {key: block[key] for key in block.keys() - {"enabled", decides[0] if decides else ""}}

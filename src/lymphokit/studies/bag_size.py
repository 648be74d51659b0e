"""Which models use the number of a patient's images, and how much their scores depend on it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lymphokit.evaluation.uncertainty import Outcomes, difference, patient_draws
from lymphokit.figures.terminal_tables import join_names, with_interval
from lymphokit.models.registry import kind_of

Models = Mapping[str, Mapping[str, Any]]


def users_of_bag_size(models: Models) -> list[str]:
    """The names of the models whose predictions depend on the number of a bag's cells.

    models: their blocks of config.yaml by name.
    """
    return [name for name, block in models.items() if _uses_bag_size(block)]


def twins_without_bag_size(models: Models) -> list[tuple[str, str]]:
    """Pairs of a model that uses bag size and one with the same settings that does not."""
    return [
        (user, twin)
        for user in users_of_bag_size(models)
        for twin, block in models.items()
        if not _uses_bag_size(block) and _other_settings(models[user]) == _other_settings(block)
    ]


def bag_size_scores(
    decisions: pd.DataFrame, models: Models, *, resamples: int, level: float, seed: int
) -> pd.DataFrame:
    """By how much each model that uses bag size scores above its twin that does not.

    decisions: the long table of validation decisions. Columns `model, twin, metric, difference,
    low, high`, for AUC and balanced accuracy; a model without a twin has one row, all else
    missing. Both are scored on the same drawn patients.
    """
    pairs = twins_without_bag_size(models)
    rows: list[dict[str, object]] = []
    if pairs:
        outcomes = Outcomes.from_decisions(decisions, list(dict.fromkeys(np.ravel(pairs).tolist())))
        draws = patient_draws(outcomes.labels, resamples=resamples, seed=seed)
        for user, twin in pairs:
            for metric in ("auc", "balanced_accuracy"):
                gain = difference(outcomes, user, twin, metric, draws, level)
                row = {"difference": gain.estimate, "low": gain.low, "high": gain.high}
                rows.append({"model": user, "twin": twin, "metric": metric, **row})
    without_twin = [name for name in users_of_bag_size(models) if name not in dict(pairs)]
    rows += [{"model": name} for name in without_twin]
    return pd.DataFrame(rows, columns=["model", "twin", "metric", "difference", "low", "high"])


def bag_size_sentences(sizes: pd.DataFrame, *, n_models: int) -> list[str]:
    """Which models use the number of images, and how much their scores depend on it.

    sizes: of `bag_size_scores` for so many models.
    """
    users = sizes["model"].unique().tolist()
    if not users:
        return [f"None of {n_models} models uses the number of a patient's images."]
    sentences = [
        f"The number of a patient's images is used by {join_names(users)}, and by none of the "
        f"{n_models - len(users)} other models."
    ]
    for row in sizes[sizes["metric"] != "balanced_accuracy"].to_dict("records"):
        if pd.isna(row["difference"]):
            sentences.append(f"{row['model']} has no twin without it to be compared with.")
            continue
        gain = with_interval(row["difference"], row["low"], row["high"], sign="+")
        if row["low"] > 0:
            conclusion = "so its score depends on the number of images"
        else:
            conclusion = "so it is worse with it" if row["high"] < 0 else "no difference is shown"
        sentences.append(
            f"{row['model']} against {row['twin']}, the same without it: AUC {gain}, {conclusion}."
        )
    return sentences


def _uses_bag_size(block: Mapping[str, Any]) -> bool:
    return kind_of(block["kind"]).uses_bag_size(block)


def _other_settings(block: Mapping[str, Any]) -> dict[str, Any]:
    """The settings but for the one that decides about bag size, and for `enabled`."""
    counts_cells = kind_of(block["kind"]).counts_cells
    ignored = {"enabled", counts_cells[0] if counts_cells else ""}
    return {key: block[key] for key in block.keys() - ignored}

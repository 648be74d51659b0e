"""Does a call rest on the cells that are shown for it? Sufficiency and necessity, by patient.

Sufficient are the fewest cells, first in the order of the scores, that alone give the same call as
all cells. They are necessary as far as the call is lost without them. A model that makes the same
call of any cells, as one that reads age and count above all, has both in random order as well.
"""

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.evaluation.evidence import ALL, ATTENTION, HIGHEST, LOWEST, RANDOM
from lymphokit.evaluation.intervals import Interval, percentile_interval

Ranking = Literal["cell score", "attention"]
_DRAWS = 2000
VERDICTS = ("not shown", "in part", "faithful")  # by the number of measures above random cells
_NOTHING_LEFT = dict.fromkeys(("random_keep", "left", "random_left", "lost", "random_lost"), np.nan)
Floats = NDArray[np.float64]


def patient_faithfulness(
    subsets: pd.DataFrame, calls: pd.DataFrame, ranking: Ranking
) -> pd.DataFrame:
    """Sufficiency and necessity for each patient, by `patient`.

    subsets: of one model, see `evaluation.evidence`; calls: the columns `threshold` and `decision`
    by patient. Columns: n_cells; fewest: cells that keep the call; random_fewest: as many are
    needed in random order, on average; random_keep: share of random draws of `fewest` cells that
    keep the call; probability: of the call, with all cells; left: without the fewest cells, NaN
    where none are left; random_left: without as many random cells; lost: whether the call is lost
    without them; random_lost: share of random draws in which it is.
    """
    rows = {}
    positive = dict(zip(calls.index, calls["decision"] == 1, strict=True))
    threshold = dict(zip(calls.index, calls["threshold"], strict=True))
    for place in subsets.groupby("patient", sort=False).indices.values():
        table = subsets.iloc[place]
        if ranking == "cell score" or (table["order"] == ATTENTION).any():
            patient = str(table["patient"].iloc[0])
            rows[patient] = _of_patient(table, positive[patient], threshold[patient], ranking)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("patient")


def _of_patient(
    table: pd.DataFrame, positive: bool, threshold: float, ranking: Ranking
) -> dict[str, float]:
    order = table["order"].to_numpy()
    names = list(dict.fromkeys(order[order != ALL]))
    n_cells = int(table["n_cells"].iloc[0])  # the row of all cells comes first
    alone, without = (table[name].to_numpy(np.float64) for name in ("alone", "without"))
    result = {"n_cells": n_cells, "probability": _of_call(alone[0], positive)}
    if not names:  # one cell has no part
        return result | {"fewest": n_cells, "random_fewest": n_cells} | _NOTHING_LEFT
    numbers = table["n_cells"].to_numpy()[1:].reshape(len(names), -1)[0]
    kept = (alone[1:].reshape(len(names), -1) >= threshold) == positive
    left = without[1:].reshape(len(names), -1)
    drawn = [place for place, name in enumerate(names) if name.startswith(RANDOM)]
    first = names.index(ATTENTION if ranking == "attention" else HIGHEST if positive else LOWEST)
    fewest = np.where(kept.any(axis=1), numbers[kept.argmax(axis=1)], n_cells)
    result |= {"fewest": int(fewest[first]), "random_fewest": float(fewest[drawn].mean())}
    if fewest[first] == n_cells:
        return result | _NOTHING_LEFT
    step = int(kept[first].argmax())
    return result | {
        "random_keep": float(kept[drawn, step].mean()),
        "left": _of_call(left[first, step], positive),
        "random_left": _of_call(float(left[drawn, step].mean()), positive),
        "lost": float((left[first, step] >= threshold) != positive),
        "random_lost": float(((left[drawn, step] >= threshold) != positive).mean()),
    }


def _of_call(probability: float, positive: bool) -> float:
    return float(probability if positive else 1 - probability)


def summary(patients: pd.DataFrame, *, level: float, seed: int) -> dict[str, Any]:
    """Sufficiency and necessity of one model: means over patients with bootstrap intervals.

    patients: of `patient_faithfulness`. share: fewest cells over all cells; random_share: in
    random order; shorter: the latter minus the former, paired; fall: of the probability of the
    call without the fewest cells; random_fall: without as many random ones; deeper: the former
    minus the latter; lost: share of patients whose call is lost, random_lost: without as many
    random cells; n_left: patients of whom cells are left. verdict: whether both paired
    differences lie above 0, one, or none.
    """
    share = patients["fewest"] / patients["n_cells"]
    random_share = patients["random_fewest"] / patients["n_cells"]
    fall = patients["probability"] - patients["left"]
    random_fall = patients["probability"] - patients["random_left"]
    values = {"share": share, "random_share": random_share, "shorter": random_share - share}
    values |= {"fall": fall, "random_fall": random_fall, "deeper": fall - random_fall}
    values |= {"lost": patients["lost"], "random_lost": patients["random_lost"]}
    result: dict[str, Any] = {"n_patients": len(patients), "n_left": int(fall.notna().sum())}
    draws = np.random.default_rng(seed).integers(0, len(patients), size=(_DRAWS, len(patients)))
    for name, column in values.items():
        resampled = _means(column.to_numpy(np.float64)[draws])
        low, high = percentile_interval(resampled, level)
        mean = float(_means(column.to_numpy(np.float64)[None])[0])
        result |= Interval(mean, low, high).columns(name)
    shown = [result["shorter_low"] > 0, result["deeper_low"] > 0]
    result["verdict"] = VERDICTS[sum(shown)]
    return result


def _means(rows: Floats) -> Floats:
    """The mean of the numbers in each row that are there: NaN where none is."""
    present = np.isfinite(rows)
    n_present = present.sum(axis=1)
    sums = np.where(present, rows, 0.0).sum(axis=1)
    return np.where(n_present > 0, sums / np.maximum(n_present, 1), np.nan)

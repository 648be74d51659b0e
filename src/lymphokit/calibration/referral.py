"""Who is called and who is sent to flow cytometry, and what that costs and spares, out of fold.

The costs are a laboratory's, in units of one flow cytometry, which is taken to be right. They and
the inner predictions place the band of probabilities in which nobody is called; the patients that
are scored have no say in it. Every patient counts once: where folds are repeated, by the mean
over the repeats that scored them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from natsort import index_natsorted

from lymphokit.calibration.calibrators import Floats, Labels
from lymphokit.calibration.reliability import Said
from lymphokit.errors import LymphokitError
from lymphokit.evaluation import threshold
from lymphokit.evaluation.intervals import percentile_interval, wilson_interval
from lymphokit.evaluation.uncertainty import patient_draws

REACTIVE, TUMORAL, REFERRED = 0, 1, 2
ACTION_NAMES = {REACTIVE: "reactive", TUMORAL: "tumoral", REFERRED: "flow cytometry"}
FLOW_CYTOMETRY = 1.0  # the unit of all costs
WITH_BAND, NO_REFERRAL, AS_SUBMITTED = "referral band", "no referral", "as submitted"
REFER_ALL = "refer all"
POINTS_OF_CURVE = 150


class ReferralError(LymphokitError):
    """Patients or models that a band needs are not there."""


@dataclass(frozen=True)
class Costs:
    """What it costs to miss a tumoral patient and to alarm a reactive one, in flow cytometries."""

    missed: float
    false_alarm: float

    def threshold(self) -> float:
        """The probability from which a call for tumoral is the cheaper call."""
        return self.false_alarm / (self.missed + self.false_alarm)

    def band(self, flow_cytometry: float = FLOW_CYTOMETRY) -> tuple[float, float]:
        """Chow's edges [low, high): between them flow cytometry is cheaper than either call.

        A call for reactive costs p missed on average, one for tumoral (1 - p) false_alarm, where p
        is a calibrated probability. Where the band would be empty both edges are the `cut`.
        Source: Chow 1970, On optimum recognition error and reject tradeoff.
        """
        low, high = flow_cytometry / self.missed, 1 - flow_cytometry / self.false_alarm
        return (low, high) if low < high else (self.threshold(), self.threshold())

    def incurred(self, labels: Labels, actions: Labels) -> Floats:
        """What each action (..., n) comes to, given the labels (n,)."""
        return np.select(
            [actions == REFERRED, (actions == REACTIVE) & (labels == 1)],
            [FLOW_CYTOMETRY, self.missed],
            default=np.where((actions == TUMORAL) & (labels == 0), self.false_alarm, 0.0),
        )


def wanted_band(
    labels: Labels, probabilities: Floats, *, sensitivity: float, specificity: float
) -> tuple[float, float]:
    """Edges [low, high) from inner predictions (n,), so that few are called wrongly.

    At most the share 1 - sensitivity of all tumoral patients is to lie below, and 1 - specificity
    of all reactive ones at or above: each edge is `threshold.sensitivity` of its own label. (The
    shares among those called follow; to fix them instead, the denominator would be chosen too.)
    Where one threshold can do both, nobody needs to be referred and both edges are halfway.
    """
    low = threshold.sensitivity(labels, probabilities, sensitivity)
    least = threshold.sensitivity(1 - labels, 1 - probabilities, specificity)
    high = float(np.nextafter(1 - least, 2.0))
    return (low, high) if low < high else ((low + high) / 2, (low + high) / 2)


def choose_actions(probabilities: Floats, low: Floats | float, high: Floats | float) -> Labels:
    """REACTIVE below the band, TUMORAL from its upper edge on, REFERRED between."""
    called = np.where(probabilities >= high, TUMORAL, REFERRED)
    return np.where(probabilities < low, REACTIVE, called).astype(np.int64)


def apply_band(
    calibrated: pd.DataFrame,
    *,
    band: Literal["costs", "wanted"],
    costs: Costs,
    wanted: Mapping[str, float],
) -> pd.DataFrame:
    """Validation and test rows of the calibrated table with `low, high, action`.

    band: `costs` (Chow's edges) or `wanted` (sensitivity and specificity), which is chosen in
    every fold, for every model, on the inner rows.
    """
    tables = []
    for _, rows in calibrated.groupby(["model", "fold"], sort=False):
        inner, others = rows[rows["part"] == "inner"], rows[rows["part"] != "inner"]
        low, high = costs.band()
        if band == "wanted":
            labels, said = inner["label"].to_numpy(np.int64), inner["calibrated"].to_numpy()
            low, high = wanted_band(labels, said, **wanted)
        actions = choose_actions(others["calibrated"].to_numpy(np.float64), low, high)
        tables.append(others.assign(low=low, high=high, action=actions))
    return pd.concat(tables, ignore_index=True)


def strategies(
    referred: pd.DataFrame, decisions: pd.DataFrame, models: Sequence[str], costs: Costs
) -> dict[str, tuple[str, pd.DataFrame]]:
    """Ways to work, by name: the model of each, and validation rows with an `action`.

    referred: as `refer` gives it; decisions: the long table of decisions; models: the submitted
    one, then others to set beside it. The first strategy is the submitted model with its band.
    Without a band patients are called where that is cheaper, at `Costs.cut`.
    """
    found: dict[str, tuple[str, pd.DataFrame]] = {}
    scored = referred[referred["part"] == "validation"]
    for place, model in enumerate(models):
        rows = scored[scored["model"] == model]
        if rows.empty:
            raise ReferralError(f"{model} has no calibrated predictions")
        found[f"{model}, {WITH_BAND}"] = (model, rows)
        called = (rows["calibrated"] >= costs.threshold()).astype(np.int64)
        found[f"{model}, {NO_REFERRAL}"] = (model, rows.assign(action=called))
        if place == 0:
            own = decisions[(decisions["model"] == model) & (decisions["part"] == "validation")]
            found[f"{model}, {AS_SUBMITTED}"] = (model, own.assign(action=own["decision"]))
    first = scored[scored["model"] == models[0]]
    found[REFER_ALL] = (models[0], first.assign(action=REFERRED))
    return found


def referral_table(
    ways: Mapping[str, tuple[str, pd.DataFrame]],
    costs: Costs,
    *,
    resamples: int,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """What each way to work comes to, out of fold; the first is what the others are compared to.

    Columns `strategy, model, n_patients, n_tumoral`; `referred`, and among the called `accuracy,
    sensitivity, specificity`, each with `_low, _high` (Wilson); `called_tumoral,
    called_reactive`, how many patients of each label got a call; `missed, false_alarms` (patients);
    `missed_high`, the upper end of Wilson's interval for the share of all tumoral patients;
    `cost` in flow cytometries a patient and `dearer` by how much it is above the first, on the
    same resampled patients, each with `_low, _high`. A resample never holds a kind of error that
    was not seen once: where nobody was missed, `missed_high` says what the cost leaves out.
    """
    rows: list[dict[str, Any]] = []
    first: Floats | None = None
    for name, (model, table) in ways.items():
        labels, cost, taken = _taken(table, model, costs)
        draws = patient_draws(labels, resamples=resamples, seed=seed)
        first = cost if first is None else first
        row: dict[str, Any] = {"strategy": name, "model": model, **_shares(labels, taken, level)}
        for key, values in {"cost": cost, "dearer": cost - first}.items():
            low, high = percentile_interval(draws @ values / len(labels), level)
            row |= {key: values.mean(), f"{key}_low": low, f"{key}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def risk_coverage(
    calibrated: pd.DataFrame,
    models: Sequence[str],
    costs: Costs,
    *,
    resamples: int,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """What is gained as more are referred: Chow's band, widened as flow cytometry gets cheaper.

    A row is a model and a price that decides the band: `model, price, referred`, then `accuracy`
    (among the called; Wilson) and `cost` (flow cytometries a patient, each at its true price of
    1; resampled patients) with `_low` and `_high`. At price 1 the band is that of the costs;
    nothing is chosen here.
    """
    rows: list[dict[str, Any]] = []
    for model in models:
        said = Said.of(calibrated, model, "calibrated")
        draws = patient_draws(said.labels, resamples=resamples, seed=seed)
        for price in _prices(said.values[np.isfinite(said.values)], costs):
            point = _point(said, price, costs, draws, level)
            rows += [{"model": model, "price": price, **point}] if point else []
    return pd.DataFrame(rows)


def advise_test_patients(referred: pd.DataFrame, model: str) -> pd.DataFrame:
    """What is advised for each test patient: `patient, probability, low, high, advice`.

    The mean over folds of the calibrated probability and of the edges, natural order of patients.
    Raises ReferralError where there is no test patient.
    """
    rows = referred[(referred["part"] == "test") & (referred["model"] == model)]
    if rows.empty:
        raise ReferralError(f"no test patient was predicted by {model}")
    mean = rows.groupby("patient")[["calibrated", "low", "high"]].mean().reset_index()
    mean = mean.iloc[index_natsorted(mean["patient"])].reset_index(drop=True)
    actions = choose_actions(
        *(mean[column].to_numpy(np.float64) for column in ("calibrated", "low", "high"))
    )
    table = mean.rename(columns={"calibrated": "probability"})
    return table.assign(advice=[ACTION_NAMES[action] for action in actions.tolist()])


def _taken(
    table: pd.DataFrame, model: str, costs: Costs
) -> tuple[Labels, Floats, dict[int, Floats]]:
    """Labels, mean cost, and how often each action was taken, of each patient."""
    said = Said.of(table, model, "action")
    seen = np.isfinite(said.values)
    actions = np.where(seen, said.values, REFERRED).astype(np.int64)
    cost = _mean_over(seen, costs.incurred(said.labels, actions))
    return (
        said.labels,
        cost,
        {action: _mean_over(seen, actions == action) for action in ACTION_NAMES},
    )


def _shares(labels: Labels, taken: Mapping[int, Floats], level: float) -> dict[str, float]:
    """Who is referred, and sensitivity and specificity among the others."""
    tumoral = labels == 1
    missed, found = taken[REACTIVE][tumoral].sum(), taken[TUMORAL][tumoral].sum()
    alarmed, cleared = taken[TUMORAL][~tumoral].sum(), taken[REACTIVE][~tumoral].sum()
    n_called = len(labels) - float(taken[REFERRED].sum())
    row: dict[str, float] = {"n_patients": len(labels), "n_tumoral": int(tumoral.sum())}
    for name, share in (
        ("referred", wilson_interval(len(labels) - n_called, len(labels), level)),
        ("accuracy", wilson_interval(float(found + cleared), n_called, level)),
        ("sensitivity", wilson_interval(float(found), float(found + missed), level)),
        ("specificity", wilson_interval(float(cleared), float(cleared + alarmed), level)),
    ):
        row |= {name: share.estimate, f"{name}_low": share.low, f"{name}_high": share.high}
    unseen = wilson_interval(float(missed), int(tumoral.sum()), level).high
    return row | {
        "called_tumoral": float(found + missed),
        "called_reactive": float(cleared + alarmed),
        "missed": float(missed),
        "missed_high": unseen,
        "false_alarms": float(alarmed),
    }


def _prices(probabilities: Floats, costs: Costs) -> Floats:
    """Prices of flow cytometry at which somebody changes sides, and 1, in rising order."""
    risks = np.minimum(probabilities * costs.missed, (1 - probabilities) * costs.false_alarm)
    steps = np.quantile(risks, np.linspace(0, 1, POINTS_OF_CURVE), method="nearest")
    too_dear = 2 * costs.missed * costs.false_alarm / (costs.missed + costs.false_alarm)
    return np.unique([*np.nextafter(steps, np.inf), FLOW_CYTOMETRY, too_dear])


def _point(said: Said, price: float, costs: Costs, draws: Floats, level: float) -> dict[str, float]:
    """One point of the curve; empty where nobody is called."""
    seen = np.isfinite(said.values)
    actions = choose_actions(said.values, *costs.band(price))
    called = _mean_over(seen, actions != REFERRED)
    if not called.any():
        return {}
    right = _mean_over(seen, actions == said.labels)
    accuracy = wilson_interval(float(right.sum()), float(called.sum()), level)
    cost = _mean_over(seen, costs.incurred(said.labels, actions))
    low, high = percentile_interval(draws @ cost / len(cost), level)
    return {
        "referred": 1 - float(called.mean()),
        "accuracy": accuracy.estimate,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "cost": float(cost.mean()),
        "cost_low": low,
        "cost_high": high,
    }


def _mean_over(seen: "np.ndarray[Any, np.dtype[np.bool_]]", values: Any) -> Floats:
    """Each patient's mean over the repeats that scored them: (n_repeats, n) -> (n,)."""
    return np.asarray(np.where(seen, values, 0.0).sum(axis=0) / seen.sum(axis=0))

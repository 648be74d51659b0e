"""Selective prediction: patients in a referral band get flow cytometry instead of a call.

Costs are in units of one flow cytometry, whose result is taken as correct. The band lies on
calibrated probabilities; it is placed by the costs and the inner predictions alone, never by the
patients scored. Where folds are repeated, each patient counts once, with the mean over repeats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from natsort import natsorted

from lymphokit.calibration.reliability import PatientValues
from lymphokit.errors import LymphokitError
from lymphokit.evaluation import out_of_fold, threshold
from lymphokit.evaluation.intervals import Interval, percentile_interval, wilson_interval
from lymphokit.evaluation.metrics import Floats, Labels
from lymphokit.evaluation.uncertainty import patient_draws

REACTIVE, TUMORAL, REFERRED = 0, 1, 2
ACTION_NAMES = {REACTIVE: "reactive", TUMORAL: "tumoral", REFERRED: "flow cytometry"}
FLOW_CYTOMETRY = 1.0  # the unit of all costs
WITH_BAND = "referral band"
POINTS_OF_CURVE = 150
CURVE_COLUMNS = [
    "referred",
    *(f"{c}{end}" for c in ("accuracy", "cost") for end in ("", "_low", "_high")),
]


class ReferralError(LymphokitError):
    """Patients or models that a referral band needs are missing."""


@dataclass(frozen=True)
class Costs:
    """Costs of a missed tumoral patient and of a false alarm, in flow cytometries."""

    missed: float
    false_alarm: float

    def threshold(self) -> float:
        """The probability from which calling a patient tumoral costs less on average."""
        return self.false_alarm / (self.missed + self.false_alarm)

    def band(self, price: float = FLOW_CYTOMETRY) -> tuple[float, float]:
        """Chow's edges [low, high): between them flow cytometry costs less than either call.

        A reactive call costs p missed on average, a tumoral one (1 - p) false_alarm, where p is a
        calibrated probability; flow cytometry costs `price`. Where the band would be empty both
        edges are the `threshold`.
        Source: Chow 1970, On optimum recognition error and reject tradeoff.
        """
        low, high = price / self.missed, 1 - price / self.false_alarm
        return (low, high) if low < high else (self.threshold(), self.threshold())

    def incurred(self, labels: Labels, actions: Labels) -> Floats:
        """The cost of each action (..., n), given the labels (n,)."""
        return np.select(
            [actions == REFERRED, (actions == REACTIVE) & (labels == 1)],
            [FLOW_CYTOMETRY, self.missed],
            default=np.where((actions == TUMORAL) & (labels == 0), self.false_alarm, 0.0),
        )


def wanted_band(
    labels: Labels, probabilities: Floats, *, sensitivity: float, specificity: float
) -> tuple[float, float]:
    """Edges [low, high) that guarantee sensitivity and specificity, from inner predictions (n,).

    At most the share 1 - sensitivity of all tumoral patients lies below the band, and at most
    1 - specificity of all reactive ones above: each edge is `threshold.sensitivity` for one label.
    (The shares among the called patients follow; they cannot be fixed, because the band decides
    who is called.) Where one threshold does both, nobody is referred and both edges are halfway.
    """
    low = threshold.sensitivity(labels, probabilities, sensitivity)
    least = threshold.sensitivity(1 - labels, 1 - probabilities, specificity)
    high = float(np.nextafter(1 - least, 2.0))  # a patient at the edge is called tumoral
    return (low, high) if low < high else ((low + high) / 2, (low + high) / 2)


def choose_actions(probabilities: Floats, low: Floats | float, high: Floats | float) -> Labels:
    """REACTIVE below the band, TUMORAL from its upper edge on, REFERRED between.

    probabilities (n,) -> (n,); low and high: edges for all, or one (n,) for each patient.
    """
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

    band: `costs` (Chow's edges), or `wanted` (sensitivity and specificity), whose edges are chosen
    on the inner rows of each fold and model.
    """
    tables = []
    for _, rows in calibrated.groupby(["model", "fold"], sort=False):
        low, high = costs.band()
        if band == "wanted":
            labels, probabilities = out_of_fold.inner_rows(rows, "calibrated")
            low, high = wanted_band(labels, probabilities, **wanted)
        scored = rows[rows["part"] != "inner"]
        actions = choose_actions(scored["calibrated"].to_numpy(np.float64), low, high)
        tables.append(scored.assign(low=low, high=high, action=actions))
    return pd.concat(tables, ignore_index=True)


def strategies(
    referred: pd.DataFrame, decisions: pd.DataFrame, models: Sequence[str], costs: Costs
) -> dict[str, tuple[str, pd.DataFrame]]:
    """Strategies to compare: by name, the model and its validation rows with an `action`.

    referred: from `apply_band`; decisions: the long table of decisions; models: the submitted
    one first. The first strategy is the submitted model with its band. Without a band, patients
    are called at `Costs.threshold`.
    Raises ReferralError for a model without calibrated predictions.
    """
    found: dict[str, tuple[str, pd.DataFrame]] = {}
    scored = referred[referred["part"] == "validation"]
    for model in models:
        rows = scored[scored["model"] == model]
        if rows.empty:
            raise ReferralError(f"{model} has no calibrated predictions")
        found[f"{model}, {WITH_BAND}"] = (model, rows)
        called = (rows["calibrated"] >= costs.threshold()).astype(np.int64)
        found[f"{model}, no referral"] = (model, rows.assign(action=called))
        if model == models[0]:
            rows = decisions[(decisions["model"] == model) & (decisions["part"] == "validation")]
            found[f"{model}, as submitted"] = (model, rows.assign(action=rows["decision"]))
    first, rows = next(iter(found.values()))
    found["refer all"] = (first, rows.assign(action=REFERRED))
    return found


def referral_table(
    compared: Mapping[str, tuple[str, pd.DataFrame]],
    costs: Costs,
    *,
    resamples: int,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """Out-of-fold results of each strategy; the first is the one the others are compared with.

    Columns `strategy, model, n_patients, n_tumoral`; `referred`, and among the called patients
    `accuracy, sensitivity, specificity`, each with `_low, _high` (Wilson); `called_tumoral,
    called_reactive`, numbers of patients of each label who are called; `missed, false_alarms`
    (patients); `missed_high`, the upper end of Wilson's interval for the share of all tumoral
    patients; `cost` in flow cytometries per patient and `dearer`, its difference from the first
    strategy on the same resampled patients, each with `_low, _high`. Resamples never contain a
    kind of error that did not occur: where nobody was missed, `missed_high` bounds what the cost
    leaves out.
    """
    rows: list[dict[str, Any]] = []
    first: Floats | None = None
    for name, (model, table) in compared.items():
        values = PatientValues.from_table(table, model, "action")
        draws = patient_draws(values.labels, resamples=resamples, seed=seed)
        cost, row = _results(values, values.values, costs, draws, level)
        first = cost if first is None else first
        extra = _mean_cost(cost - first, draws, level).columns("dearer")
        rows.append({"strategy": name, "model": model, **row, **extra})
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
    """The risk-coverage curve: Chow's bands, which widen as flow cytometry gets cheaper.

    A row per model and price that places the band: `model, price, referred`, then `accuracy`
    (among the called; Wilson) and `cost` (flow cytometries per patient, each charged its true
    price of 1; resampled patients) with `_low` and `_high`. At price 1 the band is the one in
    use. Nothing is chosen here.
    """
    rows: list[dict[str, Any]] = []
    for model in models:
        values = PatientValues.from_table(calibrated, model, "calibrated")
        draws = patient_draws(values.labels, resamples=resamples, seed=seed)
        for price in _prices(values.values[values.scored], costs):
            actions = choose_actions(values.values, *costs.band(price))
            _, row = _results(values, actions, costs, draws, level)
            if row["referred"] < 1:  # without a call there is no accuracy
                point = {column: row[column] for column in CURVE_COLUMNS}
                rows.append({"model": model, "price": price, **point})
    return pd.DataFrame(rows)


def advise_test_patients(referred: pd.DataFrame, model: str) -> pd.DataFrame:
    """The advice for each test patient: `patient, probability, low, high, advice`.

    The calibrated probability and the edges are means over folds. Patients in natural order.
    Raises ReferralError without a test patient.
    """
    rows = referred[(referred["part"] == "test") & (referred["model"] == model)]
    if rows.empty:
        raise ReferralError(f"no test patient was predicted by {model}")
    columns = ["calibrated", "low", "high"]
    mean = rows.groupby("patient")[columns].mean()
    mean = mean.loc[natsorted(mean.index)].reset_index()
    actions = choose_actions(*mean[columns].to_numpy(np.float64).T)
    table = mean.rename(columns={"calibrated": "probability"})
    return table.assign(advice=[ACTION_NAMES[action] for action in actions.tolist()])


def _results(
    values: PatientValues, actions: Floats | Labels, costs: Costs, draws: Floats, level: float
) -> tuple[Floats, dict[str, float]]:
    """Mean cost of each patient (n,), and the columns of the referral table that follow.

    values: which patients are scored in which repeat; actions (n_repeats, n).
    """
    # Entries that are not scored hold NaN, which no integer can: any action will do, means skip it.
    actions = np.where(values.scored, actions, REFERRED).astype(np.int64)
    cost = values.mean(costs.incurred(values.labels, actions))
    taken = {action: values.mean(actions == action) for action in ACTION_NAMES}
    tumoral, n = values.labels == 1, len(values.labels)
    missed, found = (float(taken[action][tumoral].sum()) for action in (REACTIVE, TUMORAL))
    cleared, alarmed = (float(taken[action][~tumoral].sum()) for action in (REACTIVE, TUMORAL))
    n_called = n - float(taken[REFERRED].sum())
    return cost, {
        "n_patients": n,
        "n_tumoral": int(tumoral.sum()),
        **wilson_interval(n - n_called, n, level).columns("referred"),
        **wilson_interval(found + cleared, n_called, level).columns("accuracy"),
        **wilson_interval(found, found + missed, level).columns("sensitivity"),
        **wilson_interval(cleared, cleared + alarmed, level).columns("specificity"),
        "called_tumoral": found + missed,
        "called_reactive": cleared + alarmed,
        "missed": missed,
        "missed_high": wilson_interval(missed, int(tumoral.sum()), level).high,
        "false_alarms": alarmed,
        **_mean_cost(cost, draws, level).columns("cost"),
    }


def _mean_cost(cost: Floats, draws: Floats, level: float) -> Interval:
    """Mean over the patients, with the percentile interval of the resamples."""
    ends = percentile_interval(draws @ cost / len(cost), level)
    return Interval(float(cost.mean()), *ends)


def _prices(probabilities: Floats, costs: Costs) -> Floats:
    """Ascending prices of flow cytometry at which a patient enters or leaves the band, and 1."""
    risks = np.minimum(probabilities * costs.missed, (1 - probabilities) * costs.false_alarm)
    entries = np.quantile(risks, np.linspace(0, 1, POINTS_OF_CURVE), method="nearest")
    # From this price on the band is empty.
    empty = 2 * costs.missed * costs.false_alarm / (costs.missed + costs.false_alarm)
    return np.unique([*np.nextafter(entries, np.inf), FLOW_CYTOMETRY, empty])

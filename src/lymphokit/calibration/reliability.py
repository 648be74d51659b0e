"""Whether predicted probabilities can be taken at their word, out of fold, before and after.

Every fold's calibrator is fitted on the fold's inner predictions alone; here it meets patients
that neither it nor the model has seen. Where folds are repeated, a measure is computed in each
repeat and averaged; intervals are percentiles over resampled patients, of these models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from natsort import natsorted

from lymphokit.calibration.calibrators import Floats, Labels, Method, fit_calibrator
from lymphokit.calibration.measures import Measure, ece_of_perfect, in_bins, measures
from lymphokit.evaluation import out_of_fold
from lymphokit.evaluation.intervals import percentile_interval, wilson_interval
from lymphokit.evaluation.uncertainty import patient_draws

STAGES = {"before": "probability", "after": "calibrated"}  # columns of the calibrated table


def calibrate(
    predictions: pd.DataFrame, *, model: str, fold: int, repeat: int, method: Method
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """One model's predictions in one fold with a calibrated column, and what was learned.

    The calibrator is fitted on the inner rows. Validation and test rows then have a probability
    from one that was not fitted on them; inner rows only show where the calibrator moves them.
    Rows `fold, repeat, patient, part, label, model, probability, calibrated`.
    """
    inner = out_of_fold.validate(predictions).query("part == 'inner'")
    calibrator = fit_calibrator(
        method, inner["label"].to_numpy(np.int64), inner["probability"].to_numpy(np.float64)
    )
    table = predictions[["patient", "part", "label", "probability"]].reset_index(drop=True)
    table.insert(0, "fold", fold)
    table.insert(1, "repeat", repeat)
    table.insert(5, "model", model)
    table["calibrated"] = calibrator(table["probability"].to_numpy(np.float64))
    learned = {"method": method, "n_patients": len(inner), **calibrator.record()}
    return table, {"model": model, "fold": fold, **learned}


def calibrate_all(
    predictions: Mapping[str, Mapping[int, pd.DataFrame]],
    repeat_of: Mapping[int, int],
    *,
    method: Method,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Every model in every fold, each with a calibrator of its own: one table, all records.

    predictions: of each model its predictions.csv by fold.
    """
    done = [
        calibrate(table, model=model, fold=fold, repeat=repeat_of[fold], method=method)
        for model, folds in predictions.items()
        for fold, table in folds.items()
    ]
    return pd.concat([table for table, _ in done], ignore_index=True), [own for _, own in done]


@dataclass(frozen=True)
class Said:
    """What one model said, out of fold: labels (n,), values (n_repeats, n), NaN if not scored."""

    patients: tuple[str, ...]
    labels: Labels
    values: Floats

    @classmethod
    def of(cls, table: pd.DataFrame, model: str, column: str) -> Self:
        """From the validation rows of a long table; patients in natural order."""
        rows = table.loc[(table["part"] == "validation") & (table["model"] == model)]
        wide = rows.pivot(index="repeat", columns="patient", values=column)
        patients = natsorted(wide.columns)
        labels = rows.groupby("patient")["label"].first().loc[patients].to_numpy(np.int64)
        return cls(tuple(patients), labels, wide[patients].to_numpy(np.float64))

    def mean(self) -> Floats:
        """Each patient's mean over the repeats that scored them: (n,)."""
        return np.asarray(np.nanmean(self.values, axis=0))

    def resampled(self, measure: Measure, draws: Floats) -> Floats:
        """A measure of each resample, averaged over repeats: (n_resamples,)."""
        each = []
        for row in self.values:
            seen = np.isfinite(row)
            each.append(measure(self.labels[seen], row[seen], draws[:, seen]))
        return np.asarray(np.mean(each, axis=0))


def calibration_table(
    calibrated: pd.DataFrame,
    models: Sequence[str],
    *,
    n_bins: int,
    resamples: int,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """Every measure of every model before and after calibration, out of fold.

    Columns `model, measure`, then `before`, `after` and `change` (after less before, on the same
    draws) each with `_low` and `_high`, `perfect_before` and `perfect_after` (of `ece` alone: what
    a perfect model would show on as few patients), `n_patients`.
    """
    rows: list[dict[str, Any]] = []
    for model in models:
        said = {stage: Said.of(calibrated, model, column) for stage, column in STAGES.items()}
        labels = said["before"].labels
        everyone = np.ones((1, len(labels)))
        draws = patient_draws(labels, resamples=resamples, seed=seed)
        for name, measure in measures(n_bins).items():
            found = {stage: own.resampled(measure, everyone)[0] for stage, own in said.items()}
            drawn = {stage: own.resampled(measure, draws) for stage, own in said.items()}
            found["change"] = found["after"] - found["before"]
            drawn["change"] = drawn["after"] - drawn["before"]
            row = {"model": model, "measure": name, "n_patients": len(labels)}
            for key, value in found.items():
                low, high = percentile_interval(drawn[key], level)
                row |= {key: value, f"{key}_low": low, f"{key}_high": high}
            if name == "ece":
                row |= {
                    f"perfect_{stage}": ece_of_perfect(own.mean(), n_bins=n_bins, seed=seed)
                    for stage, own in said.items()
                }
            rows.append(row)
    return pd.DataFrame(rows)


def miscalibration(table: pd.DataFrame, model: str, stage: str) -> str:
    """What the intervals of slope and intercept show against a model; table as above."""
    rows = table[table["model"] == model].set_index("measure")
    low, high = rows[f"{stage}_low"], rows[f"{stage}_high"]
    faults = [
        (low["slope"] > 1, "too timid"),
        (high["slope"] < 1, "too sure"),
        (low["intercept"] > 0, "too low"),
        (high["intercept"] < 0, "too high"),
    ]
    return ", ".join(fault for there, fault in faults if there) or "no fault found"


def most_changed(table: pd.DataFrame, first: Sequence[str], n: int) -> list[str]:
    """The models named first, then those whose log loss calibration changes most: n together."""
    changes = table[table["measure"] == "log_loss"].set_index("model")["change"].abs()
    ranked = changes.sort_values(ascending=False, kind="stable").index
    return list(dict.fromkeys([*first, *ranked]))[:n]


def reliability_bins(
    calibrated: pd.DataFrame, models: Sequence[str], *, n_bins: int, level: float
) -> pd.DataFrame:
    """Said against true in bins of equally many patients, before and after calibration.

    A patient counts once, at the mean over repeats. Columns `model, stage, bin, n_patients,
    n_tumoral, probability, share, low, high`: the mean of what was said, and the tumoral share
    with its Wilson interval.
    """
    rows = []
    for model in models:
        for stage, column in STAGES.items():
            said = Said.of(calibrated, model, column)
            probabilities = said.mean()
            for number, members in enumerate(in_bins(probabilities, n_bins).T.astype(bool)):
                n, tumoral = int(members.sum()), int(said.labels[members].sum())
                share = wilson_interval(tumoral, n, level)
                rows.append(
                    {
                        "model": model,
                        "stage": stage,
                        "bin": number + 1,
                        "n_patients": n,
                        "n_tumoral": tumoral,
                        "probability": probabilities[members].mean(),
                        "share": share.estimate,
                        "low": share.low,
                        "high": share.high,
                    }
                )
    return pd.DataFrame(rows)


def sensitivity_table(
    predictions: Mapping[str, Mapping[int, pd.DataFrame]],
    repeat_of: Mapping[int, int],
    *,
    wanted: Sequence[float],
    level: float,
) -> pd.DataFrame:
    """What thresholds for wanted sensitivities come to on patients they were not chosen on.

    predictions: of each model its predictions.csv by fold. In every fold the threshold is chosen
    on the inner rows. Columns `model, wanted`, `sensitivity` and `specificity` each with `_low`
    and `_high` (Wilson), `n_tumoral, n_reactive`.
    """
    rows = []
    for model, folds in predictions.items():
        for share in wanted:
            decided = pd.concat(
                out_of_fold.decision_table(
                    table,
                    model=model,
                    fold=fold,
                    repeat=repeat_of[fold],
                    rule={"sensitivity": share},
                )
                for fold, table in folds.items()
            )
            rows.append({"model": model, "wanted": share, **_achieved(decided, model, level)})
    return pd.DataFrame(rows)


def _achieved(decided: pd.DataFrame, model: str, level: float) -> dict[str, float]:
    """Sensitivity and specificity out of fold, every patient once."""
    said = Said.of(decided, model, "decision")
    called, tumoral = said.mean(), said.labels == 1
    n_tumoral, n_reactive = int(tumoral.sum()), int((~tumoral).sum())
    shares = {
        "sensitivity": wilson_interval(float(called[tumoral].sum()), n_tumoral, level),
        "specificity": wilson_interval(float((1 - called[~tumoral]).sum()), n_reactive, level),
    }
    row: dict[str, float] = {}
    for name, share in shares.items():
        row |= {name: share.estimate, f"{name}_low": share.low, f"{name}_high": share.high}
    return row | {"n_tumoral": n_tumoral, "n_reactive": n_reactive}

"""Calibrate the predictions of each fold and measure their reliability out of fold.

The calibrator of a fold is fitted on its inner predictions alone and measured on patients that
neither it nor the model has seen. Where folds are repeated, a measure is computed in each repeat
and averaged. Intervals are percentiles over resampled patients, with the fitted models fixed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from natsort import natsorted
from numpy.typing import NDArray

from lymphokit.calibration.calibrators import Method, fit_calibrator
from lymphokit.calibration.measures import Measure, bin_membership, ece_of_perfect, measures
from lymphokit.evaluation import out_of_fold
from lymphokit.evaluation.intervals import Interval, percentile_interval, wilson_interval
from lymphokit.evaluation.metrics import Floats, Labels
from lymphokit.evaluation.uncertainty import patient_draws

STAGES = {"before": "probability", "after": "calibrated"}  # columns of the calibrated table
COLUMNS = ["fold", "repeat", "patient", "part", "label", "model", *STAGES.values()]


def calibrate(
    predictions: pd.DataFrame, *, model: str, fold: int, repeat: int, method: Method
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Calibrate one model in one fold: its rows with COLUMNS, and the calibrator's parameters.

    The calibrator is fitted on the inner rows, so only the calibrated probabilities of validation
    and test rows are out of fold.
    """
    labels, probabilities = out_of_fold.inner_rows(out_of_fold.validate(predictions))
    calibrator = fit_calibrator(method, labels, probabilities)
    table = predictions.assign(
        fold=fold,
        repeat=repeat,
        model=model,
        calibrated=calibrator(predictions["probability"].to_numpy(np.float64)),
    )
    fitted = {"method": method, "n_patients": len(labels), **asdict(calibrator)}
    return table[COLUMNS], {"model": model, "fold": fold, **fitted}


def calibrate_all(
    predictions: Mapping[str, Mapping[int, pd.DataFrame]],
    repeat_of: Mapping[int, int],
    *,
    method: Method,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Calibrate each model in each fold: one table, and the parameters of every calibrator.

    predictions: for each model its predictions.csv by fold.
    """
    tables, records = zip(
        *(
            calibrate(table, model=model, fold=fold, repeat=repeat_of[fold], method=method)
            for model, folds in predictions.items()
            for fold, table in folds.items()
        ),
        strict=True,
    )
    return pd.concat(tables, ignore_index=True), list(records)


@dataclass(frozen=True)
class PatientValues:
    """One value per patient and repeat, out of fold, of one model.

    labels (n,) of the patients in natural order, values (n_repeats, n), NaN where not scored.
    """

    labels: Labels
    values: Floats

    @classmethod
    def from_table(cls, table: pd.DataFrame, model: str, column: str) -> Self:
        """The validation rows of a long table."""
        rows = table.loc[(table["part"] == "validation") & (table["model"] == model)]
        wide = rows.pivot(index="repeat", columns="patient", values=column)
        patients = natsorted(wide.columns)
        labels = rows.groupby("patient")["label"].first().loc[patients].to_numpy(np.int64)
        return cls(labels, wide[patients].to_numpy(np.float64))

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Whether each patient was scored in each repeat: (n_repeats, n)."""
        return np.isfinite(self.values)

    def mean(self, values: NDArray[Any] | None = None) -> Floats:
        """Each patient's mean over the repeats that scored them: (n,).

        values (n_repeats, n): computed from the stored ones, which are the default.
        """
        values = self.values if values is None else values
        total = np.where(self.scored, values, 0.0).sum(axis=0)
        return np.asarray(total / self.scored.sum(axis=0))

    def resampled(self, measure: Measure, draws: Floats) -> Floats:
        """A measure of each resample, averaged over repeats: (n_resamples,)."""
        by_repeat = [
            measure(self.labels[scored], row[scored], draws[:, scored])
            for row, scored in zip(self.values, self.scored, strict=True)
        ]
        return np.asarray(np.mean(by_repeat, axis=0))


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

    Columns `model, measure`, then `before`, `after` and `change` (after minus before, on the same
    draws) each with `_low` and `_high`, `perfect_before` and `perfect_after` (for `ece` alone: its
    value for a perfectly calibrated model on as few patients), `n_patients`.
    """
    rows: list[dict[str, Any]] = []
    for model in models:
        stages = {
            stage: PatientValues.from_table(calibrated, model, column)
            for stage, column in STAGES.items()
        }
        labels = stages["before"].labels
        draws = patient_draws(labels, resamples=resamples, seed=seed)
        # The first row is the estimate: every patient once.
        draws = np.concatenate([np.ones((1, len(labels))), draws])
        for name, measure in measures(n_bins).items():
            found = {stage: values.resampled(measure, draws) for stage, values in stages.items()}
            found["change"] = found["after"] - found["before"]
            row = {"model": model, "measure": name, "n_patients": len(labels)}
            for key, drawn in found.items():
                ends = percentile_interval(drawn[1:], level)
                row |= Interval(float(drawn[0]), *ends).columns(key)
            if name == "ece":
                row |= {
                    f"perfect_{stage}": ece_of_perfect(values.mean(), n_bins=n_bins, seed=seed)
                    for stage, values in stages.items()
                }
            rows.append(row)
    return pd.DataFrame(rows)


def miscalibration(table: pd.DataFrame, model: str, stage: str) -> str:
    """The faults that the intervals of slope and intercept show; table: `calibration_table`."""
    rows = table[table["model"] == model].set_index("measure")
    low, high = rows[f"{stage}_low"], rows[f"{stage}_high"]
    faults = [
        (low["slope"] > 1, "underconfident"),
        (high["slope"] < 1, "overconfident"),
        (low["intercept"] > 0, "too low"),
        (high["intercept"] < 0, "too high"),
    ]
    return ", ".join(fault for found, fault in faults if found) or "no fault found"


def most_changed(table: pd.DataFrame, first: Sequence[str], n: int) -> list[str]:
    """The models named first, then those whose log loss calibration changes most: n in total."""
    changes = table[table["measure"] == "log_loss"].set_index("model")["change"].abs()
    ranked = changes.sort_values(ascending=False, kind="stable").index
    return list(dict.fromkeys([*first, *ranked]))[:n]


def reliability_bins(
    calibrated: pd.DataFrame, models: Sequence[str], *, n_bins: int, level: float
) -> pd.DataFrame:
    """The reliability diagram as a table: bins of equal size, before and after calibration.

    A patient counts once, with the mean over repeats. Columns `model, stage, bin, n_patients,
    n_tumoral, probability`, the mean predicted one, and `share`, of tumoral patients, with
    `share_low, share_high` (Wilson).
    """
    rows = []
    for model in models:
        for stage, column in STAGES.items():
            values = PatientValues.from_table(calibrated, model, column)
            probabilities = values.mean()
            membership = bin_membership(probabilities, n_bins).T.astype(bool)
            for number, members in enumerate(membership, start=1):
                n, tumoral = int(members.sum()), int(values.labels[members].sum())
                row = {"model": model, "stage": stage, "bin": number, "n_patients": n}
                row |= {"n_tumoral": tumoral, "probability": probabilities[members].mean()}
                rows.append(row | wilson_interval(tumoral, n, level).columns("share"))
    return pd.DataFrame(rows)


def sensitivity_table(
    predictions: Mapping[str, Mapping[int, pd.DataFrame]],
    repeat_of: Mapping[int, int],
    *,
    wanted: Sequence[float],
    level: float,
) -> pd.DataFrame:
    """Out-of-fold sensitivity and specificity of thresholds for each wanted sensitivity.

    predictions: for each model its predictions.csv by fold; each threshold is chosen on the inner
    rows. Columns `model, wanted`, `sensitivity` and `specificity` each with `_low` and `_high`
    (Wilson), `n_tumoral, n_reactive`.
    """
    rows = []
    for model, folds in predictions.items():
        for sensitivity in wanted:
            rule = {"sensitivity": sensitivity}
            decided = pd.concat(
                out_of_fold.decision_table(
                    table, model=model, fold=fold, repeat=repeat_of[fold], rule=rule
                )
                for fold, table in folds.items()
            )
            values = PatientValues.from_table(decided, model, "decision")
            called, tumoral = values.mean(), values.labels == 1
            n_tumoral, n_reactive = int(tumoral.sum()), int((~tumoral).sum())
            found = wilson_interval(float(called[tumoral].sum()), n_tumoral, level)
            cleared = wilson_interval(float((1 - called[~tumoral]).sum()), n_reactive, level)
            row = {"model": model, "wanted": sensitivity}
            row |= found.columns("sensitivity") | cleared.columns("specificity")
            rows.append(row | {"n_tumoral": n_tumoral, "n_reactive": n_reactive})
    return pd.DataFrame(rows)

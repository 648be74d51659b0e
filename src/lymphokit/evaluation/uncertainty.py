"""How far out-of-fold scores could be from those on other patients like these.

Patients are drawn anew, with replacement, within each label, and every score is computed again.
The patient is the unit: where folds are repeated, a resample scores each repeat on the same drawn
patients and averages, so a repeat never counts as more patients. All models are scored on the
same draws, so differences are paired. Intervals are the percentiles of the resamples, then widened.

Widened, because resamples leave the models as they are, while other patients would have made other
models; and because in folds every patient scored is also among those whom the other folds' models
learned from, so that folds are lucky or unlucky together. On 20 cohorts without signal 95%
intervals by resampled patients alone missed one half in 9 (balanced accuracy) and 12 (AUC) of 100
cases, the widened in 1 and 2 (benchmarks/no_signal.py).
Source: Nadeau and Bengio 2003, who take the scores of two folds as correlated by the share of
the patients that a fold holds out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from natsort import natsorted
from numpy.typing import NDArray

from lymphokit.errors import LymphokitError
from lymphokit.evaluation import metrics
from lymphokit.evaluation.metrics import Floats, Labels, Metric

# Columns of the score table: of the score and of its interval.
COLUMNS_OF: dict[Metric, tuple[str, str, str]] = {
    "balanced_accuracy": ("balanced_accuracy", "low", "high"),
    "f1": ("f1", "f1_low", "f1_high"),
    "recall": ("recall", "recall_low", "recall_high"),
    "precision": ("precision", "precision_low", "precision_high"),
    "auc": ("auc", "auc_low", "auc_high"),
}


class UnpairedError(LymphokitError):
    """Models were not scored on the same patients, so they cannot be compared."""


@dataclass(frozen=True)
class Interval:
    """A score (or a difference of two) with its interval."""

    estimate: float
    low: float
    high: float

    def widened(self, factor: float, bounds: tuple[float, float]) -> "Interval":
        """The interval that reaches `factor` times as far to either side, cut off at the bounds."""
        ends = (self.estimate + factor * (end - self.estimate) for end in (self.low, self.high))
        low, high = (float(np.clip(end, *bounds)) for end in ends)
        return Interval(self.estimate, low, high)


@dataclass(frozen=True)
class Outcomes:
    """What every model said and decided, out of fold, about the same patients.

    labels (n,); probabilities and decisions (n_models, n_repeats, n); scored (n_repeats, n) is
    whether the patient was in validation in that repeat (under the scheme `split` most are not);
    n_fitted, of how many patients the models of one fold learned, infinite where no number of
    other patients would have made other models.
    """

    patients: tuple[str, ...]
    labels: Labels
    models: tuple[str, ...]
    probabilities: Floats
    decisions: Labels
    scored: NDArray[np.bool_]
    n_fitted: float

    @classmethod
    def of(cls, decisions: pd.DataFrame, models: Sequence[str]) -> Self:
        """From the validation rows of the long table of decisions, for these models.

        Raises UnpairedError where the models were not all scored on the same patients.
        """
        rows = decisions.loc[(decisions["part"] == "validation") & decisions["model"].isin(models)]
        label_of = rows.groupby("patient")["label"].first()
        patients = natsorted(label_of.index)
        repeats = sorted(rows["repeat"].unique())
        wide = rows.pivot(
            index=["model", "repeat"], columns="patient", values=["probability", "decision"]
        ).reindex(pd.MultiIndex.from_product([models, repeats]))
        shape = (len(models), len(repeats), len(patients))
        probabilities = wide["probability"][patients].to_numpy(np.float64).reshape(shape)
        decided = wide["decision"][patients].to_numpy(np.float64).reshape(shape)
        scored = np.isfinite(probabilities)
        unlike = [
            model for model, own in zip(models, scored, strict=True) if np.any(own != scored[0])
        ]
        if unlike or not scored.any():
            raise UnpairedError(
                f"{', '.join(unlike) or 'the models'} lack patients that {models[0]} was scored "
                "on, or none was scored; predict them on the same folds"
            )
        labels = label_of.loc[patients].to_numpy(np.int64)
        called = np.nan_to_num(decided).astype(np.int64)
        fitted = float(rows["n_fitted"].mean())
        return cls(tuple(patients), labels, tuple(models), probabilities, called, scored[0], fitted)

    @property
    def widening(self) -> float:
        """How many times as far as resamples alone an interval of these folds must reach."""
        return widening(self.scored.any(axis=0).sum(), self.n_fitted)

    def score(self, model: str, metric: Metric) -> float:
        """The score over all patients, averaged over repeats."""
        each = []
        for repeat, seen in enumerate(self.scored):
            decided, probable = self._said(model, repeat)
            each.append(metrics.score(metric, self.labels[seen], decided, probable))
        return float(_mean_of_defined(np.array(each)[:, None])[0])

    def resampled(self, model: str, metric: Metric, draws: Floats) -> Floats:
        """The score of each resample, averaged over repeats: (n_resamples,)."""
        each = []
        for repeat, seen in enumerate(self.scored):
            decided, probable = self._said(model, repeat)
            each.append(
                metrics.resampled(metric, self.labels[seen], decided, probable, draws[:, seen])
            )
        return _mean_of_defined(np.array(each))

    def _said(self, model: str, repeat: int) -> tuple[Labels, Floats]:
        """Decisions and probabilities of the patients scored in one repeat."""
        row, seen = self.models.index(model), self.scored[repeat]
        return self.decisions[row, repeat, seen], self.probabilities[row, repeat, seen]


def central(values: Floats, level: float) -> tuple[float, float]:
    """Ends of the central share `level` of the values that are defined; NaN where none is."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def widening(n_scored: float, n_fitted: float) -> float:
    """How many times as far as resamples alone an interval must reach: 1.5 in five folds.

    n_scored patients in all folds, n_fitted learned from in each. The root of
    1 + n_scored / n_fitted; in k folds of all patients 1 + k / (k - 1).
    """
    return float(np.sqrt(1 + n_scored / n_fitted))


def patient_draws(labels: Labels, *, resamples: int, seed: int) -> Floats:
    """How often each patient is drawn in each resample: (resamples, n).

    Within each label as many are drawn, with replacement, as there are.
    """
    generator = np.random.default_rng(seed)
    draws = np.zeros((resamples, len(labels)))
    for label in np.unique(labels):
        of_label = np.flatnonzero(labels == label)
        share = np.full(len(of_label), 1 / len(of_label))
        draws[:, of_label] = generator.multinomial(len(of_label), share, size=resamples)
    return draws


def interval(
    outcomes: Outcomes, model: str, metric: Metric, draws: Floats, level: float
) -> Interval:
    """A model's score and its interval: the central `level` of its resamples, widened."""
    low, high = central(outcomes.resampled(model, metric, draws), level)
    found = Interval(outcomes.score(model, metric), low, high)
    return found.widened(outcomes.widening, (0.0, 1.0))


def difference(
    outcomes: Outcomes, first: str, second: str, metric: Metric, draws: Floats, level: float
) -> Interval:
    """By how much the first model scores above the second, both on the same drawn patients."""
    of_first = outcomes.resampled(first, metric, draws)
    of_second = outcomes.resampled(second, metric, draws)
    low, high = central(of_first - of_second, level)
    found = Interval(outcomes.score(first, metric) - outcomes.score(second, metric), low, high)
    return found.widened(outcomes.widening, (-1.0, 1.0))


def score_table(
    decisions: pd.DataFrame, models: Sequence[str], *, resamples: int, level: float, seed: int
) -> pd.DataFrame:
    """A row a model, in the order given, all intervals from the same draws of patients.

    Columns `model`, each of `COLUMNS_OF`, `n_patients`; low and high are of balanced accuracy.
    """
    outcomes = Outcomes.of(decisions, models)
    draws = patient_draws(outcomes.labels, resamples=resamples, seed=seed)
    return pd.DataFrame([_row(outcomes, model, draws, level) for model in models])


def _row(outcomes: Outcomes, model: str, draws: Floats, level: float) -> dict[str, object]:
    """One row of the score table."""
    row: dict[str, object] = {"model": model}
    for metric, (column, low, high) in COLUMNS_OF.items():
        found = interval(outcomes, model, metric, draws, level)
        row |= {column: found.estimate, low: found.low, high: found.high}
    return row | {"n_patients": len(outcomes.patients)}


def _mean_of_defined(each: Floats) -> Floats:
    """Mean over the rows (n_repeats, ...) of what is not NaN; NaN where nothing is defined."""
    defined = np.isfinite(each)
    total, count = np.where(defined, each, 0.0).sum(axis=0), defined.sum(axis=0)
    mean = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean

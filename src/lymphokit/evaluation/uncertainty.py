"""Bootstrap intervals of out-of-fold scores, for other patients of the same population.

Patients are resampled with replacement within each label, and every score is computed again. The
patient is the unit: where folds are repeated, a resample scores each repeat on the same drawn
patients and averages, so repeats never count as more patients. All models are scored on the same
draws, so differences are paired. Intervals are the percentiles of the resamples, then widened.

Widened, because resampling keeps the fitted models fixed, while other patients would have given
other models; and because each scored patient is also a training patient of the other folds, so
that the errors of the folds are correlated. On 20 cohorts without signal 95% intervals from
resampled patients alone missed 0.5 in 9 (balanced accuracy) and 12 (AUC) of 100 cases, the
widened ones in 1 and 2 (benchmarks/no_signal.py).
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
from lymphokit.evaluation.intervals import Interval, percentile_interval
from lymphokit.evaluation.metrics import Floats, Labels, Metric

# Columns of the score table: the score and the ends of its interval.
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
class Outcomes:
    """Out-of-fold probabilities and decisions of several models on the same patients.

    labels (n,); probabilities and decisions (n_models, n_repeats, n); scored (n_repeats, n) is
    True where the patient was in validation in that repeat (with the scheme `split` few are);
    n_fitted is the mean number of training patients of a fold, infinite where the models would
    be the same for any other patients.
    """

    patients: tuple[str, ...]
    labels: Labels
    models: tuple[str, ...]
    probabilities: Floats
    decisions: Labels
    scored: NDArray[np.bool_]
    n_fitted: float

    @classmethod
    def from_decisions(cls, decisions: pd.DataFrame, models: Sequence[str]) -> Self:
        """The validation rows of these models in the long table of decisions.

        Raises UnpairedError where the models were not all scored on the same patients.
        """
        rows = decisions.loc[(decisions["part"] == "validation") & decisions["model"].isin(models)]
        label_of = rows.groupby("patient")["label"].first()
        patients = natsorted(label_of.index)
        repeats = sorted(rows["repeat"].unique())
        wide = rows.pivot(
            index=["model", "repeat"], columns="patient", values=["probability", "decision"]
        ).reindex(pd.MultiIndex.from_product([models, repeats]))
        probabilities, decided = (
            wide[value][patients]
            .to_numpy(np.float64)
            .reshape(len(models), len(repeats), len(patients))
            for value in ("probability", "decision")
        )
        scored = np.isfinite(probabilities)
        differing = np.any(scored != scored[:1], axis=(1, 2))
        if differing.any() or not scored.any():
            unlike = [model for model, differs in zip(models, differing, strict=True) if differs]
            raise UnpairedError(
                f"{', '.join(unlike) or 'the models'} lack patients that {models[0]} was scored "
                "on, or none was scored; predict them on the same folds"
            )
        labels = label_of.loc[patients].to_numpy(np.int64)
        decided = np.nan_to_num(decided).astype(np.int64)
        n_fitted = float(rows["n_fitted"].mean())
        return cls(
            tuple(patients), labels, tuple(models), probabilities, decided, scored[0], n_fitted
        )

    @property
    def widening(self) -> float:
        """Factor by which an interval from resampled patients is widened."""
        return widening(self.scored.any(axis=0).sum(), self.n_fitted)

    def score(self, model: str, metric: Metric) -> float:
        """The score on all patients, averaged over repeats."""
        return float(self.resampled(model, metric, np.ones((1, len(self.labels))))[0])

    def resampled(self, model: str, metric: Metric, draws: Floats) -> Floats:
        """The score of each resample, averaged over repeats: (n_resamples,).

        A repeat that leaves a resample without a class has no score and does not enter its mean.
        """
        row = self.models.index(model)
        by_repeat = [
            metrics.resampled(
                metric,
                self.labels[scored],
                self.decisions[row, repeat, scored],
                self.probabilities[row, repeat, scored],
                draws[:, scored],
            )
            for repeat, scored in enumerate(self.scored)
        ]
        return np.asarray(np.ma.masked_invalid(by_repeat).mean(axis=0).filled(np.nan))


def widening(n_scored: float, n_fitted: float) -> float:
    """Factor that widens a bootstrap interval for the variance between training sets.

    sqrt(1 + n_scored / n_fitted), for n_scored patients in all folds and n_fitted training
    patients in each; in k folds sqrt(1 + k / (k - 1)), which is 1.5 in five folds.
    """
    return float(np.sqrt(1 + n_scored / n_fitted))


def patient_draws(labels: Labels, *, resamples: int, seed: int) -> Floats:
    """How often each patient is drawn in each resample: (resamples, n).

    Within each label as many are drawn, with replacement, as there are.
    """
    generator = np.random.default_rng(seed)
    draws = np.zeros((resamples, len(labels)))
    for label in np.unique(labels):
        positions = np.flatnonzero(labels == label)
        share = np.full(len(positions), 1 / len(positions))
        draws[:, positions] = generator.multinomial(len(positions), share, size=resamples)
    return draws


def interval(
    outcomes: Outcomes, model: str, metric: Metric, draws: Floats, level: float
) -> Interval:
    """A model's score with its percentile interval, widened within [0, 1].

    draws (resamples, n): how often each patient is in a resample; level: such as 0.95.
    """
    low, high = percentile_interval(outcomes.resampled(model, metric, draws), level)
    found = Interval(outcomes.score(model, metric), low, high)
    return found.widened(outcomes.widening, (0.0, 1.0))


def difference(
    outcomes: Outcomes, first: str, second: str, metric: Metric, draws: Floats, level: float
) -> Interval:
    """Paired difference of two models' scores, first minus second, with its widened interval.

    draws (resamples, n), the same for both models; the interval stays within [-1, 1].
    """
    first_drawn, second_drawn = (
        outcomes.resampled(model, metric, draws) for model in (first, second)
    )
    low, high = percentile_interval(first_drawn - second_drawn, level)
    found = Interval(outcomes.score(first, metric) - outcomes.score(second, metric), low, high)
    return found.widened(outcomes.widening, (-1.0, 1.0))


def score_table(
    decisions: pd.DataFrame, models: Sequence[str], *, resamples: int, level: float, seed: int
) -> pd.DataFrame:
    """A row per model, in the order given; all intervals use the same draws of patients.

    Columns `model`, each of `COLUMNS_OF`, `n_patients`; low and high belong to balanced accuracy.
    """
    outcomes = Outcomes.from_decisions(decisions, models)
    draws = patient_draws(outcomes.labels, resamples=resamples, seed=seed)
    rows = []
    for model in models:
        row: dict[str, object] = {"model": model}
        for metric, (column, low, high) in COLUMNS_OF.items():
            found = interval(outcomes, model, metric, draws, level)
            row |= {column: found.estimate, low: found.low, high: found.high}
        rows.append(row | {"n_patients": len(outcomes.patients)})
    return pd.DataFrame(rows)

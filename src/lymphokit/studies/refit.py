"""Stacked refits of cheap models on many cohorts, for the permutation test and the spread study.

ClinicalLogistic, PooledLogistic and their stack prepare a table without looking at labels and put
a ridge logistic regression on it. That is a strictly convex problem with one optimum, so the
regressions of a whole batch of cohorts can be solved together, by Newton's method, and arrive
where `cross_predict` with the models' classes arrives. Probabilities agree within `TOLERANCE`,
which is how near the classes' solvers come to the optimum; tests check that, and so does each run.

A permutation test refits all folds 4,000 times. Stacked refits take 9 times less CPU time than
joblib over the models' classes, 2 minutes instead of 20 (`benchmarks/refit.py` prints the ratio).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.errors import LymphokitError
from lymphokit.evaluation import metrics
from lymphokit.evaluation import threshold as thresholds
from lymphokit.evaluation.metrics import Floats, Labels, Metric
from lymphokit.evaluation.threshold import Rule
from lymphokit.models.clinical import ClinicalLogisticSettings
from lymphokit.models.pooled_logistic import PooledLogisticSettings, pooled
from lymphokit.models.registry import settings_of
from lymphokit.solvers.logistic import fit_stack, log_odds

Booleans = NDArray[np.bool_]
Positions = NDArray[np.int64]

SCORES: tuple[Metric, ...] = ("balanced_accuracy", "auc")
TOLERANCE = 1e-5  # of a probability
_RANK_TOLERANCE = 1e-12  # share of the leading component's variance
# The weight of the image model is not negative, as in Stack; age and log count have no bound.
_STACK_BOUNDS = np.array([0.0, -np.inf, -np.inf])


class RefitError(LymphokitError):
    """A refit is impossible, or differs from the run's model."""


@dataclass(frozen=True)
class Batch:
    """Shuffled copies of a cohort of n patients, refitted together.

    labels (n_cohorts, n) in {0, 1}; bags (n_cohorts, n): the position of the patient that each
    bag comes from, 0 to n - 1 in order where bags are not shuffled; inner (n_cohorts, n_folds, n):
    the inner fold of each patient in each fold, -1 in validation; repeat (n_folds,): the repeat
    that each fold belongs to.
    """

    labels: Labels
    bags: Positions
    inner: Positions
    repeat: Positions

    def fits(self, fold: int) -> Iterator[tuple[Booleans, Booleans]]:
        """Who is fitted on and who is predicted by each model of a fold: pairs of (n_cohorts, n).

        A pair for each inner fold, then the whole training part with the validation part.
        """
        inner = self.inner[:, fold]
        for held_out in range(inner.max() + 1):
            yield (inner >= 0) & (inner != held_out), inner == held_out
        yield inner >= 0, inner < 0


@dataclass(frozen=True)
class ClinicalRefit:
    """ClinicalLogistic: clinical (n, 2) age and log count; C inverse ridge strength."""

    clinical: Floats
    C: float

    def fit_predict(self, batch: Batch, fitted: Booleans, _: Mapping[str, Floats]) -> Floats:
        """Probabilities (n_cohorts, n) of all patients after a fit on those in `fitted`."""
        rows = np.broadcast_to(self.clinical, (*fitted.shape, 2))
        return expit(
            _log_odds(_standardised(rows, fitted), batch.labels, np.where(fitted, self.C, 0.0))
        )


@dataclass(frozen=True)
class PooledRefit:
    """PooledLogistic: pooled (n, d) bag features; components kept; C inverse ridge strength.

    A row of `pooled` moves with the patient's bag.
    """

    pooled: Floats
    components: int
    C: float

    def fit_predict(self, batch: Batch, fitted: Booleans, _: Mapping[str, Floats]) -> Floats:
        """Probabilities (n_cohorts, n) of all patients after a fit on those in `fitted`."""
        rows = np.stack(
            [
                principal_components(self.pooled, bags[members], self.components)[bags]
                for bags, members in zip(batch.bags, fitted, strict=True)
            ]
        )
        return expit(_log_odds(rows, batch.labels, np.where(fitted, self.C, 0.0)))


@dataclass(frozen=True)
class StackRefit:
    """`ensemble.blend.Stack` of one image model with age and log count.

    image_model: name of a model refitted before, on whose out-of-fold probabilities the stack is
    fitted; clinical (n, 2) age and log count; C inverse ridge strength.
    """

    image_model: str
    clinical: Floats
    C: float

    def fit_predict(self, batch: Batch, fitted: Booleans, earlier: Mapping[str, Floats]) -> Floats:
        """Probabilities (n_cohorts, n) of all patients after a fit on those in `fitted`.

        earlier: out-of-fold probabilities (n_cohorts, n) of the models before, in the same fold.
        """
        labels, n = batch.labels, fitted.sum(axis=1, keepdims=True)
        least = 1 / (n + 2)  # Laplace's rule of succession, as in Stack
        odds = logit(np.clip(earlier[self.image_model], least, 1 - least))
        clinical = np.broadcast_to(self.clinical, (*fitted.shape, 2))
        rows = _standardised(np.concatenate([odds[:, :, None], clinical], axis=2), fitted)
        n_tumoral = (fitted & (labels == 1)).sum(axis=1, keepdims=True)
        # Classes weigh the same; log odds of the prevalence are added to the intercept afterwards.
        balanced = fitted * n / (2 * np.where(labels == 1, n_tumoral, n - n_tumoral))
        log_odds_balanced = _log_odds(rows, labels, self.C * balanced, lower=_STACK_BOUNDS)
        return np.asarray(expit(log_odds_balanced + logit(n_tumoral / n)))


Refit = ClinicalRefit | PooledRefit | StackRefit
Models = Mapping[str, Refit]


@dataclass(frozen=True)
class RefitCohort:
    """The training patients and the models that are refitted on them.

    patients: their rows of patients.csv; labels (n,); models: by name, and by `stack_name` the
    stack of each image model with age and count.
    """

    patients: pd.DataFrame
    labels: Labels
    models: Models

    @classmethod
    def from_tables(
        cls,
        patients: pd.DataFrame,
        chosen: Mapping[str, Mapping[str, Any]],
        banks: Mapping[str, NDArray[np.floating]],
        *,
        stack_C: float,
    ) -> Self:
        """From the table of all patients and the models' blocks of config.yaml.

        chosen: of kind clinical_logistic or pooled_logistic, by name; banks: features of all cells
        (n_cells, d), by name; stack_C: inverse ridge strength of the stacks.
        """
        training = np.flatnonzero(patients["part"] == "train")
        clinical = clinical_of(patients).take(training).matrix()
        models: dict[str, Refit] = {}
        for name, block in chosen.items():
            settings = settings_of(block)
            if isinstance(settings, ClinicalLogisticSettings):
                models[name] = ClinicalRefit(clinical, settings.C)
            elif isinstance(settings, PooledLogisticSettings):
                rows = pooled(bags_of(patients, banks[settings.features]))[training]
                models[name] = PooledRefit(rows, settings.pca, settings.C)
                models[stack_name(name)] = StackRefit(name, clinical, stack_C)
            else:
                raise RefitError(f"{name} is of kind {settings.kind}, which cannot be refitted")
        known = patients.iloc[training].reset_index(drop=True)
        return cls(known, labels_of(known), models)

    def batch(self, folds: pd.DataFrame) -> Batch:
        """The cohort itself, nothing shuffled, in the folds of folds.csv."""
        inner = folds.pivot(index="fold", columns="patient", values="inner")
        in_order = inner[self.patients["patient"].tolist()].to_numpy(np.int64)
        repeat = folds.groupby("fold")["repeat"].first().to_numpy(np.int64)
        positions = np.arange(len(self.labels))
        return Batch(self.labels[None], positions[None], in_order[None], repeat)

    @property
    def clinical_model(self) -> str | None:
        """The name of the first clinical model, if there is one."""
        names = (name for name, model in self.models.items() if isinstance(model, ClinicalRefit))
        return next(names, None)


def stack_name(image_model: str) -> str:
    """The name of the stack of an image model with age and count."""
    return f"{image_model}+clinical"


def refit(models: Models, batch: Batch) -> dict[str, Floats]:
    """Probabilities of each patient in each cohort and fold, by model: (n_cohorts, n_folds, n).

    A training patient is predicted by a model fitted on the other inner folds, a validation
    patient by the model of the whole training part. A stack must come after its image model.
    """
    found: dict[str, Floats] = {}
    for name, model in models.items():
        probabilities = np.empty(batch.inner.shape)
        for fold in range(batch.inner.shape[1]):
            earlier = {other: each[:, fold] for other, each in found.items()}
            for fitted, predicted in batch.fits(fold):
                everyone = model.fit_predict(batch, fitted, earlier)
                probabilities[:, fold][predicted] = everyone[predicted]
        found[name] = probabilities
    return found


def choose_thresholds(batch: Batch, probabilities: Floats, rule: Rule) -> Floats:
    """The thresholds (n_cohorts, n_folds) of a model, chosen on inner predictions alone.

    probabilities (n_cohorts, n_folds, n): as of `refit`.
    """
    cuts = np.empty(batch.inner.shape[:2])
    for cohort, fold in np.ndindex(cuts.shape):
        training = batch.inner[cohort, fold] >= 0
        inner = probabilities[cohort, fold, training]
        cuts[cohort, fold] = thresholds.choose(rule, batch.labels[cohort, training], inner)
    return cuts


def batch_scores(batch: Batch, probabilities: Floats, rule: Rule) -> pd.DataFrame:
    """`SCORES` of a model in each cohort, a row each, averaged over repeats of the folds.

    probabilities: as of `refit`. The validation patients of a repeat are pooled.
    """
    cuts = choose_thresholds(batch, probabilities, rule)
    decisions = thresholds.decide(probabilities, cuts[:, :, None])
    rows = []
    for cohort, labels in enumerate(batch.labels):
        scores = []
        for number in np.unique(batch.repeat):
            scored = (batch.inner[cohort] < 0) & (batch.repeat == number)[:, None]  # (n_folds, n)
            truth = labels[np.nonzero(scored)[1]]
            outcome = truth, decisions[cohort, scored], probabilities[cohort, scored]
            scores.append([metrics.score(metric, *outcome) for metric in SCORES])
        rows.append(np.mean(scores, axis=0))
    return pd.DataFrame(rows, columns=list(SCORES))


def principal_components(rows: Floats, fitted: Positions, components: int) -> Floats:
    """Principal components of rows (n, d), as PooledLogistic computes them: (n, components).

    fitted: positions of the rows that scaling and components are fitted on, in any order.
    Components are divided by the deviation of the first; those beyond the rank are 0.
    """
    # Sorted, so that the last bits depend on who is fitted on and not on the order of a shuffle.
    fitted = np.sort(fitted)
    spread = rows[fitted].std(axis=0)
    scaled = (rows - rows[fitted].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    # With K = X X^T = U S^2 U^T the components X V are K U / S: an n x n problem, however large d.
    products = scaled @ scaled[fitted].T  # (n, n_fitted)
    squares, vectors = np.linalg.eigh(products[fitted])  # eigenvalues ascend
    most = min(components, len(fitted) - 1, rows.shape[1])
    squares, vectors = squares[::-1][:most], vectors[:, ::-1][:, :most]
    # Rounding leaves small positive eigenvalues beyond the rank; dividing by them adds noise.
    kept = squares > max(_RANK_TOLERANCE * squares[0], 0.0)
    unit = np.sqrt(squares[0] / (len(fitted) - 1)) if kept[0] else 1.0
    found = np.zeros((len(rows), components))
    found[:, : kept.sum()] = products @ vectors[:, kept] / (np.sqrt(squares[kept]) * unit)
    return found


def _log_odds(
    rows: Floats, labels: Labels, sample_weight: Floats, *, lower: float | Floats = -np.inf
) -> Floats:
    """Log odds (n_cohorts, n) of all rows (n_cohorts, n, d) by a logistic regression each.

    sample_weight (n_cohorts, n): C times the weight of a row, 0 where it is not fitted on.
    """
    return log_odds(fit_stack(rows, labels, sample_weight, ridge=1.0, lower=lower), rows)


def _standardised(rows: Floats, fitted: Booleans) -> Floats:
    """Rows (n_cohorts, n, d) scaled by mean and deviation of those in fitted (n_cohorts, n)."""
    weights = (fitted / fitted.sum(axis=1, keepdims=True))[:, None, :]
    centred = rows - weights @ rows
    spread = np.sqrt(weights @ centred**2)
    return np.asarray(centred / np.where(spread > 0, spread, 1.0))

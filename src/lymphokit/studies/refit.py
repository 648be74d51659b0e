"""Models with cheap heads, refitted on all folds of many cohorts in milliseconds each.

What these models do before they look at a label (bag means, scaling, principal components)
depends on who is in a training part alone, and their heads are strictly convex problems with one
optimum each. So a refit takes two short cuts to where `out_of_fold.cross_predict` arrives: what is
label-free is computed once for each training part, and the heads of a whole batch of cohorts are
found together, by Newton's method. Probabilities agree with those of the models' own classes
within `TOLERANCE`, which is how near their solvers come to the optimum; tests hold them to it,
and so does each run, against its own predictions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from lymphokit.evaluation.metrics import Floats, Labels
from lymphokit.solvers.logistic import fit_stack, log_odds

Positions = NDArray[np.int64]

TOLERANCE = 1e-5  # of a probability
_SMALLEST_SHARE = 1e-12  # of the leading component's variance: below it a component is rounding
_MOST_KEPT = 64  # training parts whose preparation is remembered


@dataclass(frozen=True)
class Plan:
    """The folds of n patients as numbers.

    inner (n_folds, n): each patient's inner fold, -1 in validation; repeat (n_folds,).
    """

    inner: Positions
    repeat: Positions

    @classmethod
    def of(cls, folds: pd.DataFrame, patients: tuple[str, ...]) -> Self:
        """From the rows of folds.csv, for these patients in this order."""
        inner = folds.pivot(index="fold", columns="patient", values="inner")[list(patients)]
        repeat = folds.groupby("fold")["repeat"].first()
        return cls(inner.to_numpy(np.int64), repeat.to_numpy(np.int64))


@dataclass(frozen=True)
class Batch:
    """Cohorts of the same n patients to refit on, one beside the other.

    labels (n_cohorts, n) in {0, 1}; bags (n_cohorts, n): the position of the patient whose bag
    each has (0 to n - 1 in order: everybody their own); inner (n_cohorts, n_folds, n): the inner
    fold of each patient in each fold, -1 in validation.
    """

    labels: Labels
    bags: Positions
    inner: Positions

    @classmethod
    def single(cls, labels: Labels, plan: Plan) -> Self:
        """The cohort as it is: labels (n,), everybody their own bag."""
        return cls(labels[None], np.arange(len(labels))[None], plan.inner[None])

    def fits(self, fold: int) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Whom each model of a fold is fitted on and whom it predicts: pairs of (n_cohorts, n).

        A pair for each inner fold, last the whole training part and the validation part.
        """
        inner = self.inner[:, fold]
        for held_out in range(inner.max() + 1):
            yield (inner >= 0) & (inner != held_out), inner == held_out
        yield inner >= 0, inner < 0


@dataclass(frozen=True)
class Table:
    """A row a patient, and how a model prepares the rows before its head: rows (n, d).

    components: None to standardise alone, as ClinicalLogistic does; else how many principal
    components are kept and divided by the deviation of the first, as PooledLogistic does.
    """

    rows: Floats
    components: int | None
    _kept: dict[bytes, Floats] = field(default_factory=dict, repr=False, compare=False)

    def prepared(self, training: Positions) -> Floats:
        """All rows as the head sees them that is fitted on the rows `training`, in any order.

        (n, d), or (n, components), those that the rows do not have being 0.
        """
        members = np.sort(training)
        key = members.tobytes()
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = self._prepare(members)
        return self._kept[key]

    def _prepare(self, training: Positions) -> Floats:
        known = self.rows[training]
        spread = known.std(axis=0)
        scaled = (self.rows - known.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        if self.components is None:
            return np.asarray(scaled)
        # Inner products of patients tell the components, however wide the features are.
        products = scaled @ scaled[training].T
        squares, directions = np.linalg.eigh(products[training])
        most = min(self.components, len(training) - 1, scaled.shape[1])
        squares, directions = squares[::-1][:most], directions[:, ::-1][:, :most]
        there = squares > max(_SMALLEST_SHARE * squares[0], 0.0)
        unit = np.sqrt(squares[0] / (len(training) - 1)) if there[0] else 1.0
        prepared = np.zeros((len(scaled), self.components))
        lengths = np.sqrt(squares[there]) * unit
        prepared[:, : there.sum()] = products @ directions[:, there] / lengths
        return prepared


@dataclass(frozen=True)
class TableRefit:
    """ClinicalLogistic or PooledLogistic: a prepared table and a logistic head.

    of_bags: whether a patient's row goes where the bag goes; C: inverse strength of the ridge.
    """

    table: Table
    C: float
    of_bags: bool

    def probabilities(self, batch: Batch) -> Floats:
        """What it says of each patient in each fold: (n_cohorts, n_folds, n).

        A patient in training is predicted by a model of the other inner folds, one in validation
        by the model of the whole training part.
        """
        said = np.empty(batch.inner.shape)
        for fold in range(batch.inner.shape[1]):
            for training, of in batch.fits(fold):
                rows = self._rows(batch, training)
                heads = fit_stack(rows, batch.labels, np.where(training, self.C, 0.0), ridge=1.0)
                said[:, fold][of] = expit(log_odds(heads, rows)[of])
        return said

    def _rows(self, batch: Batch, training: NDArray[np.bool_]) -> Floats:
        """The prepared rows of every cohort's patients: (n_cohorts, n, ...)."""
        whose = (
            batch.bags
            if self.of_bags
            else np.broadcast_to(np.arange(batch.bags.shape[1]), batch.bags.shape)
        )
        return np.stack(
            [
                self.table.prepared(places[members])[places]
                for places, members in zip(whose, training, strict=True)
            ]
        )


@dataclass(frozen=True)
class StackRefit:
    """The stack of one image model with age and log count, as `ensemble.blend.Stack` is.

    image: the model's name; clinical (n, 2): age and log count; C: of the stack's ridge. It is
    fitted on the image model's inner predictions, and its own inner predictions come from stacks
    of the other inner folds."""

    image: str
    clinical: Floats
    C: float

    def probabilities(self, batch: Batch, of_image: Floats) -> Floats:
        """What it says of each patient in each fold, as `TableRefit` does, from what the image
        model said: (n_cohorts, n_folds, n) both.
        """
        said = np.empty(of_image.shape)
        for fold in range(of_image.shape[1]):
            for training, of in batch.fits(fold):
                stacked = self._fit_and_predict(of_image[:, fold], batch.labels, training)
                said[:, fold][of] = stacked[of]
        return said

    def _fit_and_predict(
        self, of_image: Floats, labels: Labels, training: NDArray[np.bool_]
    ) -> Floats:
        """The probabilities of all patients by stacks fitted on those in training."""
        n = training.sum(axis=1, keepdims=True)
        least = 1 / (n + 2)
        odds = logit(np.clip(of_image, least, 1 - least))
        clinical = np.broadcast_to(self.clinical, (len(odds), *self.clinical.shape))
        rows = _standardised(np.concatenate([odds[:, :, None], clinical], axis=2), training)
        tumoral = (training & (labels == 1)).sum(axis=1, keepdims=True)
        share = training * n / (2 * np.where(labels == 1, tumoral, n - tumoral))
        bounds = np.array([0.0, -np.inf, -np.inf])
        heads = fit_stack(rows, labels, self.C * share, ridge=1.0, lower=bounds)
        return np.asarray(expit(log_odds(heads, rows) + logit(tumoral / n)))


def _standardised(rows: Floats, training: NDArray[np.bool_]) -> Floats:
    """Rows (n_cohorts, n, d) scaled by mean and deviation of those in training."""
    weights = (training / training.sum(axis=1, keepdims=True))[:, None, :]
    centred = rows - weights @ rows
    spread = np.sqrt(weights @ centred**2)
    return np.asarray(centred / np.where(spread > 0, spread, 1.0))


Models = Mapping[str, TableRefit | StackRefit]


def refit(models: Models, batch: Batch) -> dict[str, Floats]:
    """What every model says in every cohort: (n_cohorts, n_folds, n) each.

    models: a stack stands after the image model that it names.
    """
    said: dict[str, Floats] = {}
    for name, model in models.items():
        if isinstance(model, StackRefit):
            said[name] = model.probabilities(batch, said[model.image])
        else:
            said[name] = model.probabilities(batch)
    return said

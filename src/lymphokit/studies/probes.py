"""Linear probes: how well a few columns predict a binary target of patients held out.

Both learners are linear in the target: a ridge regression on standardised columns, and the mean
target of the nearest patients. The scores are therefore one matrix of weights, which depends on
the columns alone, times the target. Thousands of shuffles of the target, each fitted and
predicted again in every fold, are one matrix product.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from lymphokit.errors import LymphokitError
from lymphokit.evaluation.metrics import Floats, Labels

Learner = Literal["trend", "neighbours"]
_DECIMALS = 10  # of a score, so that patients with equal columns have equal scores


@dataclass(frozen=True)
class ProbeTarget:
    """The target and the folds in which it is predicted.

    labels (n,) in {0, 1}; held_out (n_repeats, n): the fold in which a patient is predicted, -1
    for none. A probe of a fold is fitted on everybody else.
    """

    patients: tuple[str, ...]
    labels: Labels
    held_out: NDArray[np.int64]

    @classmethod
    def from_folds(cls, labels: "pd.Series[int]", folds: pd.DataFrame) -> Self:
        """From labels by patient, and rows `fold, repeat, patient, part` as in folds.csv.

        Raises LymphokitError unless the folds have exactly these patients.
        """
        if set(folds["patient"]) != set(labels.index):
            raise LymphokitError("the folds have other patients than the labels; draw them again")
        validation = folds[folds["part"] != "train"]
        wide = validation.pivot(index="repeat", columns="patient", values="fold")
        held_out = wide.reindex(columns=labels.index).fillna(-1).to_numpy(np.int64)
        return cls(tuple(labels.index), np.asarray(labels, dtype=np.int64), held_out)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Who is predicted in which repeat: (n_repeats, n)."""
        return self.held_out >= 0

    @property
    def n_fitted(self) -> float:
        """Patients that a probe is fitted on, the mean over folds."""
        each = [
            np.sum(held_out != fold)
            for held_out in self.held_out
            for fold in np.unique(held_out[held_out >= 0])
        ]
        return float(np.mean(each))

    def shuffled(self, shuffles: int, seed: int) -> Labels:
        """The labels shuffled within each fold of the first repeat: (n, shuffles).

        Every fold keeps its share of each label, as stratified folds do.
        """
        rng = np.random.default_rng(seed)
        shuffled = np.repeat(self.labels[:, None], shuffles, axis=1)
        for fold in np.unique(self.held_out[0]):
            members = np.flatnonzero(self.held_out[0] == fold)
            shuffled[members] = rng.permuted(shuffled[members], axis=0)
        return shuffled


@dataclass(frozen=True)
class ProbeResult:
    """Out-of-fold scores and calls (n_repeats, n), NaN and 0 where a patient is not predicted.

    null_aucs (shuffles,): the AUC on each shuffle of the labels.
    """

    scores: Floats
    calls: Labels
    null_aucs: Floats

    def p_value(self, auc: float) -> float:
        """(1 + shuffles that reach the AUC) / (1 + shuffles)."""
        return float((1 + np.sum(self.null_aucs >= auc)) / (1 + len(self.null_aucs)))


@dataclass(frozen=True)
class ProbeSettings:
    """ridge: of a trend, as a share of a column's variance; neighbours: how many are averaged."""

    ridge: float
    neighbours: int

    def weights(self, learner: Learner, fitted: Floats, others: Floats) -> Floats:
        """Linear smoother weights, (n_others, n).

        Row i holds the weight of each training label in the score of patient i. fitted (n, d) and
        others (n_others, d) are columns of patients.
        """
        if learner == "neighbours":
            return _neighbour_weights(fitted, others, self.neighbours)
        return _ridge_weights(fitted, others, self.ridge)

    def threshold(self, learner: Learner, fitted: Floats, labels: Labels) -> float:
        """The score from which a patient is called 1, chosen on the training part.

        Halfway between the mean scores of both labels; for neighbours the share of 1s.
        """
        if learner == "neighbours":
            return float(labels.mean())
        scores = self.weights(learner, fitted, fitted) @ labels
        return float((scores[labels == 1].mean() + scores[labels == 0].mean()) / 2)


def probe(
    target: ProbeTarget,
    columns: Floats,
    learner: Learner,
    settings: ProbeSettings,
    shuffled: Labels,
) -> ProbeResult:
    """Fit on columns (n, d) in every fold and predict the patients held out.

    shuffled: as of `ProbeTarget.shuffled`; each shuffle is fitted and predicted as well.
    """
    scores = np.full(target.held_out.shape, np.nan)
    calls = np.zeros(target.held_out.shape, dtype=np.int64)
    null_aucs = []
    for repeat, held_out in enumerate(target.held_out):
        null_scores = np.full(shuffled.shape, np.nan)
        for fold in np.unique(held_out[held_out >= 0]):
            predicted, fitted = np.flatnonzero(held_out == fold), np.flatnonzero(held_out != fold)
            weights = settings.weights(learner, columns[fitted], columns[predicted])
            labels = target.labels[fitted]
            scores[repeat, predicted] = np.round(weights @ labels, _DECIMALS)
            null_scores[predicted] = np.round(weights @ shuffled[fitted], _DECIMALS)
            threshold = settings.threshold(learner, columns[fitted], labels)
            calls[repeat, predicted] = scores[repeat, predicted] >= threshold
        scored = held_out >= 0
        null_aucs.append(column_aucs(shuffled[scored], null_scores[scored]))
    return ProbeResult(scores, calls, np.mean(null_aucs, axis=0))


def column_aucs(labels: Labels, scores: Floats) -> Floats:
    """The AUC of each column of scores (n, m) for the same column of labels (n, m): (m,).

    From the rank sum of Mann and Whitney; ties count half. NaN for a column with one label only.
    """
    n_ones = labels.sum(axis=0)
    pairs = n_ones * (len(labels) - n_ones)
    won = (rankdata(scores, axis=0) * labels).sum(axis=0) - n_ones * (n_ones + 1) / 2
    return np.asarray(np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0))


def _ridge_weights(fitted: Floats, others: Floats, ridge: float) -> Floats:
    """Ridge regression of the labels on standardised columns.

    No intercept: it would differ from fold to fold, and rank patients by their fold.
    """
    mean, deviation = fitted.mean(axis=0), fitted.std(axis=0)
    scale = np.where(deviation > 0, deviation, np.inf)  # a constant column gets weight 0
    known, new = (fitted - mean) / scale, (others - mean) / scale
    # The penalty grows with n, so that shrinkage does not depend on the size of the training part.
    gram = known.T @ known + ridge * len(fitted) * np.eye(known.shape[1])
    return np.asarray(new @ np.linalg.solve(gram, known.T), dtype=np.float64)


def _neighbour_weights(fitted: Floats, others: Floats, neighbours: int) -> Floats:
    """The mean label of the nearest patients; of equally near ones, those that come first."""
    nearest = np.argsort(cdist(others, fitted), axis=1, kind="stable")[:, :neighbours]
    weights = np.zeros((len(others), len(fitted)))
    np.put_along_axis(weights, nearest, 1 / nearest.shape[1], axis=1)
    return weights

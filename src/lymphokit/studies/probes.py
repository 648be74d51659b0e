"""What a few columns tell about patients that were not learned from, and what chance would tell.

Both ways to learn here are linear in the labels: a ridge regression on standardised columns, and
the mean label of the patients nearby. What everybody's label has to do with what is said of
everybody is therefore one matrix, made once from the columns alone, and thousands of shuffles of
the labels, each learned and predicted anew in every fold, are one product with it.
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
_DIGITS = 10  # kept of what is said, so that patients with equal columns are told equally


@dataclass(frozen=True)
class Question:
    """Whose label is asked, and who is asked by a learner fitted on all others.

    labels (n,) in {0, 1}; held_out (n_repeats, n): the fold in which a patient is predicted, -1
    where in none. The training part of a fold is everybody else.
    """

    patients: tuple[str, ...]
    labels: Labels
    held_out: NDArray[np.int64]

    @classmethod
    def of(cls, labels: "pd.Series[int]", folds: pd.DataFrame) -> Self:
        """From labels by patient, and rows `fold, repeat, patient, part` as of folds.csv.

        Raises LymphokitError unless the folds are of exactly these patients.
        """
        if set(folds["patient"]) != set(labels.index):
            raise LymphokitError("the folds are of other patients than the labels; make them anew")
        out = folds[folds["part"] != "train"]
        wide = out.pivot(index="repeat", columns="patient", values="fold")
        held_out = wide.reindex(columns=labels.index).fillna(-1).to_numpy(np.int64)
        return cls(tuple(labels.index), np.asarray(labels, dtype=np.int64), held_out)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Who is predicted in which repeat: (n_repeats, n)."""
        return self.held_out >= 0

    @property
    def n_fitted(self) -> float:
        """Of how many patients a learner learns in a fold, on average."""
        each = [
            np.sum(held_out != fold)
            for held_out in self.held_out
            for fold in np.unique(held_out[held_out >= 0])
        ]
        return float(np.mean(each))

    def shuffled(self, shuffles: int, seed: int) -> Labels:
        """The labels dealt anew, within each fold of the first repeat: (n, shuffles).

        So every fold keeps its share of each label, as stratified folds have it.
        """
        rng = np.random.default_rng(seed)
        dealt = np.repeat(self.labels[:, None], shuffles, axis=1)
        for fold in np.unique(self.held_out[0]):
            members = np.flatnonzero(self.held_out[0] == fold)
            dealt[members] = rng.permuted(dealt[members], axis=0)
        return dealt


@dataclass(frozen=True)
class Answers:
    """What one learner says: scores and calls (n_repeats, n), NaN and 0 of those not asked.

    by_chance (shuffles,): the AUC that it reaches where the labels are shuffled.
    """

    scores: Floats
    called: Labels
    by_chance: Floats

    def p_value(self, auc: float) -> float:
        """How often shuffled labels are told at least as well, this one time included."""
        return float((1 + np.sum(self.by_chance >= auc)) / (1 + len(self.by_chance)))


@dataclass(frozen=True)
class Learners:
    """How strongly a trend is shrunk, as a share of a column's variance; how many neighbours."""

    ridge: float
    neighbours: int

    def weights(self, by: Learner, seen: Floats, unseen: Floats) -> Floats:
        """Of the label of each patient seen (n, d) in the score of each other: (n_other, n)."""
        if by == "neighbours":
            return _neighbour_weights(seen, unseen, self.neighbours)
        return _ridge_weights(seen, unseen, self.ridge)

    def edge(self, by: Learner, seen: Floats, labels: Labels) -> float:
        """The score from which a patient is called 1, taken from the training part.

        Halfway between the mean scores of both labels; for neighbours the share of 1s.
        """
        if by == "neighbours":
            return float(labels.mean())
        scores = self.weights(by, seen, seen) @ labels
        return float((scores[labels == 1].mean() + scores[labels == 0].mean()) / 2)


def ask(
    question: Question, columns: Floats, by: Learner, learners: Learners, shuffled: Labels
) -> Answers:
    """Learn from columns (n, d) in every fold and predict those held out.

    shuffled: of `Question.shuffled`; each shuffle is learned and predicted anew as well.
    """
    scores = np.full(question.held_out.shape, np.nan)
    called = np.zeros(question.held_out.shape, dtype=np.int64)
    by_chance = []
    for repeat, held_out in enumerate(question.held_out):
        of_shuffles = np.full(shuffled.shape, np.nan)
        for fold in np.unique(held_out[held_out >= 0]):
            unseen, seen = np.flatnonzero(held_out == fold), np.flatnonzero(held_out != fold)
            weights = learners.weights(by, columns[seen], columns[unseen])
            labels = question.labels[seen]
            scores[repeat, unseen] = np.round(weights @ labels, _DIGITS)
            of_shuffles[unseen] = np.round(weights @ shuffled[seen], _DIGITS)
            edge = learners.edge(by, columns[seen], labels)
            called[repeat, unseen] = scores[repeat, unseen] >= edge
        asked = held_out >= 0
        by_chance.append(column_aucs(shuffled[asked], of_shuffles[asked]))
    return Answers(scores, called, np.mean(by_chance, axis=0))


def column_aucs(labels: Labels, scores: Floats) -> Floats:
    """The AUC of every column of scores (n, m) for the same column of labels (n, m): (m,).

    The rank sum of Mann and Whitney; ties count half. NaN where a column has one label alone.
    """
    n_ones = labels.sum(axis=0)
    pairs = n_ones * (len(labels) - n_ones)
    won = (rankdata(scores, axis=0) * labels).sum(axis=0) - n_ones * (n_ones + 1) / 2
    return np.asarray(np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0))


def _ridge_weights(seen: Floats, unseen: Floats, ridge: float) -> Floats:
    """A ridge regression of the labels on standardised columns.

    No intercept: it would differ from fold to fold, and order patients by their fold.
    """
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    scale = np.where(deviation > 0, deviation, np.inf)  # what does not vary says nothing
    known, new = (seen - mean) / scale, (unseen - mean) / scale
    gram = known.T @ known + ridge * len(seen) * np.eye(known.shape[1])
    return np.asarray(new @ np.linalg.solve(gram, known.T), dtype=np.float64)


def _neighbour_weights(seen: Floats, unseen: Floats, neighbours: int) -> Floats:
    """The mean label of the nearest patients; of equally near ones, those that come first."""
    nearest = np.argsort(cdist(unseen, seen), axis=1, kind="stable")[:, :neighbours]
    weights = np.zeros((len(unseen), len(seen)))
    np.put_along_axis(weights, nearest, 1 / nearest.shape[1], axis=1)
    return weights

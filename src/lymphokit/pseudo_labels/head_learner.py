"""`train: head`: a linear layer on feature banks, which were computed once for every round.

With a frozen backbone, log-softmax with two outputs and negative log-likelihood is logistic
regression, and weight decay is a ridge: a strictly convex problem with one optimum, which Newton's
method finds in milliseconds. There is no learning rate, epoch count or starting point to choose.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lymphokit.arrays import parts_of
from lymphokit.cohort.tables import read_table
from lymphokit.errors import BankError
from lymphokit.features.bank import open_bank
from lymphokit.pseudo_labels.learner import CellScores, LabelledSplit, LearnerInputs
from lymphokit.pseudo_labels.selection import Cells, Floats
from lymphokit.solvers.logistic import Logistic, fit_logistic

_SMALLEST_SPREAD = 1e-9  # a feature that varies less is constant: its weight is 0, not a quotient


def fit_head(features: NDArray[np.floating], labels: NDArray[np.int64], ridge: float) -> Logistic:
    """Fit the head that minimises mean negative log-likelihood + ridge / 2 |weights|^2.

    features (n, d), standardised here on these rows; labels (n,) in {0, 1}, both present; ridge is
    the weight decay of the standardised features, positive. The intercept is free. The head
    returned takes features as they are.
    Raises ValueError where one label is missing.
    """
    wide = np.asarray(features, dtype=np.float64)
    mean, spread = wide.mean(axis=0), wide.std(axis=0)
    inverse = np.where(spread > _SMALLEST_SPREAD, 1.0 / np.maximum(spread, _SMALLEST_SPREAD), 0.0)
    shares = np.full(len(wide), 1 / len(wide))
    head = fit_logistic((wide - mean) * inverse, labels, shares, ridge=ridge)
    weights = inverse * head.weights
    return Logistic(weights, head.intercept - float(mean @ weights))


@dataclass(frozen=True)
class HeadLearner:
    """Learner with a frozen backbone.

    features (n_cells, d) of the cohort's cells; labelled (n, d) of the labelled cells, n = 0
    without any, with their split; ridge as for `fit_head`.
    """

    features: NDArray[np.floating]
    labelled: NDArray[np.floating]
    split: LabelledSplit
    ridge: float

    def fit_and_score(
        self,
        cells: Cells,
        labels: NDArray[np.int64],
        *,
        with_labelled: bool,
        seed: int,  # noqa: ARG002
    ) -> CellScores:
        """Fit the head on cells and (pseudo-)labels; the optimum is unique, whatever the seed."""
        rows = self.features[cells]
        if with_labelled:
            is_training = self.split.is_training
            rows = np.concatenate([self.labelled[is_training], rows])
            labels = np.concatenate([self.split.labels[is_training], labels])
        head = fit_head(rows, labels, self.ridge)
        validation = head.log_odds(self.labelled[~self.split.is_training])
        # Part by part: the bank is on disk, and the product would double its precision.
        scores = [head.log_odds(part) for part in parts_of(self.features)]
        return CellScores(np.concatenate(scores), self.split.accuracy(validation))


@dataclass(frozen=True)
class HeadClassifier:
    """Cell classifier with a frozen backbone: features (n_cells, d), and the ridge of the head."""

    features: NDArray[np.floating]
    ridge: float

    def fit_predict(
        self,
        cells: Cells,
        labels: NDArray[np.int64],
        others: Cells,
        *,
        seed: int,  # noqa: ARG002
    ) -> Floats:
        """Log odds of label 1 for `others`; the optimum is unique, whatever the seed."""
        head = fit_head(self.features[cells], labels, self.ridge)
        return head.log_odds(self.features[others])


def open_learner(inputs: LearnerInputs) -> HeadLearner:
    """Open the learner on the banks `bank` (the cohort's cells) and, if given, `labelled_bank`.

    Raises BankError where a bank is not of these cells, or the two have different features.
    """
    files, ridge = inputs.files, inputs.settings["ridge"]
    features = open_bank(Path(files["bank"]), len(read_table(files["cells"]))).features
    if "table" not in files:
        return HeadLearner(features, features[:0], LabelledSplit.empty(), ridge)
    table = read_table(files["table"])
    labelled = open_bank(Path(files["labelled_bank"]), len(table)).features
    if features.shape[1] != labelled.shape[1]:
        raise BankError(
            f"{files['bank']} has {features.shape[1]} features and {files['labelled_bank']} "
            f"{labelled.shape[1]}: they are of two networks; delete both, the next run makes them"
        )
    split = LabelledSplit.from_table(table)
    return HeadLearner(features, np.asarray(labelled), split, ridge)

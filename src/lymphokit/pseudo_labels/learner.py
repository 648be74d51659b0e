"""What trains a network on cells and scores cells: the interface, and both ways to train.

`train: head` fits a linear layer on feature banks (`head_learner`); `train: all` trains every
weight on images (`network_learner`). Each module is imported on use: a round of `head` takes less
time than importing torch, which only `all` needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.pseudo_labels.selection import Cells, Floats

MODULES = {
    "head": "lymphokit.pseudo_labels.head_learner",
    "all": "lymphokit.pseudo_labels.network_learner",
}


@dataclass(frozen=True)
class CellScores:
    """Scores of a trained network.

    log_odds (n_cells,) of label 1 for every cell of the cohort; labelled_accuracy on the labelled
    cells' validation part, NaN where there is none.
    """

    log_odds: Floats
    labelled_accuracy: float


class Learner(Protocol):
    """Trains on cells of the cohort and on labelled cells, and scores every cell of the cohort."""

    def fit_and_score(
        self, cells: Cells, labels: NDArray[np.int64], *, with_labelled: bool, seed: int
    ) -> CellScores:
        """Train, from the pretrained weights, on these cells and their (pseudo-)labels.

        cells, labels (n,); with_labelled: on the labelled cells' training part, too.
        """
        ...


class CellClassifier(Protocol):
    """Trains on cells of the cohort and scores others."""

    def fit_predict(
        self, cells: Cells, labels: NDArray[np.int64], others: Cells, *, seed: int
    ) -> Floats:
        """Log odds of label 1 for `others`, from a network trained on `cells` and labels (n,)."""
        ...


@dataclass(frozen=True)
class LabelledSplit:
    """Labels (n,) of the labelled cells, and which of them are for training (n,)."""

    labels: NDArray[np.int64]
    is_training: NDArray[np.bool_]

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Self:
        """From labelled_cells/cells.csv, with columns label and part."""
        is_training = (table["part"] == "train").to_numpy()
        return cls(table["label"].to_numpy(np.int64), is_training)

    @classmethod
    def empty(cls) -> Self:
        """Of no labelled cells."""
        return cls(np.array([], np.int64), np.array([], np.bool_))

    def accuracy(self, log_odds: Floats) -> float:
        """Accuracy on the validation part, from its log odds (n_validation,); NaN of no cells."""
        correct = (log_odds > 0) == (self.labels[~self.is_training] == 1)
        return float(np.mean(correct)) if len(correct) else float("nan")


@dataclass(frozen=True)
class LearnerInputs:
    """Inputs of a learner.

    settings: of the block `pseudo_label`; files: the rule's inputs by name, those of the labelled
    cells only where the rounds start from them; frame: `size` and
    `crop` of the cohort's images; trunk: arguments of `load_backbone`, and seed where its weights
    are random. `train: head` uses the first two alone.
    """

    settings: Mapping[str, Any]
    files: Mapping[str, str]
    frame: Mapping[str, int | None]
    trunk: Mapping[str, Any]
    seed: int


def open_learner(inputs: LearnerInputs) -> Learner:
    """Make the learner that `pseudo_label.train` selects."""
    module = import_module(MODULES[inputs.settings["train"]])
    return cast(Learner, module.open_learner(inputs))

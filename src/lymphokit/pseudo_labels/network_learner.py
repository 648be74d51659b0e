"""Learners that train a pretrained network whole, on the images themselves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lymphokit.features.backbone import Backbone
from lymphokit.features.fine_tune import CellImages, Sgd, fine_tune
from lymphokit.pseudo_labels.rounds import Judgement


@dataclass(frozen=True)
class Both:
    """The images of the cohort's cells and, after them, those of the labelled cells, as one."""

    own: CellImages
    labelled: CellImages

    def __len__(self) -> int:
        return len(self.own) + len(self.labelled)

    def __getitem__(self, cells: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The images at these positions, in this order: (n, h, w, 3)."""
        of_labelled = cells >= len(self.own)
        parts = [self.own[cells[~of_labelled]]] if not of_labelled.all() else []
        if of_labelled.any():
            parts.append(self.labelled[cells[of_labelled] - len(self.own)])
        together = np.concatenate(parts)
        order = np.argsort(of_labelled, kind="stable")
        return together[np.argsort(order)]


@dataclass(frozen=True)
class WholeNetwork:
    """Trains every weight, from the pretrained ones, on images.

    images of the cohort's cells, labelled: images of the labelled cells, of the same size, with
    labels (n,) and is_training (n,), which tells their training part.
    """

    backbone: Backbone
    images: CellImages
    labelled: CellImages
    labels: NDArray[np.int64]
    is_training: NDArray[np.bool_]
    sgd: Sgd

    def learn(
        self,
        cells: NDArray[np.int64],
        labels: NDArray[np.int64],
        *,
        with_labelled: bool,
        seed: int,
    ) -> Judgement:
        """Train on cells and (pseudo-)labels; batches, and the new layer's start, are `seed`'s."""
        both = Both(self.images, self.labelled)
        known = np.flatnonzero(self.is_training) if with_labelled else np.array([], np.int64)
        trained = fine_tune(
            self.backbone,
            both,
            np.concatenate([cells, known + len(self.images)]),
            np.concatenate([labels, self.labels[known]]),
            settings=self.sgd,
            seed=seed,
        )
        held_out = np.flatnonzero(~self.is_training)
        called = trained.log_odds(both, held_out + len(self.images)) > 0
        accuracy = float(np.mean(called == (self.labels[held_out] == 1)))
        return Judgement(trained.log_odds(both, np.arange(len(self.images))), accuracy)


@dataclass(frozen=True)
class NetworkOnImages:
    """`train: all` of the naive network: every weight is trained, from the pretrained ones.

    images of the cohort's cells.
    """

    backbone: Backbone
    images: CellImages
    sgd: Sgd

    def judge(
        self,
        cells: NDArray[np.int64],
        labels: NDArray[np.int64],
        others: NDArray[np.int64],
        *,
        seed: int,
    ) -> NDArray[np.float64]:
        """Log odds of label 1 for `others`; batches, and the new layer's start, are `seed`'s."""
        trained = fine_tune(self.backbone, self.images, cells, labels, settings=self.sgd, seed=seed)
        return trained.log_odds(self.images, others)

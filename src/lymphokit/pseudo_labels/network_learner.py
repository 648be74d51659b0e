"""`train: all`: every weight of a pretrained network is trained, on images read on access."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lymphokit.cohort.tables import read_table
from lymphokit.features.backbone import Backbone, load_backbone
from lymphokit.features.fine_tune import CellImages, Sgd, fine_tune
from lymphokit.files import read_json
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.stain import source_and_target
from lymphokit.pseudo_labels.learner import CellScores, LabelledSplit, LearnerInputs
from lymphokit.pseudo_labels.selection import Cells, Floats


@dataclass(frozen=True)
class JoinedImages:
    """Two sets of images as one sequence: the cohort's cells, then the labelled cells."""

    cohort: CellImages
    labelled: CellImages

    def __len__(self) -> int:
        return len(self.cohort) + len(self.labelled)

    def __getitem__(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The images at these positions, in this order: (n, h, w, 3)."""
        is_labelled = positions >= len(self.cohort)
        # An empty part is left out: it has no image to take the shape from.
        parts = [self.cohort[positions[~is_labelled]]] if not is_labelled.all() else []
        if is_labelled.any():
            parts.append(self.labelled[positions[is_labelled] - len(self.cohort)])
        order = np.argsort(is_labelled, kind="stable")  # order[i]: position of image i of `parts`
        return np.concatenate(parts)[np.argsort(order)]


@dataclass(frozen=True)
class NetworkLearner:
    """Learner that trains every weight, from the pretrained ones.

    cohort: images of the cohort's cells; labelled: images of the labelled cells, of the same
    size, with their split.
    """

    backbone: Backbone
    cohort: CellImages
    labelled: CellImages
    split: LabelledSplit
    sgd: Sgd

    def fit_and_score(
        self, cells: Cells, labels: NDArray[np.int64], *, with_labelled: bool, seed: int
    ) -> CellScores:
        """Train on cells and (pseudo-)labels; the seed sets batches and the new layer's start."""
        images, n_cells = JoinedImages(self.cohort, self.labelled), len(self.cohort)
        is_training = self.split.is_training
        extra = np.flatnonzero(is_training) if with_labelled else np.array([], np.int64)
        trained = fine_tune(
            self.backbone,
            images,
            np.concatenate([cells, extra + n_cells]),
            np.concatenate([labels, self.split.labels[extra]]),
            settings=self.sgd,
            seed=seed,
        )
        validation = trained.log_odds(images, np.flatnonzero(~is_training) + n_cells)
        accuracy = self.split.accuracy(validation)
        return CellScores(trained.log_odds(images, np.arange(n_cells)), accuracy)


@dataclass(frozen=True)
class NetworkClassifier:
    """Cell classifier that trains every weight, on images of the cohort's cells."""

    backbone: Backbone
    images: CellImages
    sgd: Sgd

    def fit_predict(
        self, cells: Cells, labels: NDArray[np.int64], others: Cells, *, seed: int
    ) -> Floats:
        """Log odds of label 1 for `others`; the seed sets batches and the new layer's start."""
        trained = fine_tune(self.backbone, self.images, cells, labels, settings=self.sgd, seed=seed)
        return trained.log_odds(self.images, others)


def open_learner(inputs: LearnerInputs) -> NetworkLearner:
    """Open the learner on the images below `raw` and, if given, those that `about` locates.

    All are resized to `labelled_px` pixels a side, and the stain of one set is moved onto the
    other's; without labelled cells it stays. Raises WeightsError where the network or its weights
    cannot be had.
    """
    files, settings, frame = inputs.files, inputs.settings, inputs.frame
    raw, side = Path(files["raw"]), settings["labelled_px"]
    cohort = ImageFiles(
        raw, read_table(files["cells"])["path"].tolist(), frame["size"], frame["crop"], side
    )
    labelled, split = ImageFiles(raw, [], None, None, side), LabelledSplit.empty()
    if "table" in files:
        table = read_table(files["table"])
        home = Path(read_json(Path(files["about"]), "home")["home"])
        stains = read_json(Path(files["stain"]))
        moving, per = settings["stain"], settings["stain_per"]
        stain = source_and_target("labelled_cells", moving, stains, per=per)
        labelled = ImageFiles(home, table["file"].tolist(), None, None, side, stain)
        split = LabelledSplit.from_table(table)
        stain = source_and_target("competition", moving, stains, per=per)
        cohort = replace(cohort, stain=stain)
    trunk = load_backbone(**inputs.trunk, seed=inputs.seed)
    return NetworkLearner(trunk, cohort, labelled, split, Sgd(**settings["sgd"]))

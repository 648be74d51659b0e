"""The learner that trains every weight: which images it reads, and what they teach it."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from lymphokit.features.backbone import load_backbone
from lymphokit.features.fine_tune import Sgd
from lymphokit.pseudo_labels.learner import LabelledSplit
from lymphokit.pseudo_labels.network_learner import JoinedImages, NetworkLearner
from lymphokit.pseudo_labels.rounds import NONE_HELD_OUT, SelfTraining, TrainingSubset
from lymphokit.pseudo_labels.selection import RoundSizes, SelectionSettings

SGD = Sgd(
    epochs=8,  # enough for log-odds of at least 2 with any seed
    batch_size=4,
    learning_rate=0.003,
    momentum=0.9,
    weight_decay=0.0,
    flips=0.0,
    precision="float32",
)


@dataclass
class Drawn:
    """Images in memory: label 1 is red, label 0 blue."""

    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, cells: NDArray[np.int64]) -> NDArray[np.uint8]:
        rng = np.random.default_rng(0)
        images = rng.integers(0, 60, (len(self), 32, 32, 3)).astype(np.uint8)
        images[self.labels == 1, ..., 0] += 150
        images[self.labels == 0, ..., 2] += 150
        return images[cells]


def test_two_sets_of_images_are_one_in_any_order() -> None:
    cohort, labelled = Drawn(np.array([0, 1, 0])), Drawn(np.array([1, 1]))
    both = JoinedImages(cohort, labelled)
    assert len(both) == 5
    positions = np.array([4, 0, 3, 2])
    apart = [
        labelled[np.array([1])],
        cohort[np.array([0])],
        labelled[np.array([0])],
        cohort[np.array([2])],
    ]
    expected = np.concatenate(apart)
    np.testing.assert_array_equal(both[positions], expected)
    np.testing.assert_array_equal(both[np.array([1, 0])], cohort[np.array([1, 0])])
    np.testing.assert_array_equal(both[np.array([3])], labelled[np.array([0])])


@pytest.fixture(scope="module")
def learner() -> NetworkLearner:
    backbone = load_backbone("resnet18.tv_in1k", weights="none", sha256=None, seed=0)
    cohort, labelled = np.arange(10) % 2, np.arange(16) % 2
    return NetworkLearner(
        backbone, Drawn(cohort), Drawn(labelled), LabelledSplit(labelled, np.arange(16) < 12), SGD
    )


@pytest.mark.trains
def test_the_labelled_cells_alone_teach_it_the_cohorts_cells(learner: NetworkLearner) -> None:
    none = np.array([], dtype=np.int64)
    scores = learner.fit_and_score(none, none, with_labelled=True, seed=1)
    assert scores.labelled_accuracy == 1.0
    assert ((scores.log_odds > 0) == (np.arange(10) % 2 == 1)).all()


@pytest.mark.trains
def test_without_the_labelled_cells_pseudo_labels_alone_count(learner: NetworkLearner) -> None:
    cells = np.arange(10)
    turned = learner.fit_and_score(cells, 1 - cells % 2, with_labelled=False, seed=1)
    assert turned.labelled_accuracy == 0.0
    assert ((turned.log_odds > 0) == (cells % 2 == 0)).all()


def test_vgg19_goes_through_a_full_round() -> None:
    backbone = load_backbone("vgg19.tv_in1k", weights="none", sha256=None, seed=0)
    assert backbone.n_features == 4096
    one_step = replace(SGD, epochs=1, batch_size=16)
    labelled = np.arange(12) % 2
    learner = NetworkLearner(
        backbone,
        Drawn(np.arange(8) % 2),
        Drawn(labelled),
        LabelledSplit(labelled, np.arange(12) < 8),
        one_step,
    )
    cells = pd.DataFrame({"patient": list("aabbccdd"), "image": list("01010101")})
    subset = TrainingSubset(NONE_HELD_OUT, np.arange(4), np.arange(4, 8))
    selection = SelectionSettings("absolute", None, None, "random", "order")
    rounds = SelfTraining([subset], cells, RoundSizes((1,)), selection, learner, 0, 1)
    before = rounds.round_zero()
    after = rounds.next_round(1, before)
    surest = int(before.log_odds[0, :4].argmax())
    assert after.added["cell"].tolist()[0] == surest
    assert after.added["label"].tolist() == [1, 0]
    assert np.isfinite(after.log_odds).all()
    assert not np.array_equal(after.log_odds, before.log_odds)

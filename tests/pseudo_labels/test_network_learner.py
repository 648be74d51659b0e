"""The learner that trains whole networks: which images it asks for, and what it leaves alone."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from lymphokit.features.backbone import load_backbone
from lymphokit.features.fine_tune import Sgd
from lymphokit.pseudo_labels.network_learner import Both, WholeNetwork
from lymphokit.pseudo_labels.rounds import WHOLE, Chain, Rounds
from lymphokit.pseudo_labels.selection import Choice, Schedule

SGD = Sgd(
    epochs=3,
    batch_size=8,
    learning_rate=0.02,
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
    own, labelled = Drawn(np.array([0, 1, 0])), Drawn(np.array([1, 1]))
    both = Both(own, labelled)
    assert len(both) == 5
    asked = np.array([4, 0, 3, 2])
    apart = [
        labelled[np.array([1])],
        own[np.array([0])],
        labelled[np.array([0])],
        own[np.array([2])],
    ]
    expected = np.concatenate(apart)
    np.testing.assert_array_equal(both[asked], expected)
    np.testing.assert_array_equal(both[np.array([1, 0])], own[np.array([1, 0])])
    np.testing.assert_array_equal(both[np.array([3])], labelled[np.array([0])])


@pytest.fixture(scope="module")
def learner() -> WholeNetwork:
    backbone = load_backbone("resnet18.tv_in1k", weights="none", sha256=None, seed=0)
    own, labelled = np.arange(10) % 2, np.arange(16) % 2
    return WholeNetwork(backbone, Drawn(own), Drawn(labelled), labelled, np.arange(16) < 12, SGD)


def test_the_labelled_cells_alone_teach_it_the_cohorts_cells(learner: WholeNetwork) -> None:
    none = np.array([], dtype=np.int64)
    judgement = learner.learn(none, none, with_labelled=True, seed=1)
    assert judgement.labelled_accuracy == 1.0
    assert ((judgement.log_odds > 0) == (np.arange(10) % 2 == 1)).all()


def test_without_the_labelled_cells_pseudo_labels_alone_count(learner: WholeNetwork) -> None:
    cells = np.arange(10)
    turned = learner.learn(cells, 1 - cells % 2, with_labelled=False, seed=1)
    assert turned.labelled_accuracy == 0.0
    assert ((turned.log_odds > 0) == (cells % 2 == 0)).all()


def test_vgg19_goes_through_a_full_round() -> None:
    backbone = load_backbone("vgg19.tv_in1k", weights="none", sha256=None, seed=0)
    assert backbone.n_features == 4096
    one_step = replace(SGD, epochs=1, batch_size=16)
    labelled = np.arange(12) % 2
    learner = WholeNetwork(
        backbone, Drawn(np.arange(8) % 2), Drawn(labelled), labelled, np.arange(12) < 8, one_step
    )
    cells = pd.DataFrame({"patient": list("aabbccdd"), "image": list("01010101")})
    chain = Chain(WHOLE, np.arange(4), np.arange(4, 8))
    choice = Choice("absolute", None, None, "random", "order")
    rounds = Rounds([chain], cells, Schedule((1,)), choice, learner, 0, 1)
    before = rounds.first()
    after = rounds.next(1, before)
    surest = int(before.log_odds[0, :4].argmax())
    assert after.added["cell"].tolist()[0] == surest
    assert after.added["label"].tolist() == [1, 0]
    assert np.isfinite(after.log_odds).all()
    assert not np.array_equal(after.log_odds, before.log_odds)

"""Every cell has its patient's label, and is scored by a network trained without the patient."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from lymphokit.pseudo_labels.head_learner import HeadClassifier, fit_head
from lymphokit.pseudo_labels.instance_network import instance_probabilities

N_PATIENTS, CELLS_EACH = 12, 4
NAMES = [f"P{number}" for number in range(N_PATIENTS)]
PATIENTS = pd.DataFrame({"patient": NAMES, "label": [1, 0] * 5 + [-1, -1]})
CELLS = pd.DataFrame(
    {"cell": np.arange(N_PATIENTS * CELLS_EACH), "patient": np.repeat(NAMES, CELLS_EACH)}
)
FOLD = pd.DataFrame(  # P0 to P7 train, in two inner folds, P8 and P9 validate; the others are tests
    {
        "fold": 3,
        "patient": NAMES[:10],
        "part": ["train"] * 8 + ["validation"] * 2,
        "inner": [0, 0, 0, 0, 1, 1, 1, 1, -1, -1],
    }
)
PATIENT_OF = np.repeat(np.arange(N_PATIENTS), CELLS_EACH)


@dataclass
class Recorder:
    """A classifier that records its training patients with labels, and the patients it scored."""

    calls: list[tuple[dict[int, int], set[int], int]] = field(default_factory=list)

    def fit_predict(
        self,
        cells: NDArray[np.int64],
        labels: NDArray[np.int64],
        others: NDArray[np.int64],
        *,
        seed: int,
    ) -> NDArray[np.float64]:
        assert len(set(cells.tolist())) == len(cells)
        labelled = dict(zip(PATIENT_OF[cells].tolist(), labels.tolist(), strict=True))
        assert len(cells) == CELLS_EACH * len(labelled)
        self.calls.append((labelled, set(PATIENT_OF[others].tolist()), seed))
        return others / 10.0


def test_no_cell_is_scored_by_a_network_trained_on_its_patient() -> None:
    network = Recorder()
    instance_probabilities(CELLS, PATIENTS, FOLD, network, seed=7)
    trained_on = [set(labelled) for labelled, _, _ in network.calls]
    scored = [others for _, others, _ in network.calls]
    assert trained_on == [set(range(8)), {4, 5, 6, 7}, {0, 1, 2, 3}]
    assert scored == [{8, 9, 10, 11}, {0, 1, 2, 3}, {4, 5, 6, 7}]


def test_every_training_cell_has_the_label_of_its_patient() -> None:
    network = Recorder()
    instance_probabilities(CELLS, PATIENTS, FOLD, network, seed=7)
    for labelled, _, _ in network.calls:
        assert labelled == {patient: 1 - patient % 2 for patient in labelled}


def test_a_cell_gets_the_probability_of_its_log_odds() -> None:
    found = instance_probabilities(CELLS, PATIENTS, FOLD, Recorder(), seed=7)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.arange(len(CELLS)) / 10.0)))


def test_every_network_has_another_seed() -> None:
    network = Recorder()
    for fold in (3, 4):
        instance_probabilities(CELLS, PATIENTS, FOLD.assign(fold=fold), network, seed=7)
    assert len({seed for *_, seed in network.calls}) == 6


def test_labels_of_held_out_patients_change_nothing() -> None:
    rng = np.random.default_rng(0)
    classifier = HeadClassifier(rng.normal(size=(len(CELLS), 3)), 0.1)
    turned = PATIENTS.copy()
    turned.loc[8:9, "label"] = [0, 1]
    first = instance_probabilities(CELLS, PATIENTS, FOLD, classifier, seed=7)
    second = instance_probabilities(CELLS, turned, FOLD, classifier, seed=7)
    np.testing.assert_array_equal(first, second)


def test_a_head_separates_the_cells_of_two_labels() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(len(CELLS), 3))
    truth = PATIENT_OF % 2 == 0
    features[truth, 1] += 3.0
    found = instance_probabilities(CELLS, PATIENTS, FOLD, HeadClassifier(features, 0.1), seed=7)
    assert roc_auc_score(truth, found) > 0.9
    rows = np.arange(8 * CELLS_EACH)
    head = fit_head(features[rows], truth[rows].astype(np.int64), 0.1)
    expected = 1 / (1 + np.exp(-head.log_odds(features[len(rows) :])))
    np.testing.assert_allclose(found[len(rows) :], expected)


def test_training_patients_of_one_label_are_refused() -> None:
    classifier = HeadClassifier(np.zeros((len(CELLS), 2)), 0.1)
    with pytest.raises(ValueError, match="both labels"):
        instance_probabilities(CELLS, PATIENTS.assign(label=1), FOLD, classifier, seed=7)

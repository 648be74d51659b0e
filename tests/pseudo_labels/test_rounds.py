"""The rounds: what each trains on, what it adds, and that held-out patients leave no trace."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from lymphokit.pseudo_labels.head_learner import HeadLearner
from lymphokit.pseudo_labels.learner import CellScores, LabelledSplit
from lymphokit.pseudo_labels.rounds import SelfTraining, require_enough_cells, training_subsets
from lymphokit.pseudo_labels.selection import RoundsError, RoundSizes, SelectionSettings
from lymphokit.pseudo_labels.state import (
    NONE_HELD_OUT,
    State,
    added_to,
    cells_and_labels,
    out_of_fold_log_odds,
    summarise,
)

REPORT = SelectionSettings("absolute", None, None, "random", "order")
SIZES = RoundSizes((1, 1, 3))
N_PATIENTS, CELLS_EACH = 12, 4


def tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Twelve patients of four cells; the first eight train, in two inner folds; two are tests."""
    names = [f"P{number}" for number in range(N_PATIENTS)]
    patients = pd.DataFrame({"patient": names, "label": [1, 0] * 5 + [-1, -1]})
    cells = pd.DataFrame(
        {
            "cell": np.arange(N_PATIENTS * CELLS_EACH),
            "patient": np.repeat(names, CELLS_EACH),
            "image": [f"{number}.jpg" for _ in names for number in range(CELLS_EACH)],
        }
    )
    fold = pd.DataFrame(
        {
            "patient": names[:10],
            "part": ["train"] * 8 + ["validation"] * 2,
            "inner": [0, 0, 0, 0, 1, 1, 1, 1, -1, -1],
        }
    )
    return cells, patients, fold


@dataclass
class Recorder:
    """A learner that records its calls; its log odds rise with the number of the cell."""

    calls: list[tuple[list[int], list[int], bool, int]] = field(default_factory=list)

    def fit_and_score(
        self, cells: NDArray[np.int64], labels: NDArray[np.int64], *, with_labelled: bool, seed: int
    ) -> CellScores:
        self.calls.append((cells.tolist(), labels.tolist(), with_labelled, seed))
        return CellScores(np.arange(N_PATIENTS * CELLS_EACH) / 10.0, 0.5)


def rounds_with(
    learner: object, sizes: RoundSizes = SIZES, selection: SelectionSettings = REPORT
) -> SelfTraining:
    cells, patients, fold = tables()
    return SelfTraining(
        training_subsets(cells, patients, fold), cells, sizes, selection, learner, 7, 1
    )  # type: ignore[arg-type]


def all_states(rounds: SelfTraining) -> list[State]:
    states = [rounds.round_zero()]
    for number in range(1, len(rounds.sizes) + 1):
        states.append(rounds.next_round(number, states[-1]))
    return states


def test_subsets_take_from_training_patients_without_the_inner_fold_held_out() -> None:
    subsets = training_subsets(*tables())
    assert [subset.held_out for subset in subsets] == [NONE_HELD_OUT, 0, 1]
    patients_of = [
        {int(cell) // CELLS_EACH for cell in np.concatenate([subset.positives, subset.negatives])}
        for subset in subsets
    ]
    assert patients_of == [set(range(8)), {4, 5, 6, 7}, {0, 1, 2, 3}]
    assert {int(cell) // CELLS_EACH % 2 for cell in subsets[0].positives} == {0}


def test_every_round_adds_as_many_cells_as_configured() -> None:
    added = all_states(rounds_with(Recorder()))[-1].added
    sizes = added.groupby(["held_out", "round", "label"]).size().unstack()
    for subset in (NONE_HELD_OUT, 0, 1):
        assert sizes.loc[subset].to_numpy().tolist() == [[1, 1], [1, 1], [3, 3]]
    assert not added.duplicated(["held_out", "cell"]).any()


def test_every_round_trains_on_all_cells_so_far_and_the_labelled_ones() -> None:
    learner = Recorder()
    states = all_states(rounds_with(learner))
    assert learner.calls[0][:3] == ([], [], True)
    whole = learner.calls[1::3]
    for state, (cells, labels, with_labelled, _) in zip(states[1:], whole, strict=True):
        added = added_to(state.added, NONE_HELD_OUT)
        assert (cells, labels) == (added["cell"].tolist(), added["label"].tolist())
        assert with_labelled


def test_the_last_phase_trains_on_the_added_cells_alone() -> None:
    learner = Recorder()
    rounds = rounds_with(learner)
    state = all_states(rounds)[-1]
    rounds.last_phase(state)
    cells, labels, with_labelled, _ = learner.calls[-3]
    added = added_to(state.added, NONE_HELD_OUT)
    assert (cells, labels) == (added["cell"].tolist(), added["label"].tolist())
    assert not with_labelled


def test_every_training_has_another_seed() -> None:
    learner = Recorder()
    all_states(rounds_with(learner))
    seeds = [seed for *_, seed in learner.calls]
    assert len(set(seeds)) == len(seeds) == 1 + 3 * 3


def test_a_round_adds_the_cells_that_the_previous_network_was_most_confident_of() -> None:
    rounds = rounds_with(Recorder())
    added = rounds.next_round(1, rounds.round_zero()).added
    top = added[(added["held_out"] == NONE_HELD_OUT) & (added["label"] == 1)]
    assert top["cell"].tolist() == [27]  # the last cell of P6, the last tumoral patient
    assert top["patient"].tolist() == ["P6"]
    assert top["probability"].tolist() == pytest.approx([1 / (1 + np.exp(-2.7))])


def test_further_rounds_leave_the_first_ones_as_they_were() -> None:
    short, long = (all_states(rounds_with(Recorder(), RoundSizes(s))) for s in ((1, 1), (1, 1, 3)))
    pd.testing.assert_frame_equal(short[2].added, long[2].added)


def test_too_few_cells_are_refused_before_anything_is_added() -> None:
    rounds = rounds_with(Recorder(), RoundSizes((9,)))
    with pytest.raises(RoundsError, match="8 cells of tumoral training patients are too few"):
        rounds.next_round(1, rounds.round_zero())


def test_a_cap_counts_when_cells_are_counted() -> None:
    rounds = rounds_with(Recorder(), RoundSizes((3,)), replace(REPORT, most_per_patient=1))
    with pytest.raises(RoundsError, match=r"2 cells of tumoral .* at most 1 a patient"):
        require_enough_cells(rounds.subsets, rounds.patient_of, rounds.sizes, rounds.selection)


def learner_on(seed: int = 3) -> HeadLearner:
    """A head on cells of which every tumoral patient's last two are abnormal."""
    cells, patients, _ = tables()
    rng = np.random.default_rng(seed)
    label = np.repeat(patients["label"].to_numpy() == 1, CELLS_EACH)
    abnormal = label & (cells["cell"].to_numpy() % CELLS_EACH >= 2)
    features = rng.normal(size=(len(cells), 5)) + 3.0 * abnormal[:, None]
    truth = np.arange(20) % 2
    labelled = rng.normal(size=(20, 5)) + 3.0 * truth[:, None]
    return HeadLearner(features, labelled, LabelledSplit(truth, np.arange(20) < 14), 0.1)


def test_abnormal_cells_are_found_without_labels() -> None:
    rounds = rounds_with(learner_on(), RoundSizes((1, 1, 2)))
    added = all_states(rounds)[-1].added
    positive = added[added["label"] == 1]
    assert (positive["cell"] % CELLS_EACH >= 2).all()


def test_nothing_of_a_held_out_patient_reaches_its_probabilities() -> None:
    """Whatever the features and the label of a held-out patient, the others' networks are equal."""
    cells, patients, fold = tables()
    learner = learner_on()
    changed = learner.features.copy()
    held_out = (cells["patient"] == "P0").to_numpy()  # inner fold 0, tumoral
    changed[held_out] = 50.0
    other = patients.assign(label=patients["label"].mask(patients["patient"] == "P0", 0))
    outcomes = []
    for features, table in ((learner.features, patients), (changed, other)):
        rounds = SelfTraining(
            training_subsets(cells, table, fold),
            cells,
            RoundSizes((1, 1)),
            REPORT,
            replace(learner, features=features),
            7,
            1,
        )
        outcomes.append(rounds.last_phase(all_states(rounds)[-1]))
    first, second = (outcome.log_odds[1, ~held_out] for outcome in outcomes)
    np.testing.assert_array_equal(first, second)
    whole = [outcome.log_odds[0, ~held_out] for outcome in outcomes]
    assert not np.array_equal(*whole)  # P0 is in the subset of all training patients


def test_each_cell_is_scored_by_the_network_trained_without_its_patient() -> None:
    log_odds = np.array([[0.0, 1.0, 2.0], [10.0, 11.0, 12.0], [20.0, 21.0, 22.0]])
    state = State(pd.DataFrame(), np.array([NONE_HELD_OUT, 0, 1]), log_odds, np.zeros(3))
    assert out_of_fold_log_odds(state, np.array([1, NONE_HELD_OUT, 0])).tolist() == [
        20.0,
        1.0,
        12.0,
    ]


def test_the_summary_lists_the_patients_of_a_subset() -> None:
    state = all_states(rounds_with(Recorder()))[-1]
    whole, *inner = summarise(state)
    added = added_to(state.added, NONE_HELD_OUT)
    assert whole["patients"] == sorted(set(added["patient"]))
    assert (whole["positive"], whole["negative"]) == (5, 5)
    assert [subset["held_out"] for subset in inner] == [0, 1]
    assert not set(inner[0]["patients"]) & {"P0", "P1", "P2", "P3"}


def test_cells_added_with_a_low_probability_are_counted() -> None:
    cells, labels = np.array([1, 2]), np.array([1, 1])
    added = pd.DataFrame(
        {
            "held_out": NONE_HELD_OUT,
            "round": 1,
            "label": labels,
            "patient": "P0",
            "cell": cells,
            "probability": [0.9, 0.4],
        }
    )
    state = State(added, np.array([NONE_HELD_OUT]), np.zeros((1, 3)), np.array([0.5]))
    assert summarise(state)[0]["unlikely"] == 1
    np.testing.assert_array_equal(cells_and_labels(added)[0], cells)

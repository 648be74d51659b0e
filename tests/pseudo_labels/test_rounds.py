"""The rounds: what each trains on, what it adds, and that held-out patients leave no trace."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from lymphokit.pseudo_labels.head import FrozenTrunk
from lymphokit.pseudo_labels.rounds import (
    WHOLE,
    Judgement,
    Rounds,
    State,
    account,
    cells_and_labels,
    chains_of,
    require_enough,
    unseen,
)
from lymphokit.pseudo_labels.selection import Choice, Schedule, ScheduleError

REPORT = Choice("absolute", None, None, "random", "order")
SCHEDULE = Schedule((1, 1, 3))
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
    """A learner that remembers its lessons; its network likes cells with a high number."""

    lessons: list[tuple[list[int], list[int], bool, int]] = field(default_factory=list)

    def learn(
        self, cells: NDArray[np.int64], labels: NDArray[np.int64], *, with_labelled: bool, seed: int
    ) -> Judgement:
        self.lessons.append((cells.tolist(), labels.tolist(), with_labelled, seed))
        return Judgement(np.arange(N_PATIENTS * CELLS_EACH) / 10.0, 0.5)


def rounds_with(learner: object, schedule: Schedule = SCHEDULE, choice: Choice = REPORT) -> Rounds:
    cells, patients, fold = tables()
    return Rounds(chains_of(cells, patients, fold), cells, schedule, choice, learner, 7, 1)  # type: ignore[arg-type]


def played(rounds: Rounds) -> list[State]:
    states = [rounds.first()]
    for number in range(1, len(rounds.schedule) + 1):
        states.append(rounds.next(number, states[-1]))
    return states


def test_chains_take_from_training_patients_without_the_inner_fold_held_out() -> None:
    chains = chains_of(*tables())
    assert [chain.held_out for chain in chains] == [WHOLE, 0, 1]
    patients_of = [
        {int(cell) // CELLS_EACH for cell in np.concatenate([chain.positives, chain.negatives])}
        for chain in chains
    ]
    assert patients_of == [set(range(8)), {4, 5, 6, 7}, {0, 1, 2, 3}]
    assert {int(cell) // CELLS_EACH % 2 for cell in chains[0].positives} == {0}


def test_after_the_last_round_there_are_exactly_as_many_as_scheduled() -> None:
    added = played(rounds_with(Recorder()))[-1].added
    sizes = added.groupby(["chain", "round", "label"]).size().unstack()
    for chain in (WHOLE, 0, 1):
        assert sizes.loc[chain].to_numpy().tolist() == [[1, 1], [1, 1], [3, 3]]
    assert not added.duplicated(["chain", "cell"]).any()


def test_every_round_trains_on_all_cells_so_far_and_the_labelled_ones() -> None:
    learner = Recorder()
    states = played(rounds_with(learner))
    assert learner.lessons[0][:3] == ([], [], True)
    whole = learner.lessons[1::3]
    for state, (cells, labels, with_labelled, _) in zip(states[1:], whole, strict=True):
        own = state.added[state.added["chain"] == WHOLE]
        assert (cells, labels) == (own["cell"].tolist(), own["label"].tolist())
        assert with_labelled


def test_the_last_phase_trains_on_our_own_cells_alone() -> None:
    learner = Recorder()
    rounds = rounds_with(learner)
    state = played(rounds)[-1]
    rounds.last_phase(state)
    cells, labels, with_labelled, _ = learner.lessons[-3]
    own = state.added[state.added["chain"] == WHOLE]
    assert (cells, labels) == (own["cell"].tolist(), own["label"].tolist())
    assert not with_labelled


def test_every_training_has_a_seed_of_its_own() -> None:
    learner = Recorder()
    played(rounds_with(learner))
    seeds = [seed for *_, seed in learner.lessons]
    assert len(set(seeds)) == len(seeds) == 1 + 3 * 3


def test_a_round_adds_what_the_network_before_was_surest_of() -> None:
    rounds = rounds_with(Recorder())
    added = rounds.next(1, rounds.first()).added
    surest = added[(added["chain"] == WHOLE) & (added["label"] == 1)]
    assert surest["cell"].tolist() == [27]  # the last cell of P6, the last tumoral patient
    assert surest["patient"].tolist() == ["P6"]
    assert surest["probability"].tolist() == pytest.approx([1 / (1 + np.exp(-2.7))])


def test_a_longer_schedule_leaves_the_first_rounds_as_they_were() -> None:
    short, long = (played(rounds_with(Recorder(), Schedule(s))) for s in ((1, 1), (1, 1, 3)))
    pd.testing.assert_frame_equal(short[2].added, long[2].added)


def test_too_few_cells_are_refused_before_anything_is_added() -> None:
    rounds = rounds_with(Recorder(), Schedule((9,)))
    with pytest.raises(ScheduleError, match="8 cells of tumoral training patients are too few"):
        rounds.next(1, rounds.first())


def test_a_cap_counts_when_cells_are_counted() -> None:
    rounds = rounds_with(Recorder(), Schedule((3,)), replace(REPORT, most_per_patient=1))
    with pytest.raises(ScheduleError, match=r"2 cells of tumoral .* at most 1 a patient"):
        require_enough(rounds.chains, rounds.patient_of, rounds.schedule, rounds.choice)


def learner_on(labels_swapped: bool = False, seed: int = 3) -> FrozenTrunk:
    """A frozen trunk on cells of which every tumoral patient's last two are abnormal."""
    cells, patients, _ = tables()
    rng = np.random.default_rng(seed)
    label = np.repeat(patients["label"].to_numpy() == 1, CELLS_EACH)
    abnormal = label & (cells["cell"].to_numpy() % CELLS_EACH >= 2)
    features = rng.normal(size=(len(cells), 5)) + 3.0 * abnormal[:, None]
    truth = np.arange(20) % 2
    labelled = rng.normal(size=(20, 5)) + 3.0 * truth[:, None]
    return FrozenTrunk(features, labelled, truth ^ labels_swapped, np.arange(20) < 14, 0.1)


def test_abnormal_cells_are_found_without_being_told() -> None:
    rounds = rounds_with(learner_on(), Schedule((1, 1, 2)))
    added = played(rounds)[-1].added
    positive = added[added["label"] == 1]
    assert (positive["cell"] % CELLS_EACH >= 2).all()


def test_nothing_of_a_held_out_patient_reaches_its_own_probabilities() -> None:
    """Whatever the features and the label of a held-out patient, the others' networks are equal."""
    cells, patients, fold = tables()
    learner = learner_on()
    stranger = learner.features.copy()
    held_out = (cells["patient"] == "P0").to_numpy()  # inner fold 0, tumoral
    stranger[held_out] = 50.0
    other = patients.assign(label=patients["label"].mask(patients["patient"] == "P0", 0))
    outcomes = []
    for features, table in ((learner.features, patients), (stranger, other)):
        rounds = Rounds(
            chains_of(cells, table, fold),
            cells,
            Schedule((1, 1)),
            REPORT,
            replace(learner, features=features),
            7,
            1,
        )
        outcomes.append(rounds.last_phase(played(rounds)[-1]))
    first, second = (outcome.log_odds[1, ~held_out] for outcome in outcomes)
    np.testing.assert_array_equal(first, second)
    whole = [outcome.log_odds[0, ~held_out] for outcome in outcomes]
    assert not np.array_equal(*whole)  # the chain on all patients does see P0


def test_each_cell_is_judged_by_the_chain_that_never_saw_its_patient() -> None:
    log_odds = np.array([[0.0, 1.0, 2.0], [10.0, 11.0, 12.0], [20.0, 21.0, 22.0]])
    state = State(pd.DataFrame(), np.array([WHOLE, 0, 1]), log_odds, np.zeros(3))
    assert unseen(state, np.array([1, WHOLE, 0])).tolist() == [20.0, 1.0, 12.0]


def test_the_account_names_whom_a_chain_has_seen() -> None:
    state = played(rounds_with(Recorder()))[-1]
    whole, *inner = account(state)
    own = state.added[state.added["chain"] == WHOLE]
    assert whole["seen"] == sorted(set(own["patient"]))
    assert (whole["positive"], whole["negative"]) == (5, 5)
    assert [chain["chain"] for chain in inner] == [0, 1]
    assert not set(inner[0]["seen"]) & {"P0", "P1", "P2", "P3"}


def test_cells_added_though_called_negative_are_counted() -> None:
    cells, labels = np.array([1, 2]), np.array([1, 1])
    added = pd.DataFrame(
        {"chain": WHOLE, "label": labels, "patient": "P0", "cell": cells, "probability": [0.9, 0.4]}
    )
    state = State(added, np.array([WHOLE]), np.zeros((1, 3)), np.array([0.5]))
    assert account(state)[0]["unlikely"] == 1
    np.testing.assert_array_equal(cells_and_labels(added)[0], cells)

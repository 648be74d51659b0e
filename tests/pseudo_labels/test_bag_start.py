"""Rounds that start from bags: what round 0 draws, and that held-out patients leave no trace."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from lymphokit.pseudo_labels.head_learner import HeadLearner, fit_head
from lymphokit.pseudo_labels.learner import LabelledSplit, LearnerInputs, open_learner
from lymphokit.pseudo_labels.rounds import SelfTraining, training_subsets
from lymphokit.pseudo_labels.selection import RoundsError, RoundSizes
from lymphokit.pseudo_labels.state import (
    NONE_HELD_OUT,
    State,
    added_in_rounds,
    added_to,
    drawn_in_round_zero,
    read_state,
    summarise,
    write_state,
)
from tests.pseudo_labels.test_rounds import REPORT, Recorder, all_states, learner_on, tables

INNER = {-1: list(range(8)), 0: [4, 5, 6, 7], 1: [0, 1, 2, 3]}  # patients of each training subset


def without_labelled_cells() -> HeadLearner:
    features = learner_on().features
    return HeadLearner(features, features[:0], LabelledSplit.empty(), 0.1)


def from_bags(
    learner: object, patients: pd.DataFrame | None = None, *, drawn: int = 3, seed: int = 7
) -> SelfTraining:
    cells, known, fold = tables()
    subsets = training_subsets(cells, known if patients is None else patients, fold)
    sizes = RoundSizes((1, 2))
    return SelfTraining(subsets, cells, sizes, REPORT, learner, seed, 1, drawn)  # type: ignore[arg-type]


def test_round_zero_draws_as_many_cells_of_each_label_from_the_patients_of_its_subset() -> None:
    cells, patients, _ = tables()
    added = from_bags(Recorder()).round_zero().added
    assert (added["round"] == 0).all()
    assert added["probability"].isna().all()
    label_of = patients.set_index("patient")["label"]
    assert (added["label"] == added["patient"].map(label_of)).all()
    assert (added["patient"].to_numpy() == cells["patient"].to_numpy()[added["cell"]]).all()
    for held_out, allowed in INNER.items():
        rows = added_to(added, held_out)
        assert set(rows["patient"]) <= {f"P{number}" for number in allowed}
        # A quarter of the 8 cells of a label where an inner fold is held out, else 3 of 16.
        n = 3 if held_out == NONE_HELD_OUT else 2
        assert rows["label"].tolist() == [1] * n + [0] * n
        assert not rows["cell"].duplicated().any()


def test_the_draw_follows_from_the_seed_alone() -> None:
    one, again, other = (from_bags(Recorder(), seed=s).round_zero().added for s in (7, 7, 8))
    pd.testing.assert_frame_equal(one, again)
    assert one["cell"].tolist() != other["cell"].tolist()


def test_round_zero_is_the_naive_network_on_the_cells_drawn() -> None:
    learner = without_labelled_cells()
    state = from_bags(learner).round_zero()
    for row, held_out in enumerate(state.held_out.tolist()):
        rows = added_to(state.added, held_out)
        head = fit_head(learner.features[rows["cell"]], rows["label"].to_numpy(), learner.ridge)
        np.testing.assert_array_equal(state.log_odds[row], head.log_odds(learner.features))


def test_no_round_adds_the_cells_that_the_start_was_trained_on() -> None:
    last = all_states(from_bags(without_labelled_cells()))[-1].added
    assert not last.duplicated(["held_out", "cell"]).any()
    sizes = added_in_rounds(last).groupby(["held_out", "round", "label"]).size().unstack()
    for held_out in INNER:
        assert sizes.loc[held_out].to_numpy().tolist() == [[1, 1], [2, 2]]


def test_every_round_trains_on_the_start_too_and_the_last_phase_on_added_cells_alone() -> None:
    learner = Recorder()
    rounds = from_bags(learner)
    *_, state = all_states(rounds)
    final = rounds.last_phase(state)
    whole = [cells for cells, *_ in learner.calls[::3]]  # of all training patients, step by step
    added = added_to(state.added, NONE_HELD_OUT)
    assert whole[0] == drawn_in_round_zero(added)["cell"].tolist()
    assert whole[2] == added["cell"].tolist()
    assert whole[3] == added_in_rounds(added)["cell"].tolist()
    pd.testing.assert_frame_equal(final.added, state.added)


def test_the_cells_drawn_count_when_cells_are_counted() -> None:
    rounds = replace(from_bags(Recorder()), sizes=RoundSizes((7,)))
    with pytest.raises(RoundsError, match="6 cells of tumoral training patients are too few"):
        rounds.next_round(1, rounds.round_zero())


def test_a_cap_on_a_patient_counts_the_cells_that_rounds_added() -> None:
    rounds = replace(from_bags(Recorder()), selection=replace(REPORT, most_per_patient=2))
    added = added_in_rounds(all_states(rounds)[-1].added)
    assert added.groupby(["held_out", "patient"]).size().max() == 2


@pytest.mark.parametrize(
    ("subset", "poisoned"),
    [(0, [8, 9]), (0, [10, 11]), (1, [0]), (1, [0, 1, 2, 3, 8]), (2, [4, 7, 11])],
)
def test_nothing_of_a_held_out_patient_reaches_the_others(subset: int, poisoned: list[int]) -> None:
    """Held-out patients with other features and the other label leave a subset as it was."""
    cells, patients, _ = tables()
    learner = without_labelled_cells()
    held_out = cells["patient"].isin([f"P{number}" for number in poisoned]).to_numpy()
    features = np.where(held_out[:, None], 50.0, learner.features)
    labels = patients["label"].to_numpy().copy()
    labels[poisoned] = np.where(labels[poisoned] < 0, -1, 1 - labels[poisoned])
    outcomes = []
    for one, table in (
        (learner, patients),
        (replace(learner, features=features), patients.assign(label=labels)),
    ):
        rounds = from_bags(one, table)
        states = all_states(rounds)
        outcomes.append([*states, rounds.last_phase(states[-1])])
    for clean, dirty in zip(*outcomes, strict=True):
        np.testing.assert_array_equal(
            clean.log_odds[subset, ~held_out], dirty.log_odds[subset, ~held_out]
        )
        number = clean.held_out[subset]
        pd.testing.assert_frame_equal(
            added_to(clean.added, number).reset_index(drop=True),
            added_to(dirty.added, number).reset_index(drop=True),
        )


def test_what_is_forgotten_is_not_measured_and_the_record_says_so(tmp_path: Path) -> None:
    state = all_states(from_bags(without_labelled_cells()))[-1]
    assert np.isnan(state.labelled_accuracy).all()
    record = json.loads(json.dumps(summarise(state), allow_nan=False))
    assert [subset["labelled_accuracy"] for subset in record] == [None] * 3
    assert [subset["drawn"] for subset in record] == [6, 4, 4]
    assert record[0]["positive"] == record[0]["negative"] == 3
    assert not set(record[1]["patients"]) & {"P0", "P1", "P2", "P3"}
    write_state(state, tmp_path / "added.csv", tmp_path / "scores.npz")
    read: State = read_state(tmp_path / "added.csv", tmp_path / "scores.npz")
    pd.testing.assert_frame_equal(read.added, state.added)


@pytest.mark.trains
def test_a_whole_network_starts_from_bags_on_images_as_they_are(tmp_path: Path) -> None:
    cells, patients, fold = tables()
    rng = np.random.default_rng(0)
    paths = [f"{number}.png" for number in range(len(cells))]
    for path in paths:
        cv2.imwrite(str(tmp_path / path), rng.integers(0, 255, (24, 24, 3), dtype=np.uint8))
    cells.assign(path=paths).to_csv(tmp_path / "cells.csv", index=False)
    sgd = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01, "momentum": 0.9}
    sgd |= {"weight_decay": 0.0, "flips": 0.0, "precision": "float32"}
    learner = open_learner(
        LearnerInputs(
            {"train": "all", "labelled_px": 32, "sgd": sgd},
            {"cells": str(tmp_path / "cells.csv"), "raw": str(tmp_path)},
            {"size": 24, "crop": None},
            {"name": "test_resnet.r160_in1k", "weights": "none", "sha256": None},
            0,
        )
    )
    subsets = training_subsets(cells, patients, fold)[:1]
    rounds = replace(from_bags(learner), subsets=subsets, sizes=RoundSizes((1,)))
    states = all_states(rounds)
    assert np.isfinite(rounds.last_phase(states[-1]).log_odds).all()
    assert not np.array_equal(states[0].log_odds, states[1].log_odds)

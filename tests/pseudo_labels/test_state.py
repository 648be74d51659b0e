"""A state comes back from disk as it was, to the last bit."""

from pathlib import Path

import numpy as np
import pandas as pd

from lymphokit.pseudo_labels.state import (
    ADDED_COLUMNS,
    State,
    no_cells_added,
    read_state,
    write_state,
)


def test_a_state_survives_the_disk_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    added = pd.DataFrame(
        {
            "held_out": [-1, 0],
            "round": [1, 2],
            "label": [1, 0],
            "patient": ["NA", "007"],
            "image": ["1.jpg", "2.jpg"],
            "cell": [3, 9],
            "probability": rng.random(2) / 3,
        }
    ).astype(ADDED_COLUMNS)
    state = State(added, np.array([-1, 0]), rng.normal(size=(2, 5)), rng.random(2))
    files = tmp_path / "added.csv", tmp_path / "scores.npz"
    write_state(state, *files)
    back = read_state(*files)
    pd.testing.assert_frame_equal(back.added, state.added, check_exact=True)
    for one, other in ((back.held_out, state.held_out), (back.log_odds, state.log_odds)):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(back.labelled_accuracy, state.labelled_accuracy)
    once = [file.read_bytes() for file in files]
    write_state(back, *files)
    assert [file.read_bytes() for file in files] == once


def test_a_state_without_cells_comes_back_with_its_types(tmp_path: Path) -> None:
    files = tmp_path / "added.csv", tmp_path / "scores.npz"
    write_state(State(no_cells_added(), np.array([-1]), np.zeros((1, 2)), np.zeros(1)), *files)
    back = read_state(*files).added
    assert len(back) == 0
    assert back["cell"].dtype == np.int64

"""The table of rounds against numbers worked out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lymphokit.errors import BankError
from lymphokit.pseudo_labels.rounds_table import COLUMNS, rounds_table, summary, truth_of
from lymphokit.pseudo_labels.state import ADDED_COLUMNS, NONE_HELD_OUT, State

CELLS = pd.DataFrame(
    {
        "cell": range(8),
        "patient": ["A", "A", "B", "B", "C", "C", "D", "D"],
        "image": ["0.jpg", "1.jpg"] * 4,
        "label": [1, 1, 0, 0, 1, 1, 0, 0],
    }
)
FOLDS = pd.DataFrame(
    {"fold": 1, "patient": ["A", "B", "C", "D"], "part": ["train"] * 2 + ["validation"] * 2}
)
ABNORMAL = np.array([True, False, False, False, True, False, False, False])


def state(rows: list[tuple[object, ...]], log_odds: list[float], accuracy: float) -> State:
    added = pd.DataFrame(rows, columns=list(ADDED_COLUMNS)).astype(ADDED_COLUMNS)
    scores = np.stack([np.full(8, 99.0), np.array(log_odds)])
    return State(added, np.array([0, NONE_HELD_OUT]), scores, np.array([0.0, accuracy]))


BEFORE = state([], [1, 1, 1, 1, -1, -1, 1, 1], 0.9)
AFTER = state(
    [
        (NONE_HELD_OUT, 1, 1, "A", "0.jpg", 0, 0.8),
        (NONE_HELD_OUT, 1, 1, "A", "1.jpg", 1, 0.6),
        (NONE_HELD_OUT, 1, 0, "B", "0.jpg", 2, 0.3),
        (0, 1, 1, "A", "1.jpg", 1, 0.1),
    ],
    [1, 1, -1, -1, 2, 1, -3, -1],
    0.7,
)


def table(is_abnormal: "np.ndarray | None" = None) -> pd.DataFrame:  # type: ignore[type-arg]
    return rounds_table(
        [BEFORE, AFTER], CELLS, FOLDS, places=[(1, 0), (1, 1)], is_abnormal=is_abnormal
    )


def test_a_row_describes_the_subset_of_all_training_patients() -> None:
    first, last = table().to_dict("records")
    assert list(first) == COLUMNS
    assert (last["n_added"], last["n_patients"]) == (2, 1)
    assert (last["confidence"], last["least_confidence"]) == pytest.approx((0.7, 0.6))
    assert (first["labelled_accuracy"], last["labelled_accuracy"]) == (0.9, 0.7)
    assert np.isnan(first["confidence"])


def test_cells_that_round_0_drew_are_not_counted_as_added() -> None:
    drawn = [
        (NONE_HELD_OUT, 0, label, "AB"[1 - label], "1.jpg", 3 - 2 * label, np.nan)
        for label in (1, 0)
    ]
    after = state([*drawn, (NONE_HELD_OUT, 1, 1, "A", "0.jpg", 0, 0.8)], [1.0] * 8, np.nan)
    rows = rounds_table(
        [state(drawn, [1.0] * 8, np.nan), after],
        CELLS,
        FOLDS,
        places=[(1, 0), (1, 1)],
        is_abnormal=ABNORMAL,
    )
    assert rows["n_added"].tolist() == [0, 1]
    assert rows["truly_abnormal"].tolist()[1] == 1.0
    assert "not measured" in summary(rows)


def test_auc_is_of_validation_patients_alone() -> None:
    first, last = table()["auc"]
    assert (first, last) == (0.0, 1.0)


def test_the_truth_is_in_the_table_where_it_is_known() -> None:
    assert table()["truly_abnormal"].isna().all()
    known = table(ABNORMAL)
    assert known["truly_abnormal"].iloc[1] == 0.5
    assert known["cell_auc"].iloc[1] == 1.0
    assert "0.500 truly are abnormal" in summary(known)
    assert "truly" not in summary(table())


def test_truth_is_matched_by_patient_and_image(tmp_path: Path) -> None:
    kinds = np.where(ABNORMAL, "abnormal", "small")
    known = CELLS[["patient", "image"]].assign(kind=kinds).sample(frac=1, random_state=0)
    known.to_csv(tmp_path / "cells.csv", index=False)
    np.testing.assert_array_equal(truth_of(tmp_path, CELLS), ABNORMAL)
    known.iloc[1:].to_csv(tmp_path / "cells.csv", index=False)
    with pytest.raises(BankError, match="other cells"):
        truth_of(tmp_path, CELLS)

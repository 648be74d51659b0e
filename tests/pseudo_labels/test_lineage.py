"""Every kind of leak is planted in a lineage, and found by name."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from lymphokit.evaluation.out_of_fold import LeakError
from lymphokit.pseudo_labels.lineage import check_lineage
from lymphokit.pseudo_labels.rounds import NONE_HELD_OUT

PATIENTS = pd.DataFrame(
    {
        "patient": ["A", "B", "C", "D", "V", "T"],
        "part": ["train"] * 5 + ["test"],
        "label": [1, 0, 1, 0, 1, -1],
    }
)
FOLD = pd.DataFrame(
    {
        "fold": 1,
        "patient": ["A", "B", "C", "D", "V"],
        "part": ["train"] * 4 + ["validation"],
        "inner": [0, 0, 1, 1, -1],
    }
)
# Two cells a patient: A has 0 and 1, B 2 and 3, ...
CELLS = pd.DataFrame({"cell": range(12), "patient": [p for p in PATIENTS["patient"] for _ in "ab"]})
SIZES = [1, 1]


def honest() -> pd.DataFrame:
    rows = [
        (NONE_HELD_OUT, 1, 1, "A", 0),
        (NONE_HELD_OUT, 1, 0, "B", 2),
        (NONE_HELD_OUT, 2, 1, "C", 4),
        (NONE_HELD_OUT, 2, 0, "D", 6),
        *((0, 1, 1, "C", 4), (0, 1, 0, "D", 6), (0, 2, 1, "C", 5), (0, 2, 0, "D", 7)),
        *((1, 1, 1, "A", 0), (1, 1, 0, "B", 2), (1, 2, 1, "A", 1), (1, 2, 0, "B", 3)),
    ]
    return pd.DataFrame(rows, columns=["held_out", "round", "label", "patient", "cell"])


def checked(added: pd.DataFrame, **changes: Any) -> dict[str, Any]:
    given = {"records": [], "sizes": SIZES, "exact": True, "stain_patients": ["A", "B", "C", "D"]}
    return check_lineage(added, FOLD, PATIENTS, CELLS, **{**given, **changes})


def with_row(place: int, **values: object) -> Callable[[], pd.DataFrame]:
    def changed() -> pd.DataFrame:
        added = honest()
        for column, value in values.items():
            added.loc[place, column] = value
        return added

    return changed


def test_an_honest_lineage_passes_and_its_sources_are_listed() -> None:
    lineage = checked(honest())
    assert lineage["label_sources"] == {
        "-1": ["A", "B", "C", "D"],
        "0": ["C", "D"],
        "1": ["A", "B"],
    }
    assert lineage["cells"] == {"-1": 4, "0": 4, "1": 4}


@pytest.mark.parametrize(
    ("planted", "finding"),
    [
        (
            with_row(0, patient="V", cell=8),
            "all training patients, round 1: V is a validation patient",
        ),
        (with_row(0, patient="T", cell=10), "all training patients, round 1: T is a test patient"),
        (with_row(0, patient="Z", cell=0), "all training patients, round 1: Z is in no table"),
        (
            with_row(4, patient="A", cell=0),
            "without inner fold 0, round 1: A is of the inner fold held out",
        ),
        (with_row(0, patient="B", cell=3), "a cell of B has label 1"),
        (with_row(2, cell=8), "all training patients, round 2: cell 8 is of V, not of C"),
        (with_row(6, cell=4), "without inner fold 0, round 2: cell 4 of C was added before"),
        (with_row(2, round=1), "all training patients, round 1: added 2 cells as 1 and 1 as 0"),
        (with_row(2, round=3), "round 3 is not configured"),
    ],
)
def test_a_planted_fault_fails_and_is_named(
    planted: Callable[[], pd.DataFrame], finding: str
) -> None:
    with pytest.raises(LeakError, match="fold 1: pseudo-labels of a wrong lineage") as caught:
        checked(planted())
    assert finding in str(caught.value)


def with_draws(added: pd.DataFrame) -> pd.DataFrame:
    """The honest lineage of rounds that started from bags: a cell of each label drawn before."""
    rows = [(NONE_HELD_OUT, 0, 1, "A", 1), (NONE_HELD_OUT, 0, 0, "B", 3)]
    more = pd.DataFrame(
        [(1, 2, 1, "A", 1), (1, 2, 0, "B", 3), (0, 2, 1, "C", 5), (0, 2, 0, "D", 7)],
        columns=added.columns,
    )
    # One round fewer in the subsets without an inner fold, whose patients have two cells each.
    drawn = pd.DataFrame(rows, columns=added.columns)
    return pd.concat([drawn, more.assign(round=0), added[added["round"] < 2]], ignore_index=True)


def test_an_honest_start_from_bags_passes_and_is_named() -> None:
    lineage = checked(with_draws(honest()), drawn=1, sizes=[1], stain_patients=[])
    assert lineage["start"] == "bags"
    assert lineage["cells"] == {"-1": 4, "0": 4, "1": 4}
    assert checked(honest())["start"] == "labelled_cells"


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        ({"patient": "V", "cell": 8}, "all training patients, round 0: V is a validation patient"),
        ({"patient": "T", "cell": 10}, "all training patients, round 0: T is a test patient"),
        ({"label": 0}, "a cell of A has label 0"),
        ({"label": 0}, "all training patients, round 0: drew 0 cells as 1 and 2 as 0"),
        ({"held_out": 0}, "without inner fold 0, round 0: A is of the inner fold held out"),
        ({"cell": 0}, "cell 0 of A was added before"),
    ],
)
def test_a_fault_planted_in_the_start_is_named(values: dict[str, Any], finding: str) -> None:
    added = with_draws(honest())
    for column, value in values.items():
        added.loc[0, column] = value
    with pytest.raises(LeakError) as caught:
        checked(added, drawn=1, sizes=[1])
    assert finding in str(caught.value)


@pytest.mark.parametrize("drawn", [None, 0])
def test_cells_drawn_beyond_what_is_configured_are_a_fault(drawn: int | None) -> None:
    with pytest.raises(LeakError, match="round 0: drew 1 cells as 1 and 1 as 0, expected"):
        checked(with_draws(honest()), drawn=drawn, sizes=[1])


def test_a_round_that_added_nothing_is_a_fault_unless_there_is_a_floor() -> None:
    short = honest()[lambda rows: ~((rows["held_out"] == NONE_HELD_OUT) & (rows["round"] == 2))]
    with pytest.raises(
        LeakError, match="all training patients, round 2: added 0 cells as 1 and 0 as 0"
    ):
        checked(short)
    assert checked(short, exact=False)["cells"]["-1"] == 2


def test_a_network_trained_on_patients_of_whom_no_cell_was_added_is_a_fault() -> None:
    record = {"phase": "round", "subsets": [{"held_out": 0, "patients": ["C", "D", "V"]}]}
    with pytest.raises(LeakError, match="without inner fold 0, round: trained on V"):
        checked(honest(), records=[record])


def test_a_stain_measured_on_others_is_a_fault() -> None:
    with pytest.raises(LeakError, match="the stain was measured on T, no training patient"):
        checked(honest(), stain_patients=["A", "T"])

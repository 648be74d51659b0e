"""Which cells a round adds: how many, in what order, and what each setting changes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lymphokit.pseudo_labels.selection import (
    CellPool,
    RoundsError,
    RoundSizes,
    SelectionSettings,
    probability,
    select_cells,
)

REPORT = SelectionSettings("absolute", None, None, "random", "order")
NO_CELLS = np.array([], dtype=np.int64)
# Twelve cells: patients 0, 1 are tumoral, 2, 3 reactive; three cells each.
PATIENT_OF = np.repeat(np.arange(4), 3)
LOG_ODDS = np.array([3.0, 9.0, 1.0, 2.0, 4.0, -1.0, 5.0, 0.0, 8.0, -2.0, 7.0, 6.0])


def changed(**options: object) -> SelectionSettings:
    return SelectionSettings(**{**REPORT.__dict__, **options})  # type: ignore[arg-type]


def pool(cells: range, *taken: int) -> CellPool:
    return CellPool(np.array(cells), np.array(taken, dtype=np.int64), PATIENT_OF)


def chosen(
    settings: SelectionSettings, size: int, *taken: int, seed: int = 0
) -> tuple[list[int], list[int]]:
    positives = pool(range(6), *(cell for cell in taken if cell < 6))
    negatives = pool(range(6, 12), *(cell for cell in taken if cell >= 6))
    added = select_cells(LOG_ODDS, positives, negatives, size, settings, [seed])
    return added[0].tolist(), added[1].tolist()


def test_the_reports_rounds_end_at_a_hundred_cells_after_23() -> None:
    sizes = RoundSizes.from_config([{"count": 5, "add": 2}, {"count": 18, "add": 5}])
    assert len(sizes) == 23
    assert sizes.total == 100
    assert [sizes.size_of(number) for number in (0, 1, 5, 6, 23)] == [0, 2, 2, 5, 5]


@pytest.mark.parametrize("number", [24, -1])
def test_a_round_beyond_the_last_is_refused(number: int) -> None:
    sizes = RoundSizes.from_config([{"count": 23, "add": 1}])
    with pytest.raises(RoundsError, match=f"round {number}: .* has 23 rounds"):
        sizes.size_of(number)


def test_the_most_confident_cells_are_added_most_confident_first() -> None:
    assert chosen(REPORT, 3)[0] == [1, 4, 0]


def test_a_cell_is_never_added_twice() -> None:
    assert chosen(REPORT, 3, 1, 0)[0] == [4, 3, 2]


def test_negatives_are_drawn_by_the_seed_from_reactive_patients() -> None:
    draws = {tuple(chosen(REPORT, 3, seed=seed)[1]) for seed in range(20)}
    assert len(draws) > 5
    assert all(6 <= cell < 12 for draw in draws for cell in draw)
    assert chosen(REPORT, 3, seed=4) == chosen(REPORT, 3, seed=4)


def test_hard_negatives_are_those_that_look_most_positive() -> None:
    assert chosen(changed(negatives="hard"), 2)[1] == [8, 10]


def test_a_floor_lets_a_round_add_fewer_of_both_labels() -> None:
    floor = float(probability(np.array([3.5]))[0])
    positive, negative = chosen(changed(floor=floor), 3)
    assert positive == [1, 4]
    assert len(negative) == 2


def test_without_a_floor_unlikely_cells_fill_the_round() -> None:
    assert chosen(REPORT, 6)[0] == [1, 4, 0, 3, 2, 5]


def test_a_patient_gives_no_more_than_the_cap_over_all_rounds() -> None:
    capped = changed(most_per_patient=1)
    assert chosen(capped, 2)[0] == [1, 4]
    assert chosen(capped, 2, 1)[0] == [4]
    assert chosen(changed(most_per_patient=2), 3, 1)[0] == [4, 0, 3]


def test_within_patient_confidence_sees_past_a_slide_that_shifts_all_its_cells() -> None:
    shifted = LOG_ODDS + 10.0 * (PATIENT_OF == 1)
    added, _ = select_cells(
        shifted, pool(range(6)), pool(range(6, 12)), 1, changed(confidence="within_patient"), [0]
    )
    assert added.tolist() == [1]
    added, _ = select_cells(shifted, pool(range(6)), pool(range(6, 12)), 1, REPORT, [0])
    assert added.tolist() == [4]


def tied(settings: SelectionSettings, *taken: int) -> list[int]:
    equal = np.zeros(12)
    return pool(range(6), *taken).most_confident(equal, 2, settings).tolist()


def test_ties_go_by_the_order_of_cells() -> None:
    assert tied(REPORT) == [0, 1]


def test_ties_can_go_to_the_patient_with_fewest_so_far() -> None:
    assert tied(changed(ties="spread"), 0, 1) == [3, 4]


def test_probability_of_extreme_log_odds_is_no_error() -> None:
    np.testing.assert_array_equal(probability(np.array([-1e6, 0.0, 1e6])), [0.0, 0.5, 1.0])


def test_an_empty_pool_gives_nothing() -> None:
    empty: NDArray[np.int64] = CellPool(NO_CELLS, NO_CELLS, PATIENT_OF).most_confident(
        LOG_ODDS, 3, REPORT
    )
    assert len(empty) == 0

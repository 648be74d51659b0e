"""Evidence of predictions, for models whose answer can be computed by hand."""

import itertools
from typing import Literal, Self

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from lymphokit.bags.contract import BagModel, ModelSettings
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.evaluation.evidence import (
    ALL,
    ATTENTION,
    HIGHEST,
    LOWEST,
    cell_orders,
    fold_evidence,
    kept_numbers,
)


class PooledSettings(ModelSettings):
    kind: Literal["pooled"] = "pooled"
    enabled: bool = True
    features: str = "any"


class MeanOfCells(BagModel[PooledSettings]):
    """P(1) is the mean of the only feature, which is the score of a cell as well."""

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        starts = bags.offsets[:-1]
        return np.add.reduceat(bags.instances[:, 0].astype(float), starts) / bags.sizes

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        return bags.instances[:, 0].astype(float)


class TwoMembers(MeanOfCells):
    """The same, with attention that favours the first or the last cells of the packed bags."""

    def member_shares(self, bags: Bags) -> NDArray[np.float64]:
        places = np.arange(len(bags.instances), dtype=float)
        return np.stack([places, places[::-1]])


class Silent(MeanOfCells):
    cell_scores = None  # type: ignore[assignment]


CELLS = [np.array([[0.9], [0.1], [0.6], [0.2]]), np.array([[0.3]]), np.array([[0.5], [0.7]])]
BAGS = Bags.pack(CELLS, ["P1", "P2", "P3"])
CLINICAL = Clinical(np.full(3, 70.0), np.full(3, 8.0))


def fold(*, repeat: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        {"fold": 1, "repeat": repeat, "patient": ["P1", "P2"], "part": "validation", "inner": -1}
    )


def evidence(kind: type[MeanOfCells], **of_fold: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    model = kind(PooledSettings(), seed=0)
    return fold_evidence(model, BAGS, CLINICAL, fold(**of_fold), np.array([2]), seed=1)


def of(subsets: pd.DataFrame, order: str) -> pd.DataFrame:
    rows = subsets[(subsets["patient"] == "P1") & (subsets["order"] == order)]
    return rows.set_index("n_cells")


def test_every_held_out_cell_has_its_score() -> None:
    cells, _ = evidence(MeanOfCells)
    assert cells["patient"].tolist() == ["P1"] * 4 + ["P2"] + ["P3"] * 2
    assert cells["part"].tolist() == ["validation"] * 5 + ["test"] * 2
    assert cells["place"].tolist() == [0, 1, 2, 3, 0, 0, 1]
    assert cells["score"].tolist() == BAGS.instances[:, 0].tolist()


def test_the_mean_of_the_highest_cells_and_of_the_others_is_theirs() -> None:
    _, subsets = evidence(MeanOfCells)
    highest = of(subsets, HIGHEST)
    assert highest.loc[1, "alone"] == pytest.approx(0.9)
    assert highest.loc[1, "without"] == pytest.approx((0.6 + 0.2 + 0.1) / 3)
    assert highest.loc[2, "alone"] == pytest.approx((0.9 + 0.6) / 2)
    assert highest.loc[3, "without"] == pytest.approx(0.1)
    lowest = of(subsets, LOWEST)
    assert lowest.loc[2, "alone"] == pytest.approx((0.1 + 0.2) / 2)
    assert of(subsets, ALL).loc[4, "alone"] == pytest.approx(1.8 / 4)


def test_a_random_part_and_the_others_are_the_whole_bag() -> None:
    _, subsets = evidence(MeanOfCells)
    for draw in range(1, 6):
        rows = of(subsets, f"random{draw}")
        numbers = rows.index.to_numpy()
        sums = numbers * rows["alone"] + (4 - numbers) * rows["without"]
        np.testing.assert_allclose(sums, 1.8)


def test_a_bag_of_one_cell_has_no_part() -> None:
    _, subsets = evidence(MeanOfCells)
    alone = subsets[subsets["patient"] == "P2"]
    assert alone["order"].tolist() == [ALL]


def test_test_patients_have_scores_and_no_subsets() -> None:
    cells, subsets = evidence(MeanOfCells)
    assert "P3" in set(cells["patient"])
    assert set(subsets["patient"]) == {"P1", "P2"}


def test_attention_of_every_member_is_kept_and_its_mean_orders_cells() -> None:
    cells, subsets = evidence(TwoMembers)
    np.testing.assert_array_equal(cells["attention_1"][:5], [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(cells["attention_2"][:5], [4, 3, 2, 1, 0])
    # Both members together attend to all cells alike: ties keep the order of the cells.
    np.testing.assert_allclose(of(subsets, ATTENTION).loc[1, "alone"], 0.9)


def test_a_model_without_scores_of_cells_has_no_evidence() -> None:
    for table in evidence(Silent):
        assert table.empty
        assert next(iter(table.columns)) == "patient"


def test_only_the_first_repeat_of_the_folds_has_evidence() -> None:
    assert all(table.empty for table in evidence(MeanOfCells, repeat=2))


def test_numbers_of_kept_cells_rise_from_one_and_stay_below_all() -> None:
    assert kept_numbers(1) == []
    assert kept_numbers(5) == [1, 2, 3, 4]
    numbers = kept_numbers(200)
    assert numbers[0] == 1
    assert numbers[-1] < 200
    assert all(1 < after / before <= 2 for before, after in itertools.pairwise(numbers))


def test_a_few_parts_at_a_time_give_the_same_table(monkeypatch: pytest.MonkeyPatch) -> None:
    _, together = evidence(MeanOfCells)
    monkeypatch.setattr("lymphokit.evaluation.evidence._MOST_BYTES", 1)
    pd.testing.assert_frame_equal(evidence(MeanOfCells)[1], together)


def test_equal_scores_keep_the_order_of_the_cells() -> None:
    orders = cell_orders(np.zeros(3), np.empty((3, 0)), np.random.default_rng(0))
    assert orders[HIGHEST].tolist() == orders[LOWEST].tolist() == [0, 1, 2]
    assert ATTENTION not in orders

"""Numbers and shares of cells, and what they say of the number of images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.models.cell_counts import CellCountsLightgbm, CellCountsXgboost, cell_table


def bags(*probabilities: list[float]) -> Bags:
    cells = [np.array(bag, dtype=np.float32)[:, None] for bag in probabilities]
    return Bags.pack(cells, [f"P{number}" for number in range(len(cells))])


CLINICAL = Clinical(np.array([60.0, 81.5]), np.array([5.0, 40.0]))


def test_the_table_holds_both_counts_age_and_count() -> None:
    table = cell_table(bags([0.1, 0.9, 0.6], [0.5, 0.2]), CLINICAL, "counts")
    np.testing.assert_array_equal(table, [[1, 2, 60.0, 5.0], [2, 0, 81.5, 40.0]])


def test_shares_do_not_tell_how_many_images_there_are() -> None:
    few, many = bags([0.9, 0.1], [0.2]), bags([0.9, 0.1] * 10, [0.2] * 7)
    np.testing.assert_array_equal(
        cell_table(few, CLINICAL, "shares"), cell_table(many, CLINICAL, "shares")
    )
    assert not np.array_equal(
        cell_table(few, CLINICAL, "counts"), cell_table(many, CLINICAL, "counts")
    )


def test_features_that_are_no_probability_are_refused() -> None:
    with pytest.raises(ValueError, match="features: pseudo_label"):
        cell_table(Bags.pack([np.zeros((2, 3))], ["P0"]), CLINICAL.take([0]), "counts")


@pytest.mark.parametrize(
    ("make", "block"),
    [
        (CellCountsXgboost, "pseudo_label_xgb_shares"),
        (CellCountsLightgbm, "pseudo_label_lgbm_shares"),
    ],
)
def test_with_shares_the_number_of_images_changes_nothing(
    make: Callable[..., Any], block: str, settings: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    shares = rng.integers(0, 5, 80) + 4 * labels
    own = bags(*[[0.9] * int(n) + [0.1] * int(10 - n) for n in shares])
    clinical = Clinical(rng.uniform(40, 90, 80), rng.uniform(4, 60, 80))
    model = make(settings(block), seed=0).fit(own, labels, clinical)
    doubled = bags(*[[0.9] * 2 * int(n) + [0.1] * 2 * int(10 - n) for n in shares])
    first, second = (model.predict_proba(these, clinical) for these in (own, doubled))
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first)) > 2

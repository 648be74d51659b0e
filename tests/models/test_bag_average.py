"""A patient as the mean or the highest of the cells' probabilities."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.models.bag_average import (
    BagAverage,
    BagAverageSettings,
    BagAverageXgboost,
    aggregated,
)

LABELS = np.array([1, 0])
CLINICAL = Clinical(np.array([60.0, 81.5]), np.array([5.0, 40.0]))
OWN = Bags.pack([np.array([[0.25], [0.75], [0.5]]), np.array([[0.125], [0.375]])], ["P0", "P1"])


def average(aggregation: Any) -> BagAverage:
    settings = {"kind": "bag_average", "enabled": True, "features": "instance_network"}
    return BagAverage(BagAverageSettings(**settings, aggregation=aggregation), seed=0)


@pytest.mark.parametrize(
    ("aggregation", "expected"), [("mean", [0.5, 0.25]), ("max", [0.75, 0.375])]
)
def test_a_bags_probability_is_the_mean_or_the_maximum_of_its_cells(
    aggregation: Any, expected: list[float]
) -> None:
    model = average(aggregation).fit(OWN, LABELS, CLINICAL)
    np.testing.assert_array_equal(model.predict_proba(OWN, CLINICAL), expected)


def test_labels_do_not_change_what_is_averaged() -> None:
    swapped = average("mean").fit(OWN, 1 - LABELS, CLINICAL)
    np.testing.assert_array_equal(swapped.predict_proba(OWN, CLINICAL), [0.5, 0.25])


def test_features_that_are_no_probability_are_refused() -> None:
    wide = Bags.pack([np.zeros((2, 3))], ["P0"])
    with pytest.raises(ValueError, match=r"3 features.*features: instance_network"):
        aggregated(wide, "mean")


@pytest.mark.parametrize("column", ["cells", "age", "count"])
def test_trees_can_split_on_each_of_the_three_columns(
    column: str, settings: Callable[..., Any]
) -> None:
    labels = np.arange(40) % 2
    signal, none = labels.astype(float), np.zeros(40)
    own = Bags.pack(
        [np.full((2, 1), value) for value in (signal if column == "cells" else none)],
        [f"P{number}" for number in range(40)],
    )
    clinical = Clinical(
        50 + 30 * (signal if column == "age" else none),
        5 + 30 * (signal if column == "count" else none),
    )
    model = BagAverageXgboost(settings("instance_cnn_xgb"), seed=0).fit(own, labels, clinical)
    probabilities = model.predict_proba(own, clinical)
    assert probabilities[labels == 1].min() > 0.7
    assert probabilities[labels == 0].max() < 0.3

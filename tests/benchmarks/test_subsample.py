"""A few cells of each bag."""

import numpy as np

from lymphokit.bags.packed import Bags
from subsample import subsample, subsample_cells

OFFSETS = np.array([0, 4, 5, 8])


def test_the_lowest_keys_of_each_bag_stay_in_order() -> None:
    keys = np.array([3.0, 0.0, 2.0, 1.0, 9.0, 5.0, 4.0, 6.0])
    np.testing.assert_array_equal(subsample_cells(OFFSETS, 2, keys), [1, 3, 4, 5, 6])


def test_subsampled_bags_hold_distinct_cells_of_the_same_bag() -> None:
    bags = Bags(np.arange(8.0)[:, None], OFFSETS, ("a", "b", "c"))
    few = subsample(bags, 2, np.random.default_rng(0))
    np.testing.assert_array_equal(few.sizes, [2, 1, 2])
    owners = np.searchsorted(OFFSETS, few.instances[:, 0], side="right") - 1
    np.testing.assert_array_equal(owners, few.bag_of)
    assert len(np.unique(few.instances)) == 5


def test_draws_reach_every_cell() -> None:
    bags = Bags(np.arange(8.0)[:, None], OFFSETS, ("a", "b", "c"))
    rng = np.random.default_rng(0)
    drawn = [subsample(bags, 1, rng).instances.ravel() for _ in range(50)]
    assert set(np.concatenate(drawn)) == set(range(8))

"""Packed bags keep every cell in its bag, and refuse a bag without a cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.errors import EmptyBagError


def numbered(sizes: list[int]) -> Bags:
    """Bags of these sizes whose cells are numbered: instances[i] == [i, -i]."""
    cells = np.arange(sum(sizes), dtype=np.float64)
    instances = np.column_stack([cells, -cells])
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Bags(instances, offsets, tuple(f"P{bag}" for bag in range(len(sizes))))


def test_packing_lays_bag_after_bag() -> None:
    first, second = np.zeros((2, 3)), np.ones((1, 3))
    bags = Bags.pack([first, second], ["P1", "P2"])
    assert bags.instances.tolist() == [[0] * 3, [0] * 3, [1] * 3]
    assert bags.offsets.tolist() == [0, 2, 3]
    assert bags.ids == ("P1", "P2")
    assert bags.sizes.tolist() == [2, 1]
    assert bags.bag_of.tolist() == [0, 0, 1]


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_taking_bags_takes_exactly_their_cells(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=6))
    bags = numbered(sizes)
    chosen = data.draw(st.lists(st.integers(0, len(sizes) - 1), min_size=1, max_size=8))
    expected = [cell for bag in chosen for cell in range(*bags.offsets[bag : bag + 2])]
    assert bags.cells_of(chosen).tolist() == expected
    taken = bags.take(chosen)
    assert taken.instances[:, 0].tolist() == expected
    assert taken.sizes.tolist() == [sizes[bag] for bag in chosen]
    assert taken.ids == tuple(bags.ids[bag] for bag in chosen)


def test_no_bags_have_no_cells() -> None:
    assert numbered([2, 1]).cells_of(np.array([], dtype=np.int64)).tolist() == []


def test_an_empty_bag_is_refused_by_name() -> None:
    with pytest.raises(EmptyBagError, match="P8, P9"):
        Bags(np.zeros((2, 1)), np.array([0, 2, 2, 2]), ("P7", "P8", "P9"))


def test_parts_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="1 ids for 2 bags"):
        Bags(np.zeros((2, 1)), np.array([0, 1, 2]), ("P1",))
    with pytest.raises(ValueError, match="offsets end at 2, not at 3"):
        Bags(np.zeros((3, 1)), np.array([0, 1, 2]), ("P1", "P2"))


def test_other_features_of_the_same_cells_keep_the_bags() -> None:
    bags = numbered([2, 1])
    other = bags.with_instances(np.ones((3, 7)))
    assert other.ids == bags.ids
    assert other.offsets.tolist() == bags.offsets.tolist()
    with pytest.raises(ValueError, match="offsets end at 3, not at 4"):
        bags.with_instances(np.ones((4, 7)))


def test_the_clinical_matrix_holds_age_and_the_natural_log_of_the_count() -> None:
    clinical = Clinical(np.array([60.0, 80.0]), np.array([1.0, np.e**2]))
    np.testing.assert_allclose(clinical.matrix(), [[60.0, 0.0], [80.0, 2.0]])
    np.testing.assert_allclose(clinical.take([1]).matrix(), [[80.0, 2.0]])
    assert len(clinical) == 2

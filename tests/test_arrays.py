"""An array on disk acts as the NumPy array that it was saved from."""

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lymphokit.arrays import ArrayFileError, ArrayOnDisk, RowReader, open_array, parts_of, rows_of

VALUES = np.random.default_rng(0).normal(size=(40, 3, 2)).astype(np.float32)


@pytest.fixture
def on_disk(tmp_path: Path) -> Any:
    np.save(tmp_path / "values.npy", VALUES)
    return open_array(tmp_path / "values.npy")


KEYS = [
    *(0, -1, 39, np.int64(7), slice(3, 9), slice(None, None, -2), slice(5, 5)),
    *([4, 4, 0, -1], np.array([1, 2, 3, 17, 18, 5]), np.arange(40) % 3 == 0),
    *((slice(None), 1), (np.array([1, 2]), slice(None), 0), (3, 2, 1), Ellipsis, None),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_an_index_gives_what_numpy_gives(on_disk: Any, key: Any) -> None:
    np.testing.assert_array_equal(on_disk[key], VALUES[key])
    assert on_disk[key].dtype == VALUES.dtype


@pytest.mark.parametrize("key", [40, -41, np.array([40])])
def test_a_row_beyond_the_end_is_an_error(on_disk: Any, key: Any) -> None:
    with pytest.raises(IndexError):
        on_disk[key]


DONE: list[Callable[[Any], Any]] = [
    *(np.asarray, np.isfinite, np.sum, len, list, operator.neg),
    *(operator.attrgetter("shape"), operator.attrgetter("T"), operator.attrgetter("nbytes")),
    *(operator.methodcaller("mean", axis=0), operator.methodcaller("astype", np.float64)),
    *(lambda values: values * 2, lambda values: 1 - values, lambda values: values > 0),
    *(lambda values: values @ np.ones((2, 4)), lambda values: np.ones((4, 3)) @ values),
    *(lambda values: np.concatenate([values, values]), lambda values: values + values),
]


@pytest.mark.parametrize("done", DONE)
def test_operations_and_methods_give_what_numpy_gives(
    on_disk: Any, done: Callable[[Any], Any]
) -> None:
    np.testing.assert_array_equal(done(on_disk), done(VALUES))


def test_some_rows_stay_on_disk_until_they_are_used(on_disk: Any) -> None:
    some = rows_of(on_disk, np.array([3, 1, 2, 30]))
    fewer = rows_of(some, np.array([0, 3]))
    assert isinstance(fewer, ArrayOnDisk)
    np.testing.assert_array_equal(fewer, VALUES[[3, 30]])
    np.testing.assert_array_equal(rows_of(VALUES, np.array([3, 30])), VALUES[[3, 30]])


def test_a_flat_array_has_one_axis_a_row(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", VALUES)
    flat: Any = ArrayOnDisk(RowReader(tmp_path / "values.npy"), flat=True)
    np.testing.assert_array_equal(flat[[2, 9]], VALUES.reshape(40, 6)[[2, 9]])


def test_parts_are_all_rows_in_their_order(tmp_path: Path) -> None:
    wide = np.random.default_rng(1).normal(size=(50, 100_000)).astype(np.float32)
    np.save(tmp_path / "wide.npy", wide)
    parts = list(parts_of(open_array(tmp_path / "wide.npy")))
    assert len(parts) > 1
    np.testing.assert_array_equal(np.concatenate(parts), wide)


@pytest.mark.parametrize("lost", [1, 24, 900, 1000, 1088])
def test_an_array_that_ends_too_early_is_refused(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "values.npy"
    np.save(path, VALUES)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(ArrayFileError):
        open_array(path)


@pytest.mark.parametrize(
    "array", [np.array(3.0), np.array([{}]), np.ones((3, 2)).T, np.ones((3, 0))]
)
def test_what_has_no_rows_of_numbers_is_refused(tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "array.npy", array)
    with pytest.raises(ArrayFileError):
        open_array(tmp_path / "array.npy")

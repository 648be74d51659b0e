from pathlib import Path

import numpy as np
import pytest

from lymphokit.errors import BankError
from lymphokit.imaging.rows import RowWriter

ROWS = np.arange(24, dtype=np.float32).reshape(6, 4)


def write(path: Path, given: int) -> None:
    """Write so many rows into a file for six."""
    with RowWriter(path, (6, 4), np.float32) as rows:
        for _ in range(given):
            rows.append(np.zeros((1, 4)))


def test_the_file_is_what_numpy_would_save(tmp_path: Path) -> None:
    with RowWriter(tmp_path / "rows.npy", ROWS.shape, np.float32) as rows:
        rows.append(ROWS[:1])
        rows.append(ROWS[1:].astype(np.float64))
    np.save(tmp_path / "numpy.npy", ROWS)
    assert (tmp_path / "rows.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()


@pytest.mark.parametrize("given", [5, 7])
def test_another_number_of_rows_is_an_error_and_leaves_the_former_file(
    tmp_path: Path, given: int
) -> None:
    path = tmp_path / "rows.npy"
    np.save(path, ROWS)
    with pytest.raises(BankError, match="make it again"):
        write(path, given)
    np.testing.assert_array_equal(np.load(path), ROWS)
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_inside_leaves_no_half_file(tmp_path: Path) -> None:
    def fail() -> None:
        with RowWriter(tmp_path / "rows.npy", (6, 4), "f4") as rows:
            rows.append(ROWS[:3])
            raise KeyError("of the caller")

    with pytest.raises(KeyError, match="of the caller"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_rows_of_another_width_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match=r"rows of shape \(3,\)"),
        RowWriter(tmp_path / "rows.npy", (6, 4), "f4") as rows,
    ):
        rows.append(ROWS[:, :3])

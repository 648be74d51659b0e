"""Write .npy files row by row, in memory that does not grow with their length."""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lymphokit.arrays import write_header
from lymphokit.errors import BankError


class RowWriter:
    """Writes a .npy file of a known shape.

    A context manager: `with RowWriter(path, (n_cells, 128), np.float32) as rows: rows.append(x)`.
    The file is called `<name>.part` until its last row is written, so that nobody reads half of
    it. Rows go straight to the file; the pages of a memory map would count as the process's memory.
    Raises BankError for more rows than the shape has, and at the end for fewer.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self.path = path
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.written = 0

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._file = self._part.open("wb")
        write_header(self._file, self.shape, self.dtype)
        return self

    def append(self, rows: NDArray[np.generic]) -> None:
        """Write rows (n, ...); their other axes must be those of the array."""
        if rows.shape[1:] != self.shape[1:]:
            raise ValueError(f"rows of shape {rows.shape[1:]} for an array of {self.shape}")
        self.written += len(rows)
        if self.written > self.shape[0]:
            raise self._error(f"more than the {self.shape[0]:,} expected")
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None and self.written == self.shape[0]:
            self._part.replace(self.path)
            return
        self._part.unlink()
        if kind is None:
            raise self._error(f"{self.written:,} instead of {self.shape[0]:,}")

    def _error(self, found: str) -> BankError:
        return BankError(
            f"{self.path}: cells to write are {found}; "
            "make it again from a table of cells that fits the images"
        )

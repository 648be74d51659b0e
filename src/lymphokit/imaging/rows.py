"""Arrays on disk written row after row, in memory that does not grow with their length."""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from lymphokit.errors import BankError


class RowWriter:
    """Writes a .npy file of a known shape, which gets its name when its last row is in.

    Used as a context: `with RowWriter(path, (n_cells, 128), np.float32) as rows: rows.append(x)`.
    Until it is whole the file is called `<name>.part`, so that no reader meets half of it. Rows go
    to the file one after the other; a memory map of it would keep them in the process.
    Raises BankError at the end where fewer rows came than the shape says, at once where more do.
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
        description = npy.dtype_to_descr(self.dtype)
        header = {"descr": description, "fortran_order": False, "shape": self.shape}
        npy.write_array_header_1_0(self._file, header)
        return self

    def append(self, rows: NDArray[np.generic]) -> None:
        """Write rows (n, ...), whose other axes are those of the array."""
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

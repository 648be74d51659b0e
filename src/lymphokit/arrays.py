"""Arrays of numbers in .npy and .npz files; a file with Python objects is refused, unread."""

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from tokenize import TokenError
from types import TracebackType
from typing import Any, Self
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from lymphokit.errors import LymphokitError
from lymphokit.files import MOST_BYTES

_DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, OverflowError, MemoryError),
    *(SyntaxError, TokenError, BadZipFile, ZlibError, NotImplementedError, RuntimeError),
)


class ArrayFileError(LymphokitError):
    """A file does not hold the arrays of numbers that its name promises."""


def open_array(path: Path) -> NDArray[Any]:
    """A read-only memory map of the array in a .npy file.

    Raises ArrayFileError where the file cannot be read as an array of numbers.
    """
    if not path.is_file():  # a pipe would never end
        raise _error(path)
    try:
        return np.asanyarray(np.lib.format.open_memmap(path, mode="r"))
    except _DAMAGED as error:
        raise _error(path) from error


class RowReader:
    """Reads single rows of the array in a .npy file, in memory that does not grow with it.

    The pages of a memory map that were read count as the process's memory. A file that ends too
    early, as a killed process leaves it, has the rows that are complete. A context manager.
    Raises ArrayFileError where the file is no array of numbers.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise _error(path)
        self._file = path.open("rb")
        try:
            npy.read_magic(self._file)
            shape, is_fortran, self.dtype = npy.read_array_header_1_0(self._file)
            self.header, self.row_shape = shape[0], shape[1:]  # rows that the header promises
            self.start = self._file.tell()
            self.row_bytes = math.prod(self.row_shape) * self.dtype.itemsize
            held = (os.fstat(self._file.fileno()).st_size - self.start) // self.row_bytes
            if is_fortran or self.dtype.hasobject:
                raise ValueError("its rows are no bytes of numbers one after another")
        except (*_DAMAGED, IndexError, ZeroDivisionError) as error:
            self._file.close()
            raise _error(path) from error
        self._n = min(held, self.header)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._n

    def bytes_of(self, row: int) -> bytes:
        """The bytes of a row."""
        return os.pread(self._file.fileno(), self.row_bytes, self.start + row * self.row_bytes)

    def all_bytes(self) -> Iterator[bytes]:
        """The bytes of all rows, one after another."""
        return map(self.bytes_of, range(len(self)))

    def rows(self, positions: Iterable[int]) -> Iterator[NDArray[Any]]:
        """The rows at these positions, read-only, one after another."""
        for row in positions:
            yield np.frombuffer(self.bytes_of(int(row)), self.dtype).reshape(self.row_shape)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file by name. Raises ArrayFileError as `open_array` does."""
    if not path.is_file():
        raise _error(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            _require_size(arrays.zip)
            read = dict(arrays)
    except (*_DAMAGED, AttributeError) as error:  # AttributeError: it is a .npy file
        raise _error(path) from error
    if not all(isinstance(array, np.ndarray) for array in read.values()):
        raise _error(path)  # NumPy gives members of a zip that are no arrays as bytes
    return read


def _require_size(file: ZipFile) -> None:
    """Raise ValueError for members that unpack to more than any array that is read whole."""
    if sum(member.file_size for member in file.infolist()) > MOST_BYTES:
        raise ValueError("its members are too large")


def _error(path: Path) -> ArrayFileError:
    # Without the reason of NumPy, which would advise to load Python objects.
    return ArrayFileError(
        f"{path} is missing, damaged, or holds something else than arrays of numbers: delete it, "
        "and the next run makes it again"
    )

"""Arrays of numbers in .npy and .npz files; a file with Python objects is refused, unread."""

import math
import os
import weakref
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, Self, cast
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812

import numpy as np
from numpy.lib import format as npy
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike, NDArray

from lymphokit.errors import LymphokitError
from lymphokit.files import MOST_BYTES

_PART_BYTES = 2**22  # of rows that are looked at in one go
_DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, OverflowError, MemoryError),
    *(SyntaxError, TokenError, BadZipFile, ZlibError, NotImplementedError, RuntimeError),
)


class ArrayFileError(LymphokitError):
    """A file does not hold the arrays of numbers that its name promises."""


def open_array(path: Path) -> NDArray[Any]:
    """The array in a .npy file, see `ArrayOnDisk`.

    Raises ArrayFileError where the file cannot be read as an array of numbers.
    """
    return cast("NDArray[Any]", ArrayOnDisk(RowReader(path)))


def write_header(file: IO[bytes], shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """Write the header of a .npy file, in the version of the format that `RowReader` reads."""
    description = npy.dtype_to_descr(np.dtype(dtype))
    header = {"descr": description, "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(file, header)


class RowReader:
    """Reads single rows of the array in a .npy file, in memory that does not grow with it.

    The pages of a memory map that were read count as the process's memory. A file that ends too
    early, as a killed process leaves it, has the rows that are complete. A context manager.
    Raises ArrayFileError where the file is no array of numbers.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():  # a pipe would never end
            raise _error(path)
        self.path = path
        self._file = path.open("rb")
        weakref.finalize(self, self._file.close)
        try:
            if npy.read_magic(self._file) != (1, 0):
                raise ValueError("a version of the format that this kit does not write")
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

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._n

    def bytes_of(self, row: int) -> bytes:
        """The bytes of a row."""
        return os.pread(self._file.fileno(), self.row_bytes, self.start + row * self.row_bytes)

    def read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """These rows as an array; neighbours are read at once.

        Raises ArrayFileError where the file has become shorter.
        """
        content = np.empty((len(rows), self.row_bytes), dtype=np.uint8)
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1).tolist()
        for first, end in pairwise([*starts, len(rows)]):
            self._fill(content[first:end], int(rows[first]))
        return content.view(self.dtype).reshape(len(rows), *self.row_shape)

    def _fill(self, content: NDArray[np.uint8], row: int) -> None:
        """Read neighbours from this row on; the system reads at most 2 GB at a time."""
        left, place = content.reshape(-1).data, self.start + row * self.row_bytes
        while left:
            n_read = os.preadv(self._file.fileno(), [left], place)
            if n_read == 0:
                raise _error(self.path)
            left, place = left[n_read:], place + n_read

    def all_bytes(self) -> Iterator[bytes]:
        """The bytes of all rows, one after another."""
        return map(self.bytes_of, range(len(self)))

    def rows(self, positions: Iterable[int]) -> Iterator[NDArray[Any]]:
        """The rows at these positions, read-only, one after another."""
        for row in positions:
            yield np.frombuffer(self.bytes_of(int(row)), self.dtype).reshape(self.row_shape)


class ArrayOnDisk(NDArrayOperatorsMixin):
    """The array of a .npy file, or some of its rows: read when used, and at each use.

    It stands for a NumPy array, and gives NumPy arrays: some rows of it (an index, a slice,
    positions), or the result of any operation or method, for which all rows are read. Unlike a
    memory map it takes no memory for what was read and is no longer used. It cannot be changed.
    flat: a row is one axis, of however many the file has.
    Raises ArrayFileError where the file ends too early.
    """

    def __init__(
        self, reader: RowReader, rows: NDArray[np.int64] | None = None, *, flat: bool = False
    ) -> None:
        if len(reader) < reader.header:
            raise _error(reader.path)
        self._reader, self._flat = reader, flat
        self._rows = np.arange(len(reader)) if rows is None else rows
        row = (math.prod(reader.row_shape),) if flat else reader.row_shape
        self.dtype, self.shape, self.ndim = reader.dtype, (len(self._rows), *row), 1 + len(row)

    def __len__(self) -> int:
        return len(self._rows)

    def of_rows(self, positions: NDArray[np.int64]) -> "ArrayOnDisk":
        """The rows at these positions, in this order, not read yet."""
        return ArrayOnDisk(self._reader, self._rows[positions], flat=self._flat)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int | np.integer):
            return self._read(np.array([self._rows[key]]))[0]
        if isinstance(key, slice | list | np.ndarray):
            return self._read(self._rows[key])
        return np.asarray(self)[key]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("an array on disk is copied to memory")
        return self._read(self._rows).astype(dtype or self.dtype, copy=False)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = (np.asarray(each) if isinstance(each, ArrayOnDisk) else each for each in inputs)
        return getattr(ufunc, method)(*arrays, **options)

    def __getattr__(self, name: str) -> Any:
        """Methods and attributes of the array in memory, such as `mean`."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def _read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        return self._reader.read(rows).reshape(len(rows), *self.shape[1:])


def rows_of(array: NDArray[Any] | ArrayOnDisk, positions: NDArray[np.int64]) -> NDArray[Any]:
    """The rows at these positions, in this order: copied, or on disk as the array is."""
    if isinstance(array, ArrayOnDisk):
        return cast("NDArray[Any]", array.of_rows(positions))
    return array[positions]


def parts_of(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Consecutive rows of an array (n, d), few enough to fit a processor's cache."""
    step = max(1, _PART_BYTES // (array.dtype.itemsize * array.shape[1]))
    for start in range(0, len(array), step):
        yield array[start : start + step]


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

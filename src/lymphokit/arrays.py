"""Arrays of numbers in .npy and .npz files; a file with Python objects is refused, unread."""

from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812

import numpy as np
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

"""Rows of images, computed once: a later run takes over what an earlier one computed.

A row is known by its key, a digest of all that it is computed from: the bytes of its image, the
settings, weights, code, packages and machine. A change of any of them gives another key, so that
nothing stale is found. Snakemake deletes the outputs of a job before it runs. So each finished file
has a second name in a folder `.rows` beside it (a hard link, which takes no space), and an index
with the key and the digest of every row. The files of a run that was killed stay there, too, as far
as it came. Rows that the present images do not need are not taken over.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lymphokit.arrays import ArrayFileError, RowReader, write_header
from lymphokit.errors import BankError
from lymphokit.files import read_regular
from lymphokit.progress import say

FOLDER = ".rows"
_FINISHED, _GROWING, _KILLED = "", ".part", ".killed"  # endings of the files in it
_INDEX = np.dtype([("key", "S32"), ("digest", "S32")])  # a row of it is of a row of each file
_PACKAGES = ("numpy", "opencv-python-headless", "pillow", "torch", "timm")

Keys = NDArray[np.bytes_]
Positions = NDArray[np.int64]
# The rows at these positions, in their order: for each file, in batches (n, ...).
Compute = Callable[[Positions], Iterable[Sequence[NDArray[Any]]]]


@dataclass(frozen=True)
class RowFile:
    """An array file to write: its path (.npy), and the shape and type of a row."""

    path: Path
    row: tuple[int, ...]
    dtype: DTypeLike

    def kept(self, ending: str = _FINISHED) -> Path:
        """Where its rows are kept."""
        return self.path.parent / FOLDER / f"{self.path.name}{ending}"

    def index(self, ending: str = _FINISHED) -> Path:
        """Where the keys and digests of these rows are."""
        return self.path.parent / FOLDER / f"{self.path.stem}.index{ending}"


def recipe_of(params: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What all rows of a job are computed from, beside their images, as plain data.

    params: of the rule; `contents`, the digest of all images, is left out. more: such as the
    machine and the weights.
    """
    kept = {key: value for key, value in params.items() if key != "contents"}
    return {"params": kept, "packages": {name: _version(name) for name in _PACKAGES}, **more}


def _version(package: str) -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return "not installed"


def row_keys(recipe: Mapping[str, Any], images: Sequence[Path], *beside: Iterable[bytes]) -> Keys:
    """The key of each row (n,): SHA-256 of the recipe, of its image file, of what is beside it.

    beside: further inputs of each row, such as its mask.
    """
    text = json.dumps(recipe, sort_keys=True, default=str).encode()
    inputs = zip(images, *beside, strict=True)
    keys = (_digest(text, _content(image), *more) for image, *more in inputs)
    return np.fromiter(keys, "S32", len(images))


def _content(image: Path) -> bytes:
    """The bytes of an image; none of one that cannot be read, which its reader reports."""
    with suppress(OSError):
        return read_regular(image)
    return b""


def _digest(*parts: bytes) -> bytes:
    """SHA-256 of the digests of several parts: a byte that moves to the next part counts."""
    each = (hashlib.sha256(part).digest() for part in parts)
    return hashlib.sha256(b"".join(each)).digest()


def write_rows(files: Sequence[RowFile], keys: Keys, compute: Compute) -> int:
    """Write the row of each key into every file; compute only those that no earlier run has.

    files: of one folder. compute: gets the positions of the rows to compute, ascending.
    The files appear when they are complete; after an error or a kill the next call goes on. A row
    whose digest is not that of its content is computed anew. Memory: 200 bytes a key, and a batch.
    Returns the number of rows computed.
    Raises BankError unless `compute` gives as many rows as it was asked for.
    """
    files[0].kept().parent.mkdir(parents=True, exist_ok=True)
    with _Growing(files, keys) as growing, ExitStack() as stack:
        sources = [_Rows(files, ending, stack) for ending in (_FINISHED, _KILLED)]
        known = [source.places(keys) for source in sources]
        is_known = np.any([places >= 0 for places in known], axis=0)
        lacking = np.flatnonzero(~is_known[growing.n :]) + growing.n
        computed = _one_by_one(files, compute(lacking)) if len(lacking) else iter(())
        for row in range(growing.n, len(keys)):
            holder = next((i for i, places in enumerate(known) if places[row] >= 0), None)
            if holder is None:
                found = next(computed, None)
            else:
                found = sources[holder].row(known[holder][row])
            if found is None:
                raise _wrong_number(files, "fewer")
            growing.append(found)
        if next(computed, None) is not None:
            raise _wrong_number(files, "more")
    _publish(files)
    return len(lacking)


def _one_by_one(
    files: Sequence[RowFile], batches: Iterable[Sequence[NDArray[Any]]]
) -> Iterator[list[bytes]]:
    """The bytes of each row, of every file."""
    for batch in batches:
        for file, rows in zip(files, batch, strict=True):
            if rows.shape[1:] != file.row:
                raise ValueError(f"rows of shape {rows.shape[1:]} for {file.path} of {file.row}")
        arrays = [np.asarray(r, f.dtype) for f, r in zip(files, batch, strict=True)]
        yield from ([each.tobytes() for each in row] for row in zip(*arrays, strict=True))


def _wrong_number(files: Sequence[RowFile], which: str) -> BankError:
    return BankError(
        f"{files[0].path}: cells to write are {which} than expected; "
        "make it again from a table of cells that fits the images"
    )


class _Rows:
    """The rows that a run left, open until the end of a stack; none where its files are no rows."""

    def __init__(self, files: Sequence[RowFile], ending: str, stack: ExitStack) -> None:
        self.readers: list[RowReader] = []
        self.index = np.empty(0, _INDEX)
        with suppress(ArrayFileError, OSError):  # no such file, or a damaged one
            for file in files:
                self.readers.append(stack.enter_context(RowReader(file.kept(ending))))
            self.index = np.fromfile(files[0].index(ending), _INDEX)
        of_file = zip(self.readers, files, strict=False)
        if any((r.dtype, r.row_shape) != (np.dtype(f.dtype), f.row) for r, f in of_file):
            self.index = self.index[:0]
        self.index = self.index[: min([len(self.index), *map(len, self.readers)])]

    def __len__(self) -> int:
        return len(self.index)

    def row(self, place: int) -> list[bytes]:
        """The bytes of a row, of every file."""
        return [reader.bytes_of(place) for reader in self.readers]

    def is_intact(self, place: int) -> bool:
        """Check whether the content of a row has its digest."""
        found = np.array(_digest(*self.row(place)), self.index.dtype["digest"])
        return bool(self.index["digest"][place : place + 1] == found)

    def places(self, keys: Keys) -> Positions:
        """The row of each key, -1 where there is none or it is damaged."""
        if not len(self):
            return np.full(len(keys), -1)
        order = np.argsort(self.index["key"])
        found = np.searchsorted(self.index["key"], keys, sorter=order)
        places = order[np.minimum(found, len(self) - 1)]
        places[self.index["key"][places] != keys] = -1
        damaged = [at for at in np.flatnonzero(places >= 0) if not self.is_intact(places[at])]
        if damaged:
            say(f"{len(damaged):,} rows of an earlier run are damaged: they are computed anew")
        places[damaged] = -1
        return places


class _Growing:
    """The files that a run writes, row by row. n: the rows that are there already."""

    def __init__(self, files: Sequence[RowFile], keys: Keys) -> None:
        self.files = files
        self.keys = keys
        self.n = 0

    def __enter__(self) -> Self:
        self.n = self._begun()
        self._open = [self._opened(file) for file in self.files]
        path = self.files[0].index(_GROWING)
        self._index = path.open("r+b" if self.n else "wb")
        self._index.truncate(self.n * _INDEX.itemsize)
        self._index.seek(0, os.SEEK_END)
        return self

    def _begun(self) -> int:
        """How many rows of a killed run are in their place; it is set aside unless all are."""
        with ExitStack() as stack:
            begun = _Rows(self.files, _GROWING, stack)
            if not len(begun):
                return 0
            is_same = begun.readers[0].header == len(self.keys) and np.array_equal(
                begun.index["key"], self.keys[: len(begun)]
            )
            if is_same and all(map(begun.is_intact, range(len(begun)))):
                return len(begun)
        for path in _paths(self.files, _GROWING):
            path.replace(path.with_suffix(_KILLED))
        return 0

    def _opened(self, file: RowFile) -> IO[bytes]:
        """An array file, open behind its last row."""
        opened = file.kept(_GROWING).open("r+b" if self.n else "wb")
        # Of a begun file, the same header again.
        write_header(opened, (len(self.keys), *file.row), file.dtype)
        row_bytes = math.prod(file.row) * np.dtype(file.dtype).itemsize
        opened.seek(self.n * row_bytes, os.SEEK_CUR)
        opened.truncate()
        return opened

    def append(self, row: Sequence[bytes]) -> None:
        """Write a row to every file, then its key and digest; from then on it survives a kill."""
        for file, content in zip(self._open, row, strict=True):
            file.write(content)
            file.flush()
        self._index.write(np.array([(self.keys[self.n], _digest(*row))], _INDEX).tobytes())
        self._index.flush()
        self.n += 1

    def __exit__(self, *_: object) -> None:
        for file in (*self._open, self._index):
            file.close()


def _paths(files: Sequence[RowFile], ending: str) -> list[Path]:
    """All files of a run in the folder of rows."""
    return [*(file.kept(ending) for file in files), files[0].index(ending)]


def _publish(files: Sequence[RowFile]) -> None:
    """Give the finished files their names; what earlier runs left is deleted."""
    for growing, kept in zip(_paths(files, _GROWING), _paths(files, _FINISHED), strict=True):
        growing.replace(kept)
    for killed in _paths(files, _KILLED):
        killed.unlink(missing_ok=True)
    for file in files:
        file.path.unlink(missing_ok=True)
        try:
            os.link(file.kept(), file.path)
        except OSError:  # a file system without hard links: the next run computes all rows
            file.kept().replace(file.path)

"""Feature banks: features of all cells on disk, one row per cell, read when used."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from lymphokit.arrays import ArrayOnDisk, RowReader
from lymphokit.errors import BankError
from lymphokit.files import read_json, write_json
from lymphokit.imaging.rows import RowWriter
from lymphokit.keyed_rows import Keys, Positions, RowFile, write_rows

# What the features were fitted on. A model may read features that were fitted without labels, or
# on training patients of its fold; the audit checks the latter.
FittedOn = Literal[
    "nothing of this cohort", "all images, without labels", "training patients of the fold"
]
NOTHING: FittedOn = "nothing of this cohort"
_IMAGE_AXES = 4  # cells, rows, columns, colours
_CHUNK = 1024  # cells looked at in one go, so that a bank is never read whole


@dataclass(frozen=True)
class Bank:
    """An opened bank.

    features (n_cells, n_features) float32, or uint8 for images; on disk until they are used.
    metadata: `source` and `fitted_on`, as text, and whatever else was written with it.
    """

    features: NDArray[Any]
    metadata: dict[str, Any]


def write_bank(
    path: Path,
    batches: Iterable[NDArray[np.floating]],
    *,
    n_cells: int,
    n_features: int,
    fitted_on: FittedOn,
    metadata: Mapping[str, Any],
) -> None:
    """Stream batches of features (n, n_features) into `path` (.npy) and metadata beside it.

    fitted_on: the data that the source of the features was fitted on. The file appears when it is
    complete; memory does not grow with n_cells.
    Raises BankError for a feature that is not finite, and unless there are n_cells rows.
    """
    with RowWriter(path, (n_cells, n_features), np.float32) as rows:
        for batch in batches:
            cells = np.arange(rows.written, rows.written + len(batch))
            _require_finite(path, batch, cells)
            rows.append(batch)
    _write_metadata(path, metadata, fitted_on, n_cells, n_features)


def write_keyed_bank(
    path: Path,
    keys: Keys,
    compute: Callable[[Positions], Iterable[NDArray[np.floating]]],
    *,
    n_features: int,
    metadata: Mapping[str, Any],
) -> int:
    """Write a bank whose rows each depend on one image alone; compute those that are not known.

    keys: of all cells, see `keyed_rows`. compute: features of the cells at given positions, in
    batches (n, n_features). Returns the number of cells computed.
    Raises BankError as `write_bank` does.
    """

    def finite(positions: Positions) -> Iterator[tuple[NDArray[np.floating]]]:
        done = 0
        for batch in compute(positions):
            _require_finite(path, batch, positions[done : done + len(batch)])
            done += len(batch)
            yield (batch,)

    n_computed = write_rows([RowFile(path, (n_features,), np.float32)], keys, finite)
    _write_metadata(path, metadata, NOTHING, len(keys), n_features)
    return n_computed


def _require_finite(path: Path, batch: NDArray[np.floating], cells: NDArray[np.int64]) -> None:
    """Raise BankError where a feature of these cells is not finite."""
    unusable = np.flatnonzero(~np.isfinite(batch).all(axis=1))
    if len(unusable):
        cell = cells[unusable[0]]
        raise BankError(f"{path}: the features of cell {cell} are not finite numbers")


def _write_metadata(
    path: Path, metadata: Mapping[str, Any], fitted_on: FittedOn, n_cells: int, n_features: int
) -> None:
    about = {"fitted_on": fitted_on, "n_cells": n_cells, "n_features": n_features}
    write_json(metadata_path(path), {**metadata, **about})


def write_cell_probabilities(
    path: Path, probabilities: NDArray[np.floating], *, source: str
) -> None:
    """Write a bank with one feature, P(1) of each cell (n_cells,), by networks of one fold.

    Raises BankError as `write_bank` does.
    """
    write_bank(
        path,
        [probabilities[:, None]],
        n_cells=len(probabilities),
        n_features=1,
        fitted_on="training patients of the fold",
        metadata={"source": source},
    )


def open_bank(path: Path, n_cells: int) -> Bank:
    """Open a bank of a cohort of n_cells cells; an image bank has the levels of a cell as its row.

    Raises BankError if it is missing, has another number of cells, or holds anything else than
    finite features or levels and the metadata of a bank.
    """
    if not path.exists():
        raise BankError(f"no feature bank at {path}: run the rule that makes it")
    reader = RowReader(path)
    has_images = len(reader.row_shape) == _IMAGE_AXES - 1
    if not has_images and not metadata_path(path).exists():
        raise BankError(f"no metadata of {path}: run the rule that makes the bank")
    features = ArrayOnDisk(reader, flat=has_images)
    if finding := _finding(reader, features, n_cells):
        raise BankError(f"{path} {finding}: delete the bank, and the next run makes it again")
    if has_images:
        metadata = {"source": f"the images of {path.name}", "fitted_on": NOTHING}
        return Bank(cast("NDArray[Any]", features), metadata)
    return Bank(cast("NDArray[Any]", features), _read_metadata(metadata_path(path)))


def _finding(reader: RowReader, features: ArrayOnDisk, n_cells: int) -> str:
    """What is wrong with the array of a bank; empty where nothing is."""
    axes, shape = 1 + len(reader.row_shape), (reader.header, *reader.row_shape)
    kind = np.uint8 if axes == _IMAGE_AXES else np.float32
    if axes not in (2, _IMAGE_AXES) or reader.dtype != kind or 0 in reader.row_shape:
        return f"holds {reader.dtype} of shape {shape}, no features or images of cells"
    if len(features) != n_cells:
        return f"holds {len(features):,} cells, the cohort has {n_cells:,}"
    parts = (features[start : start + _CHUNK] for start in range(0, n_cells, _CHUNK))
    is_finite = kind is np.uint8 or all(np.isfinite(part).all() for part in parts)
    return "" if is_finite else "holds features that are not finite numbers"


def _read_metadata(path: Path) -> dict[str, Any]:
    texts = ("source", "fitted_on")
    metadata: dict[str, Any] = read_json(path, *texts)
    if all(isinstance(metadata[key], str) for key in texts):
        return metadata
    raise BankError(f"{path} has no {' and '.join(texts)}: delete the bank and run again")


def open_features(paths: Iterable[str | Path], n_cells: int) -> dict[str, NDArray[Any]]:
    """The features of several banks (n_cells, n_features), by the name of the bank.

    Raises BankError as `open_bank` does.
    """
    return {Path(path).stem: open_bank(Path(path), n_cells).features for path in paths}


def metadata_path(path: Path) -> Path:
    """The path of a bank's metadata."""
    return path.with_suffix(".json")

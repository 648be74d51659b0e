"""Packed bags: the cells of all patients in one matrix, and where each patient's cells begin.

What models take is made here from the table of patients: bags, labels, clinical attributes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lymphokit.arrays import rows_of
from lymphokit.bags import segments
from lymphokit.errors import EmptyBagError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Clinical:
    """The clinical attributes that a model may use, one entry for each patient.

    age_years (n_bags,), lymphocytes_giga_per_litre (n_bags,), both positive floats.
    """

    age_years: NDArray[np.float64]
    lymphocytes_giga_per_litre: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.age_years)

    def take(self, patients: ArrayLike) -> Self:
        """The attributes of the patients at these positions, in this order."""
        chosen = np.asarray(patients)
        return type(self)(self.age_years[chosen], self.lymphocytes_giga_per_litre[chosen])

    def matrix(self) -> NDArray[np.float64]:
        """Age in years and the natural log of the count: (n_bags, 2).

        The count spans two decades and is heavily skewed; its logarithm is near symmetric.
        """
        return np.column_stack([self.age_years, np.log(self.lymphocytes_giga_per_litre)])


@dataclass(frozen=True)
class Bags:
    """Packed bags of cells: bag i has the cells `instances[offsets[i]:offsets[i + 1]]`.

    instances (n_cells, n_features); offsets (n_bags + 1,), strictly ascending from 0 to n_cells;
    ids: one for each bag.
    Raises EmptyBagError where a bag has no cell, ValueError where the parts do not fit together.
    """

    instances: NDArray[np.floating]
    offsets: NDArray[np.int64]
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.offsets) - 1:
            raise ValueError(f"{len(self.ids)} ids for {len(self.offsets) - 1} bags")
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.instances):
            raise ValueError(f"offsets end at {self.offsets[-1]}, not at {len(self.instances)}")
        empty = [self.ids[bag] for bag in np.flatnonzero(np.diff(self.offsets) <= 0)]
        if empty:
            raise EmptyBagError(f"no cell in the bags of {', '.join(empty)}")

    @classmethod
    def pack(cls, bags: Sequence[NDArray[np.floating]], ids: Sequence[str]) -> Self:
        """Pack one matrix (n_cells_i, n_features) for each bag."""
        offsets = np.concatenate([[0], np.cumsum([len(bag) for bag in bags])]).astype(np.int64)
        return cls(np.concatenate(list(bags)), offsets, tuple(ids))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Cells in each bag: (n_bags,)."""
        return np.diff(self.offsets)

    @property
    def bag_of(self) -> NDArray[np.int64]:
        """The bag index of every cell: (n_cells,)."""
        return segments.bag_of(self.offsets)

    def cells_of(self, bags: ArrayLike) -> NDArray[np.int64]:
        """Positions of all cells of the bags at these positions, bag after bag."""
        chosen = np.asarray(bags)
        starts, sizes = self.offsets[chosen], self.sizes[chosen]
        ends = np.cumsum(sizes)
        # A running count over all chosen cells, moved in each bag to where the bag starts.
        return np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)

    def take(self, bags: ArrayLike) -> Self:
        """The bags at these positions, in this order; their cells are copied, or stay on disk."""
        chosen = np.asarray(bags)
        offsets = np.concatenate([[0], np.cumsum(self.sizes[chosen])]).astype(np.int64)
        ids = tuple(self.ids[bag] for bag in chosen)
        return type(self)(rows_of(self.instances, self.cells_of(chosen)), offsets, ids)

    def with_instances(self, instances: NDArray[np.floating]) -> Self:
        """The same bags with other features of the same cells (scaled, projected, scored)."""
        return type(self)(instances, self.offsets, self.ids)


def bags_of(patients: "pd.DataFrame", features: NDArray[np.floating] | None) -> Bags:
    """The bags of all patients, in the order of the table of patients.

    features (n_cells, n_features): the cells of one patient after the other. None, for models
    without images, gives each patient one cell with the single feature 0.
    """
    ids = tuple(patients["patient"])
    if features is None:
        return Bags(np.zeros((len(ids), 1), dtype=np.float32), np.arange(len(ids) + 1), ids)
    offsets = np.concatenate([[0], np.cumsum(patients["n_cells"])]).astype(np.int64)
    return Bags(features, offsets, ids)


def labels_of(patients: "pd.DataFrame") -> NDArray[np.int64]:
    """1 tumoral, 0 reactive, -1 a test patient: (n_patients,)."""
    return patients["label"].to_numpy(dtype=np.int64)


def clinical_of(patients: "pd.DataFrame") -> Clinical:
    """The attributes of all patients, in the table's order."""
    return Clinical(
        patients["age_years"].to_numpy(dtype=np.float64),
        patients["lymphocytes_giga_per_litre"].to_numpy(dtype=np.float64),
    )

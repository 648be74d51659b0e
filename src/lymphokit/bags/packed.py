"""Packed bags: the cells of all patients in one matrix, and where each patient's begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lymphokit.bags import segments
from lymphokit.errors import EmptyBagError


@dataclass(frozen=True)
class Clinical:
    """The clinical attributes a model may use, one entry a patient.

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
    """Packed bags of cells.

    instances (n_cells, n_features), offsets (n_bags + 1,) from 0 to n_cells, ids one a bag.
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
        """Pack one (n_cells_i, n_features) matrix a bag."""
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
        return np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)

    def take(self, bags: ArrayLike) -> Self:
        """The bags at these positions, in this order; their cells are copied."""
        chosen = np.asarray(bags)
        offsets = np.concatenate([[0], np.cumsum(self.sizes[chosen])]).astype(np.int64)
        ids = tuple(self.ids[bag] for bag in chosen)
        return type(self)(self.instances[self.cells_of(chosen)], offsets, ids)

    def with_instances(self, instances: NDArray[np.floating]) -> Self:
        """The same bags with other features of the same cells (scaled, projected, scored)."""
        return type(self)(instances, self.offsets, self.ids)

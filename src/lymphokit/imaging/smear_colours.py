"""Colours of a patient's smears: bare glass, red cells and nuclei, as optical densities.

All images of a patient show the same slide under the same light, so a few of them are enough, and
differences between the patient's cells are kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.imaging.segment import Pixels

IMAGES = 16  # of a patient that colours are measured on
Colour = tuple[float, float, float]
Floats = NDArray[np.float64]
_ASCENDING = np.arange(255)[:, None] < np.arange(255)  # pairs of thresholds
# Of each grey level; the 1 keeps level 0 finite.
OPTICAL_DENSITY = -np.log((np.arange(256) + 1) / 256)
_PLACES = ("glass", "red_cells", "nucleus")
_CHANNELS = ("red", "green", "blue")
COLUMNS = (
    "nucleus_until",
    "red_cells_until",
    *(f"{place}_{channel}" for place in _PLACES for channel in _CHANNELS),
    "red_cells_blue_minus_red",
)


@dataclass(frozen=True)
class SmearColours:
    """Colours of the smears of one patient.

    nucleus_until, red_cells_until: the highest green levels, 0 to 255, of nuclei and of red cells;
    glass is lighter. glass, red_cells (medians) and nucleus (mean): optical densities of red,
    green and blue. blue_minus_red: median over the red cells, in levels.
    """

    nucleus_until: int
    red_cells_until: int
    glass: Colour
    red_cells: Colour
    nucleus: Colour
    blue_minus_red: float

    @classmethod
    def from_images(cls, images: Iterable[Pixels]) -> Self:
        """Measure images (h, w, 3) RGB uint8 of one patient, every second pixel of each.

        Three classes of green: nuclei are dark in it, red cells less so, glass is light. A class
        without pixels, as in an image of one colour, has the colours of all pixels.
        """
        pixels = np.concatenate([image[::2, ::2].reshape(-1, 3) for image in images])
        green = pixels[:, 1]
        low, high = three_class_thresholds(np.bincount(green, minlength=256))
        nucleus, glass = green <= low, green > high
        nucleus, red_cells, glass = (
            pixels[part] if part.any() else pixels for part in (nucleus, ~nucleus & ~glass, glass)
        )
        blue_minus_red = red_cells[:, 2].astype(np.int64) - red_cells[:, 0]
        return cls(
            low,
            high,
            _triple(np.median(OPTICAL_DENSITY[glass], axis=0)),
            _triple(np.median(OPTICAL_DENSITY[red_cells], axis=0)),
            _triple(OPTICAL_DENSITY[nucleus].mean(axis=0)),
            float(np.median(blue_minus_red)),
        )

    @classmethod
    def from_row(cls, row: Sequence[float]) -> Self:
        """From the values of `row`."""
        low, high, *colours, blue_minus_red = row
        glass, red_cells, nucleus = (_triple(colours[at : at + 3]) for at in (0, 3, 6))
        return cls(int(low), int(high), glass, red_cells, nucleus, float(blue_minus_red))

    def row(self) -> list[float]:
        """The values of `COLUMNS`."""
        low, high, *places, blue_minus_red = astuple(self)
        return [low, high, *(level for place in places for level in place), blue_minus_red]


# What normalisation maps to: the medians of the competition's patients, without their labels.
REFERENCE = SmearColours(95, 185, (0.01, 0.12, 0.24), (0.35, 0.56, 0.45), (1.07, 1.85, 0.67), -19.0)


def evenly_spaced(n_images: int, most: int = IMAGES) -> list[int]:
    """At most so many positions, evenly spaced over the images of a patient, first and last too."""
    positions = np.linspace(0, n_images - 1, min(most, n_images)).astype(int)
    return [int(position) for position in np.unique(positions)]


def three_class_thresholds(counts: NDArray[np.integer]) -> tuple[int, int]:
    """Otsu's method for three classes of levels: the highest of the lower and the middle class.

    counts (256,): pixels of each level. All pairs of thresholds are compared, so the optimum is
    exact. Levels without pixels between two classes are shared by both: a threshold lies halfway
    between the classes' means, where it belongs for the variance within classes to be smallest.
    Source: Otsu 1979.
    """
    share = np.concatenate([[0.0], np.cumsum(counts / counts.sum())])
    moment = np.concatenate([[0.0], np.cumsum(np.arange(256) * counts / counts.sum())])
    first, second = share[1:256, None], share[None, 1:256]  # shares of what is below a threshold
    first_moment, second_moment = moment[1:256, None], moment[None, 1:256]
    # The variance within classes is smallest where this sum over classes is largest.
    between = _square_by_share(first_moment, first)
    between = between + _square_by_share(second_moment - first_moment, second - first)
    between = between + _square_by_share(moment[256] - second_moment, share[256] - second)
    between[~_ASCENDING] = -1.0
    low, high = (int(level) for level in np.divmod(between.argmax(), 255))
    edges = [0, low + 1, high + 1, 256]
    shares, moments = np.diff(share[edges]), np.diff(moment[edges])
    if not shares.all():
        return low, high
    means = moments / shares
    low, high = ((means[:-1] + means[1:]) / 2).astype(int).tolist()
    return low, high


def _square_by_share(moments: Floats, shares: Floats) -> Floats:
    """The squared moments of classes by their shares; an empty class has 0."""
    return moments**2 / np.maximum(np.abs(shares), np.finfo(float).tiny)


def colours_table(colours: dict[str, SmearColours]) -> pd.DataFrame:
    """A row for each patient: `patient`, then `COLUMNS`."""
    rows = [[patient, *each.row()] for patient, each in colours.items()]
    return pd.DataFrame(rows, columns=["patient", *COLUMNS])


def colours_by_patient(table: pd.DataFrame) -> dict[str, SmearColours]:
    """The inverse of `colours_table`."""
    values = table[list(COLUMNS)].to_numpy(np.float64).tolist()
    return {
        patient: SmearColours.from_row(row)
        for patient, row in zip(table["patient"], values, strict=True)
    }


def _triple(values: Iterable[float]) -> Colour:
    red, green, blue = (float(value) for value in values)
    return red, green, blue

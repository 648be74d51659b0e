"""Drawn smears whose truth is known."""

import numpy as np
from numpy.typing import NDArray

GROUND = (254, 228, 203)  # a stained slide between its cells
RED_CELL = (176, 146, 163)
NUCLEUS = (72, 36, 122)
SIZE = 224

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def disc(row: float, column: float, radius: float, size: int = SIZE) -> Mask:
    """The pixels within `radius` of a point."""
    rows, columns = np.mgrid[:size, :size]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def smear(*nuclei: Mask, seed: int = 0) -> Pixels:
    """A smear with red cells all over and these nuclei on top, with some noise."""
    rng = np.random.default_rng(seed)
    image = np.full((SIZE, SIZE, 3), GROUND, dtype=np.float64)
    for row, column in rng.uniform(0, SIZE, (18, 2)):
        image[disc(row, column, 19)] = RED_CELL
    for nucleus in nuclei:
        image[nucleus] = NUCLEUS
    return np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def overlap(one: Mask, other: Mask) -> float:
    """Intersection over union of two masks."""
    return float((one & other).sum() / (one | other).sum())

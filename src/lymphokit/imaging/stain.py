"""The colours of one laboratory moved onto those of another, channel by channel.

Statistics come from moments of single images, so that those of any set of patients are had
without opening an image again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Stain:
    """Mean and standard deviation of red, green and blue over all pixels of a set of images.

    Both (3,), in levels from 0 to 255.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, moments: NDArray[np.float64]) -> Self:
        """From the moments (n_images, 2, 3) of images of one size.

        Raises ValueError for no image, and for a channel of one level, which cannot be stretched.
        """
        if not len(moments):
            raise ValueError("the stain of no image")
        mean, square = moments.mean(axis=0)
        std = np.sqrt(np.maximum(square - mean**2, 0.0))
        if not std.all():
            raise ValueError("the stain of images of which a channel has one level")
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    @classmethod
    def read(cls, fields: dict[str, Any]) -> Self:
        """From what `as_dict` made and JSON kept."""
        return cls(tuple(fields["mean"]), tuple(fields["std"]))

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a JSON file."""
        return asdict(self)


def moments(image: Pixels) -> NDArray[np.float64]:
    """Mean and mean square of each channel of an image (h, w, 3): (2, 3)."""
    levels = image.reshape(-1, 3).astype(np.float64)
    return np.stack([levels.mean(axis=0), np.square(levels).mean(axis=0)])


def stain_of(images: Iterable[Pixels]) -> Stain:
    """The stain of images of one size, read one after the other."""
    return Stain.of(np.stack([moments(image) for image in images]))


def move(image: Pixels, source: Stain, target: Stain) -> Pixels:
    """An image (h, w, 3) of the stain `source` as if it had the stain `target`.

    x -> m1 + s1 (x - m0) / s0 in each channel, rounded and kept within 0 and 255.
    Source: report 4.4.1.
    """
    levels = np.arange(256)[:, None]  # an image has at most these: a table is the whole map
    moved = np.array(target.mean) + np.array(target.std) * (levels - source.mean) / source.std
    table = np.clip(np.rint(moved), 0, 255).astype(np.uint8)
    return np.stack([table[image[..., channel], channel] for channel in range(3)], axis=-1)


def move_all(images: Iterable[Pixels], source: Stain, target: Stain) -> Iterator[Pixels]:
    """`move` for image after image."""
    return (move(image, source, target) for image in images)


def moved_onto(
    own: str, moving: str, stains: dict[str, dict[str, Any]]
) -> tuple[Stain, Stain] | None:
    """From and to which stain the images of one side move; None where they stay as they are.

    own: `competition` or `labelled_cells`, whose images; moving: which of them moves, or `none`;
    stains: both, as `as_dict` made them.
    """
    if own != moving:
        return None
    other = next(name for name in ("competition", "labelled_cells") if name != own)
    return Stain.read(stains[own]), Stain.read(stains[other])

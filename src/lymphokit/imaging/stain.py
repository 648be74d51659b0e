"""Stain normalisation: give images of one laboratory the colours of another, channel by channel.

Statistics are pooled from the moments of single images, so that the stain of any set of patients
follows without opening an image again.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_DATASETS = ("competition", "labelled_cells")


@dataclass(frozen=True)
class Stain:
    """Mean and standard deviation of red, green and blue over all pixels of a set of images.

    Both (3,), in levels from 0 to 255.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def from_moments(cls, moments: NDArray[np.float64]) -> Self:
        """From the moments (n_images, 2, 3) of images of one size.

        Raises ValueError for no image, and for a channel of one level, which cannot be scaled.
        """
        if not len(moments):
            raise ValueError("no image to take the stain of")
        mean, square = moments.mean(axis=0)
        # Var = E[x^2] - E[x]^2; rounding can make it slightly negative in a flat channel.
        std = np.sqrt(np.maximum(square - mean**2, 0.0))
        if not std.all():
            raise ValueError("a channel of the images has one level: its stain cannot be scaled")
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    @classmethod
    def from_images(cls, images: Iterable[Pixels]) -> Self:
        """From RGB images (h, w, 3) uint8 of one size, read one after the other."""
        return cls.from_moments(np.stack([moments(image) for image in images]))

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """From the result of `as_dict`, read back from JSON."""
        return cls(tuple(fields["mean"]), tuple(fields["std"]))

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a JSON file."""
        return asdict(self)


def moments(image: Pixels) -> NDArray[np.float64]:
    """Mean and mean square of each channel of an image (h, w, 3): (2, 3)."""
    levels = image.reshape(-1, 3).astype(np.float64)
    return np.stack([levels.mean(axis=0), np.square(levels).mean(axis=0)])


def normalise_stain(image: Pixels, source: Stain | None, target: Stain) -> Pixels:
    """An image (h, w, 3) of the stain `source` with the stain `target`.

    x -> m1 + s1 (x - m0) / s0 in each channel, rounded and clipped to [0, 255]. With None for the
    source, m0 and s0 are those of this image alone; a channel of one level becomes m1.
    Source: report 4.4.1.
    Departs: the report does not state whether m0 and s0 are of one image or of all; with a source,
    they are of all pixels of a set of images, so that cells keep their differences. The set is
    that of the training patients of a fold and not of all patients.
    """
    source = _stain_of(image) if source is None else source
    levels = np.arange(256)[:, None]  # all that uint8 can hold: a lookup table is the whole map
    mapped = np.array(target.mean) + np.array(target.std) * (levels - source.mean) / source.std
    table = np.clip(np.rint(mapped), 0, 255).astype(np.uint8)  # (256, 3)
    return look_up(image, table)


def look_up(image: Pixels, table: NDArray[np.uint8]) -> Pixels:
    """Each channel of an image (h, w, 3) uint8 through its column of a table (256, 3)."""
    return np.stack([table[image[..., channel], channel] for channel in range(3)], axis=-1)


def _stain_of(image: Pixels) -> Stain:
    """The stain of one image; a channel of one level has deviation 1, so that it can be scaled."""
    mean, square = moments(image)
    std = np.sqrt(np.maximum(square - mean**2, 0.0))
    return Stain(tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist()))


def source_and_target(
    dataset: str,
    normalised: str,
    stains: dict[str, dict[str, Any]],
    *,
    per: Literal["cohort", "image"] = "cohort",
) -> tuple[Stain | None, Stain] | None:
    """Source and target stain for the images of a dataset; None if they stay as they are.

    dataset, `competition` or `labelled_cells`; normalised: the dataset that is normalised to the
    other, or `none`; stains: of both datasets, as `as_dict` gives them; per: `cohort` takes one
    source for all images of the dataset, `image` (source None) that of each image.
    """
    if dataset != normalised:
        return None
    other = next(name for name in _DATASETS if name != dataset)
    source = Stain.from_dict(stains[dataset]) if per == "cohort" else None
    return source, Stain.from_dict(stains[other])

"""Image files as a sequence: each image is read, cropped, resized and normalised on access."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lymphokit.errors import CohortError, Fault, ImageError
from lymphokit.imaging.read import read_image
from lymphokit.imaging.stain import Stain, normalise_stain

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class ImageFiles:
    """Images on disk, read on access: `images[np.array([3, 5])]`, or one by one in a loop.

    root, paths: the files, as paths relative to root.
    size: side in pixels that every file must have; None accepts any.
    crop: side in pixels of the central square that is kept; None keeps all.
    side: side in pixels that the image is then resized to; None leaves it.
    stain: source and target of stain normalisation, the last step; None leaves it out.
    Memory holds only the images of one access.
    """

    root: Path
    paths: Sequence[str]
    size: int | None
    crop: int | None = None
    side: int | None = None
    stain: tuple[Stain, Stain] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, positions: NDArray[np.int64]) -> Pixels:
        """The images at these positions: (n, h, w, 3) RGB."""
        return np.stack([self.image(position) for position in positions.tolist()])

    def __iter__(self) -> Iterator[Pixels]:
        return (self.image(position) for position in range(len(self)))

    def image(self, position: int) -> Pixels:
        """One image (h, w, 3) RGB. Raises ImageError, naming the file, where it is unusable."""
        path = self.paths[position]
        try:
            image = read_image(self.root / path, self.size)
        except ImageError as error:
            raise ImageError(f"{path} {error}") from error
        image = resize(crop_centre(image, self.crop), self.side)
        return image if self.stain is None else normalise_stain(image, *self.stain)


def crop_centre(image: Pixels, side: int | None) -> Pixels:
    """The central square of `side` pixels of an image (h, w, 3); None: the whole image.

    Raises ValueError where the image is smaller.
    """
    if side is None:
        return image
    height, width = image.shape[:2]
    if side > min(height, width):
        raise ValueError(f"a crop of {side} pixels from an image of {width}x{height}: lower `crop`")
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def resize(image: Pixels, side: int | None) -> Pixels:
    """An image (h, w, 3) at (side, side, 3); None: as it is.

    Shrinking averages areas, which avoids aliasing; enlarging is bilinear.
    """
    if side is None:
        return image
    method = cv2.INTER_AREA if side < max(image.shape[:2]) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side, side), interpolation=method), dtype=np.uint8)


def check_images(root: Path, paths: Sequence[str]) -> None:
    """Decode every image. Raises CohortError that lists all unusable ones."""
    faults = []
    for path in paths:
        try:
            read_image(root / path, None)
        except ImageError as error:
            fault = Fault(str(root), str(error), "replace or remove them", path, len(paths))
            faults.append(fault)
    if faults:
        raise CohortError(faults)

"""Images of labelled cells, and lazy sequences of images for networks that train on pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lymphokit.errors import CohortError, Fault, ImageError
from lymphokit.imaging.frame import centre, resized
from lymphokit.imaging.read import read_image
from lymphokit.imaging.stain import Stain, move

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Photographs:
    """Images on disk, read as they are asked for: `photographs[np.array([3, 5])]`.

    root and paths tell the files; size is the side that they must have, None for any. Each image
    is cut to its centre of `crop` pixels, brought to `side` pixels, and has its stain moved from
    `stain[0]` to `stain[1]`; None leaves out a step. Memory holds only the images asked for.
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
        """One image (h, w, 3) RGB. Raises ImageError, naming the file, where it cannot be used."""
        path = self.paths[position]
        try:
            image = resized(centre(read_image(self.root / path, self.size), self.crop), self.side)
        except ImageError as error:
            raise ImageError(f"{path} {error}") from error
        return image if self.stain is None else move(image, *self.stain)


def check_photographs(root: Path, names: Sequence[str]) -> None:
    """Decode every image. Raises CohortError with all that cannot be used."""
    faults = []
    remedy = "replace them, or remove them"
    for name in names:
        try:
            read_image(root / name, None)
        except ImageError as error:
            faults.append(Fault(str(root), str(error), remedy, name, len(names)))
    if faults:
        raise CohortError(faults)

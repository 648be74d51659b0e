"""Image files as a sequence: each image is read, cropped, resized and normalised on access."""

import filecmp
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from lymphokit.errors import CohortError, Fault, ImageError
from lymphokit.imaging.read import read_image
from lymphokit.imaging.stain import Stain, normalise_stain

Pixels = NDArray[np.uint8]
# Single cells: ALL-IDB2 257 pixels a side, PBC 360, Raabin 575. Fields of view: from 640x480 on,
# ALL-IDB1 1712x1368 and 2592x1944.
_FIELD_PX = 640
_FIELD_RATIO = 3  # an image so many times larger than the median of its set is a field, too


@dataclass(frozen=True)
class ImageFiles:
    """Images on disk, read on access: `images[np.array([3, 5])]`, or one by one in a loop.

    root, paths: the files, as paths relative to root.
    size: side in pixels that every file must have; None accepts any.
    crop: side in pixels of the central square that is kept; None keeps all.
    side: side in pixels that the image is then resized to; None leaves it.
    stain: source and target of stain normalisation, the last step; source None takes that of each
    image; None leaves the step out.
    Memory holds only the images of one access.
    """

    root: Path
    paths: Sequence[str]
    size: int | None
    crop: int | None = None
    side: int | None = None
    stain: tuple[Stain | None, Stain] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, positions: NDArray[np.int64]) -> Pixels:
        """The images at these positions: (n, h, w, 3) RGB."""
        return np.stack([self.image(position) for position in positions.tolist()])

    def subset(self, positions: Iterable[int]) -> Self:
        """The images at these positions, as such a sequence."""
        return replace(self, paths=[self.paths[position] for position in positions])

    @property
    def files(self) -> list[Path]:
        """The path of each file."""
        return [self.root / path for path in self.paths]

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


class RepeatedPictureError(ImageError):
    """An image holds the pixels of an earlier one, whose name and label it has."""

    def __init__(self, finding: str, earlier: str, label: str) -> None:
        super().__init__(finding)
        self.earlier = earlier
        self.label = label


class Pictures:
    """Reads the images of one bag or set, and refuses a picture that it has read before.

    root: their folder; size: side in pixels that every file must have; None accepts any.
    """

    def __init__(self, root: Path, size: int | None) -> None:
        self.root = root
        self.size = size
        self._first: dict[bytes, tuple[str, str]] = {}

    def read(self, name: str, label: str = "") -> Pixels:
        """An image (h, w, 3) RGB; label: its type, which the message of a later repetition names.

        Raises ImageError; RepeatedPictureError where the same pixels were read before.
        """
        image = read_image(self.root / name, self.size)
        digest = blake2b(repr(image.shape).encode() + image.tobytes()).digest()
        earlier, its_label = self._first.setdefault(digest, (name, label))
        if earlier != name:
            place = f" ({its_label})" if its_label else ""
            same = "bytes" if self._same_bytes(name, earlier) else "pixels"
            finding = f"holds the {same} of {earlier}{place}: the same picture twice"
            raise RepeatedPictureError(finding, earlier, its_label)
        return image

    @property
    def images(self) -> dict[bytes, str]:
        """The image of each digest of pixels that was read."""
        return {digest: name for digest, (name, _) in self._first.items()}

    def _same_bytes(self, name: str, other: str) -> bool:
        return filecmp.cmp(self.root / name, self.root / other, shallow=False)


def check_cells(home: Path, label_of: Mapping[str, str]) -> dict[str, str]:
    """Decode every image of a set of single cells.

    label_of: label or type of each file, as a path below home.
    Returns the files to leave out, since an earlier one of their label has their picture, and that
    earlier one: in both parts of a split, a picture would be learned from and then predicted.
    Raises CohortError that lists all unusable images, pictures under two labels, and whole fields
    of view: ALL-IDB1, which has those, names its files as ALL-IDB2 does.
    """
    pictures = Pictures(home, None)
    sides: dict[str, tuple[int, int]] = {}  # width, height
    found: dict[str, str] = {}
    repeated: dict[str, str] = {}
    for path, label in label_of.items():
        try:
            height, width = pictures.read(path, label).shape[:2]
        except RepeatedPictureError as error:
            if error.label == label:
                repeated[path] = error.earlier
            else:
                found[path] = str(error)
        except ImageError as error:
            found[path] = str(error)
        else:
            sides[path] = width, height
    found |= _fields_of_view(sides)
    remedy, n_images = "replace or remove them", len(label_of)
    if found:
        raise CohortError(
            [Fault(str(home), finding, remedy, path, n_images) for path, finding in found.items()]
        )
    return repeated


def _fields_of_view(sides: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """The finding of each image that is too large to show a single cell."""
    if not sides:
        return {}
    most = min(_FIELD_PX, _FIELD_RATIO * float(np.median([max(each) for each in sides.values()])))
    return {
        path: f"is {width}x{height}, a whole field of view: cut out single cells"
        for path, (width, height) in sides.items()
        if max(width, height) >= most
    }

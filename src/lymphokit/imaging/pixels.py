"""Image banks: all images of a cohort at 128 pixels a side, raw and segmented, and their masks."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lymphokit.arrays import RowReader, open_array
from lymphokit.imaging.segment import Mask, Pixels, keep_cell
from lymphokit.keyed_rows import Keys, Positions, RowFile, write_rows

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
Segmenter = Callable[[Pixels], Mask]  # (h, w, 3) RGB uint8 -> (h, w) bool; all where no cell is
SIDE = 128  # the autoencoder's input: four 2x2 poolings down to 8 x 8 (report 3.4.1)
IMAGES_PER_THREAD = 4  # submitted and not yet written; bounds the memory


@dataclass(frozen=True)
class SmallCell:
    """A cell as a row of the image banks.

    raw, segmented: (128, 128, 3) RGB uint8; mask: (h, ceil(w / 8)) uint8, the bits of the mask at
    full size.
    """

    raw: Pixels
    segmented: Pixels
    mask: Pixels


def write_pixel_banks(
    images: Callable[[Positions], Iterable[Pixels]],
    keys: Keys,
    *,
    raw: Path,
    segmented: Path,
    masks: Path,
    image_size: int,
    segmenter: Segmenter,
    threads: int,
) -> int:
    """Segment the images that no earlier run has, and write three banks, one row per cell.

    images: those at given positions, (image_size, image_size, 3) RGB uint8, one by one and in
    order. keys: of all images, see `keyed_rows`.
    segmenter: makes the mask of an image.
    raw, segmented: files of (n_cells, 128, 128, 3) uint8, shrunk by averaging areas; segmented is
    black outside the cell.
    masks: file of (n_cells, image_size, ceil(image_size / 8)) uint8, for `unpack_mask`.
    Returns the number of images segmented. Nothing is fitted.
    Raises BankError where there are fewer or more images than asked for.
    """
    work = partial(small_cell, segmenter=segmenter)
    limit = threads * IMAGES_PER_THREAD

    def segmented_cells(positions: Positions) -> Iterator[Sequence[Pixels]]:
        for cell in ordered_results(pool, work, images(positions), limit=limit):
            yield cell.raw[None], cell.segmented[None], cell.mask[None]

    small, packed = (SIDE, SIDE, 3), (image_size, -(-image_size // 8))
    files = [RowFile(raw, small, np.uint8), RowFile(segmented, small, np.uint8)]
    with ThreadPoolExecutor(threads) as pool:
        return write_rows([*files, RowFile(masks, packed, np.uint8)], keys, segmented_cells)


def small_cell(image: Pixels, *, segmenter: Segmenter) -> SmallCell:
    """Segment one image and shrink it: (h, w, 3) RGB uint8."""
    mask = segmenter(image)
    return SmallCell(shrink(image), shrink(keep_cell(image, mask)), pack_mask(mask))


def shrink(image: Pixels) -> Pixels:
    """The image at 128 x 128, each pixel the mean of the area it covers: uint8 -> uint8."""
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def pack_mask(mask: Mask) -> Pixels:
    """Eight pixels of a row to a byte: (h, w) bool -> (h, ceil(w / 8)) uint8."""
    return np.packbits(mask, axis=1)


def unpack_mask(packed: Pixels) -> Mask:
    """Inverse of `pack_mask` for a square image: (size, ceil(size / 8)) -> (size, size) bool."""
    return np.unpackbits(packed, axis=1, count=len(packed)).view(np.bool_)


def count_not_found(masks: Path) -> int:
    """The number of masks of a bank that are the whole image, as where no cell was found."""
    with RowReader(masks) as reader:
        size = reader.row_shape[0]
        whole = pack_mask(np.ones((size, size), dtype=np.bool_)).tobytes()
        return sum(reader.bytes_of(row) == whole for row in range(len(reader)))


def open_pixels(path: Path) -> NDArray[np.uint8]:
    """Open a bank of images (n, 128, 128, 3), or of packed masks, which stay on disk until used.

    Raises ArrayFileError where the file cannot be read as one.
    """
    return open_array(path)


def ordered_results(
    pool: ThreadPoolExecutor,
    work: Callable[[ItemT], ResultT],
    items: Iterable[ItemT],
    limit: int,
) -> Iterator[ResultT]:
    """The results of `work` in the order of the items, with at most `limit` pending.

    `Executor.map` would read all items into memory at once.
    """
    pending: deque[Future[ResultT]] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) > limit:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()

"""Image banks: all images of a cohort at 128 pixels a side, raw and segmented, and their masks."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lymphokit.arrays import open_array
from lymphokit.imaging.rows import RowWriter
from lymphokit.imaging.segment import Mask, Pixels, keep_cell, no_cell_found

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
Segmenter = Callable[[Pixels], Mask]  # (h, w, 3) RGB uint8 -> (h, w) bool; all where no cell is
SIDE = 128  # the autoencoder's input: four 2x2 poolings down to 8 x 8 (report 3.4.1)
IMAGES_PER_THREAD = 4  # submitted and not yet written; bounds the memory


@dataclass(frozen=True)
class SmallCell:
    """A cell as a row of the image banks.

    raw, segmented: (128, 128, 3) RGB uint8; mask: (h, ceil(w / 8)) uint8, the bits of the mask at
    full size; found: whether segmentation found a cell.
    """

    raw: Pixels
    segmented: Pixels
    mask: Pixels
    found: bool


def write_pixel_banks(
    images: Iterable[Pixels],
    n_cells: int,
    *,
    raw: Path,
    segmented: Path,
    masks: Path,
    image_size: int,
    segmenter: Segmenter,
    threads: int,
) -> int:
    """Segment all images and write three banks, one row per cell.

    images: (image_size, image_size, 3) RGB uint8, read one by one and in order.
    segmenter: makes the mask of an image.
    raw, segmented: files of (n_cells, 128, 128, 3) uint8, shrunk by averaging areas; segmented is
    black outside the cell.
    masks: file of (n_cells, image_size, ceil(image_size / 8)) uint8, for `unpack_mask`.
    Returns the number of images in which no cell was found. Nothing is fitted. Memory does not
    grow with n_cells.
    Raises BankError unless there are `n_cells` images.
    """
    work = partial(small_cell, segmenter=segmenter)
    small = (n_cells, SIDE, SIDE, 3)
    packed = (n_cells, image_size, -(-image_size // 8))
    n_not_found = 0
    with (
        RowWriter(raw, small, np.uint8) as raw_rows,
        RowWriter(segmented, small, np.uint8) as segmented_rows,
        RowWriter(masks, packed, np.uint8) as mask_rows,
        ThreadPoolExecutor(threads) as pool,
    ):
        for cell in ordered_results(pool, work, images, limit=threads * IMAGES_PER_THREAD):
            raw_rows.append(cell.raw[None])
            segmented_rows.append(cell.segmented[None])
            mask_rows.append(cell.mask[None])
            n_not_found += not cell.found
    return n_not_found


def small_cell(image: Pixels, *, segmenter: Segmenter) -> SmallCell:
    """Segment one image and shrink it: (h, w, 3) RGB uint8."""
    mask = segmenter(image)
    return SmallCell(
        shrink(image), shrink(keep_cell(image, mask)), pack_mask(mask), not no_cell_found(mask)
    )


def shrink(image: Pixels) -> Pixels:
    """The image at 128 x 128, each pixel the mean of the area it covers: uint8 -> uint8."""
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def pack_mask(mask: Mask) -> Pixels:
    """Eight pixels of a row to a byte: (h, w) bool -> (h, ceil(w / 8)) uint8."""
    return np.packbits(mask, axis=1)


def unpack_mask(packed: Pixels) -> Mask:
    """Inverse of `pack_mask` for a square image: (size, ceil(size / 8)) -> (size, size) bool."""
    return np.unpackbits(packed, axis=1, count=len(packed)).view(np.bool_)


def open_pixels(path: Path) -> NDArray[np.uint8]:
    """Open a bank of images (n, 128, 128, 3), or of packed masks, as a read-only memory map.

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

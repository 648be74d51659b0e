"""All images of a cohort, small and in one file: as they are, segmented, and their masks."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lymphokit.imaging.rows import RowWriter
from lymphokit.imaging.segment import Mask, Pixels, found_nothing, keep_cell, segment

SIDE = 128  # the autoencoder's input: four 2x2 poolings down to 8 x 8 (report 3.4.1)
_AHEAD = 4  # images under way for each thread


@dataclass(frozen=True)
class SmallCell:
    """A cell as the image banks hold it.

    raw and segmented (128, 128, 3) RGB uint8, mask (h, ceil(w / 8)) uint8: bits of the full size.
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
    closing_px: int,
    dilation_px: int,
    threads: int,
) -> int:
    """Segment all images and write three banks, a row a cell; how many had no cell to be found.

    images: (image_size, image_size, 3) RGB uint8, taken one by one and in order. raw, segmented:
    (n_cells, 128, 128, 3) uint8, shrunk by averaging areas; segmented is black outside the cell.
    masks: (n_cells, image_size, ceil(image_size / 8)) uint8, for `unpack_mask`.
    Nothing is fitted. Memory does not grow with n_cells.
    Raises BankError where there are not `n_cells` images.
    """
    work = partial(small_cell, closing_px=closing_px, dilation_px=dilation_px)
    small = (n_cells, SIDE, SIDE, 3)
    packed = (n_cells, image_size, -(-image_size // 8))
    n_not_found = 0
    with (
        RowWriter(raw, small, np.uint8) as raw_rows,
        RowWriter(segmented, small, np.uint8) as segmented_rows,
        RowWriter(masks, packed, np.uint8) as mask_rows,
        ThreadPoolExecutor(threads) as pool,
    ):
        for cell in _in_order(pool, work, images, ahead=threads * _AHEAD):
            raw_rows.append(cell.raw[None])
            segmented_rows.append(cell.segmented[None])
            mask_rows.append(cell.mask[None])
            n_not_found += not cell.found
    return n_not_found


def small_cell(image: Pixels, *, closing_px: int, dilation_px: int) -> SmallCell:
    """Segment one image and shrink it: (h, w, 3) RGB uint8."""
    mask = segment(image, closing_px=closing_px, dilation_px=dilation_px)
    return SmallCell(
        shrink(image), shrink(keep_cell(image, mask)), pack_mask(mask), not found_nothing(mask)
    )


def shrink(image: Pixels) -> Pixels:
    """The image at 128 x 128, each pixel the mean of the area it covers: uint8 -> uint8."""
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def pack_mask(mask: Mask) -> Pixels:
    """Eight pixels of a row to a byte: (h, w) bool -> (h, ceil(w / 8)) uint8."""
    return np.packbits(mask, axis=1)


def unpack_mask(packed: Pixels) -> Mask:
    """The mask of a square image: (size, ceil(size / 8)) uint8 -> (size, size) bool."""
    return np.unpackbits(packed, axis=1, count=len(packed)).view(np.bool_)


def open_pixels(path: Path) -> NDArray[np.uint8]:
    """A bank of images or masks, read from disk as it is used, never to be written."""
    return np.asanyarray(np.load(path, mmap_mode="r"))


def _in_order(
    pool: ThreadPoolExecutor,
    work: "partial[SmallCell]",
    images: Iterable[Pixels],
    ahead: int,
) -> Iterator[SmallCell]:
    """What the threads make of the images, in their order, with few of them in memory."""
    under_way: deque[Future[SmallCell]] = deque()
    for image in images:
        under_way.append(pool.submit(work, image))
        if len(under_way) > ahead:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()

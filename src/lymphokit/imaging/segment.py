"""The lymphocyte in the middle of an image, told from everything else without any label."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

SMALLEST_SHARE = 0.01  # of an image; what is smaller is a platelet or a grain of stain

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def segment(image: Pixels, *, closing_px: int, dilation_px: int) -> Mask:
    """Mask of the cell at the centre of an image: (h, w, 3) RGB uint8 -> (h, w) bool.

    The saturation is split in two classes, closed with a disc of `closing_px` pixels across; the
    cell at the centre is kept, its holes filled, and grown by `dilation_px` pixels on each side.
    Where there is no such cell the mask is the whole image: `found_nothing` tells. Cells that
    touch cannot be told apart by colour and are kept together.
    Source: report 3.3.
    Departs: the report keeps every saturated object; we keep the central one, because platelets
    and neighbours cut by the border are saturated too and are not the cell that was photographed.
    """
    channel = saturation(image)
    coloured = (channel > two_class_threshold(channel)).astype(np.uint8)
    whole = _morphology(coloured, cv2.MORPH_CLOSE, closing_px)
    cell = _central_object(whole)
    if cell is None:
        return np.ones(channel.shape, dtype=np.bool_)
    grown = _morphology(_fill_holes(cell), cv2.MORPH_DILATE, 2 * dilation_px + 1)
    return grown.astype(np.bool_)


def found_nothing(mask: Mask) -> bool:
    """Whether a mask of `segment` is the whole image because no cell was found at its centre."""
    return bool(mask.all())


def keep_cell(image: Pixels, mask: Mask) -> Pixels:
    """The image with everything outside the mask black: (h, w, 3), (h, w) -> (h, w, 3)."""
    return np.asarray(cv2.copyTo(image, mask.view(np.uint8)), dtype=np.uint8)


def saturation(image: Pixels) -> Pixels:
    """The S channel of HSV, 0 grey to 255 pure: (h, w, 3) RGB uint8 -> (h, w) uint8."""
    return np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1])


def two_class_threshold(channel: Pixels) -> int:
    """The highest value of the lower of two classes, the optimum of two-class K-means.

    Two-class K-means minimises the variance within classes, and its classes on one axis are
    intervals; so does Otsu's threshold, which a histogram of 256 bins gives exactly, without a
    start. A channel of one value has no second class: that value is returned.
    Source: Otsu 1979.
    """
    threshold, _ = cv2.threshold(channel, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return max(int(threshold), int(channel.min()))


def _central_object(objects: Pixels) -> Pixels | None:
    """The object on the centre, else the nearest to it that is whole; None if there is neither.

    Objects smaller than `SMALLEST_SHARE` do not count. One that touches the border is a neighbour
    cut off, unless it lies on the centre itself.
    """
    _, found, about, _ = cv2.connectedComponentsWithStats(objects, connectivity=8)
    names = np.asarray(found, dtype=np.int32)
    height, width = names.shape
    left, top, wide, high, areas = np.asarray(about).T
    large = areas >= SMALLEST_SHARE * names.size
    large[0] = False  # what is not an object
    chosen = int(names[height // 2, width // 2])
    if not large[chosen]:
        inside = (left > 0) & (top > 0) & (left + wide < width) & (top + high < height)
        candidates = np.flatnonzero(large & inside)
        if len(candidates) == 0:
            return None
        chosen = _nearest_to_centre(names, candidates)
    return np.equal(names, chosen).astype(np.uint8)


def _nearest_to_centre(names: NDArray[np.int32], candidates: NDArray[np.intp]) -> int:
    rows, columns = np.nonzero(np.isin(names, candidates))
    height, width = names.shape
    distances = (rows - height // 2) ** 2 + (columns - width // 2) ** 2
    nearest = distances.argmin()
    return int(names[rows[nearest], columns[nearest]])


def _fill_holes(cell: Pixels) -> Pixels:
    """The object and all it encloses. An object open to the border encloses nothing there."""
    outlines, _ = cv2.findContours(cell, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(cell), outlines, -1, 1, cv2.FILLED), np.uint8)


def _morphology(mask: Pixels, operation: int, across_px: int) -> Pixels:
    return np.asarray(cv2.morphologyEx(mask, operation, _disc(across_px)), dtype=np.uint8)


@cache
def _disc(across_px: int) -> Pixels:
    """A disc of ones, `across_px` pixels across."""
    from_centre = np.arange(across_px) - (across_px - 1) / 2
    inside = from_centre[:, None] ** 2 + from_centre**2 <= (across_px / 2) ** 2
    return inside.astype(np.uint8)

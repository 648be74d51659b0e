"""Segmentation of the cell at the centre of an image, without labels."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

SMALLEST_SHARE = 0.01  # of the image's area; smaller objects are platelets or grains of stain

Pixels = NDArray[np.uint8]
Levels = NDArray[np.float32]  # (h, w), such as weights or odds of each pixel
Mask = NDArray[np.bool_]


def segment(image: Pixels, *, closing_px: int, dilation_px: int) -> Mask:
    """Mask of the cell at the centre of an image: (h, w, 3) RGB uint8 -> (h, w) bool.

    Steps: threshold the saturation into two classes; close with a disc of diameter `closing_px`;
    keep the object at the centre; fill its holes; dilate it by `dilation_px` on each side.
    Without an object at the centre the mask is the whole image: see `no_cell_found`. Touching
    cells have the same colour and stay one object.
    Source: report 3.3.
    Departs: the report keeps every saturated object; we keep the central one, because platelets
    and neighbours cut by the border are saturated too and are not the cell of this image.
    """
    channel = saturation(image)
    coloured = (channel > two_class_threshold(channel)).astype(np.uint8)
    whole = morphology(coloured, cv2.MORPH_CLOSE, closing_px)
    cell = central_object(whole)
    if cell is None:
        return np.ones(channel.shape, dtype=np.bool_)
    grown = morphology(fill_holes(cell), cv2.MORPH_DILATE, 2 * dilation_px + 1)
    return grown.astype(np.bool_)


def no_cell_found(mask: Mask) -> bool:
    """Whether a mask of `segment` is the whole image, because no cell lay at its centre."""
    return bool(mask.all())


def keep_cell(image: Pixels, mask: Mask) -> Pixels:
    """The image with everything outside the mask black: (h, w, 3), (h, w) -> (h, w, 3)."""
    return np.asarray(cv2.copyTo(image, mask.view(np.uint8)), dtype=np.uint8)


def saturation(image: Pixels) -> Pixels:
    """The S channel of HSV, 0 grey to 255 pure: (h, w, 3) RGB uint8 -> (h, w) uint8."""
    return np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1])


def two_class_threshold(channel: Pixels) -> int:
    """Two-class K-means of a channel: the highest level of the lower class.

    On one axis the classes of K-means are intervals, and both K-means and Otsu's threshold
    minimise the variance within classes. Otsu finds the exact optimum from a histogram of 256
    bins, without an initial guess. For a channel of one level, that level.
    Source: Otsu 1979.
    """
    threshold, _ = cv2.threshold(channel, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return max(int(threshold), int(channel.min()))


def central_object(objects: Pixels) -> Pixels | None:
    """The object that covers the centre, else the nearest one inside the border, else None.

    Objects smaller than `SMALLEST_SHARE` are ignored. An object that touches the border is a
    neighbouring cell cut off, unless it covers the centre.
    """
    _, components, statistics, _ = cv2.connectedComponentsWithStats(objects, connectivity=8)
    component_of = np.asarray(components, dtype=np.int32)  # (h, w); 0 is the background
    height, width = component_of.shape
    left, top, wide, high, areas = np.asarray(statistics).T
    large = areas >= SMALLEST_SHARE * component_of.size
    large[0] = False
    selected = int(component_of[height // 2, width // 2])
    if not large[selected]:
        inside = (left > 0) & (top > 0) & (left + wide < width) & (top + high < height)
        candidates = np.flatnonzero(large & inside)
        if len(candidates) == 0:
            return None
        selected = _nearest_to_centre(component_of, candidates)
    return np.equal(component_of, selected).astype(np.uint8)


def _nearest_to_centre(component_of: NDArray[np.int32], candidates: NDArray[np.intp]) -> int:
    """The candidate component with the pixel nearest to the centre."""
    rows, columns = np.nonzero(np.isin(component_of, candidates))
    height, width = component_of.shape
    distances = (rows - height // 2) ** 2 + (columns - width // 2) ** 2
    nearest = distances.argmin()
    return int(component_of[rows[nearest], columns[nearest]])


def fill_holes(cell: Pixels) -> Pixels:
    """The object with its holes filled. A bay that is open at the border is not a hole."""
    outlines, _ = cv2.findContours(cell, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(cell), outlines, -1, 1, cv2.FILLED), np.uint8)


def large_objects(objects: Pixels) -> Mask:
    """The objects that are no platelets or grains of stain: (h, w) in {0, 1} -> (h, w) bool."""
    _, components, statistics, _ = cv2.connectedComponentsWithStats(objects, connectivity=8)
    is_large = np.asarray(statistics)[:, cv2.CC_STAT_AREA] >= SMALLEST_SHARE * objects.size
    is_large[0] = False
    found: Mask = is_large[np.asarray(components)]
    return found


def morphology(mask: Pixels, operation: int, diameter_px: int) -> Pixels:
    """A morphological operation of OpenCV with a disc: (h, w) -> (h, w) uint8 in {0, 1}."""
    return np.asarray(cv2.morphologyEx(mask, operation, disc(diameter_px)), dtype=np.uint8)


@cache
def disc(diameter_px: int) -> Pixels:
    """A disc of ones: (diameter_px, diameter_px)."""
    from_centre = np.arange(diameter_px) - (diameter_px - 1) / 2
    inside = from_centre[:, None] ** 2 + from_centre**2 <= (diameter_px / 2) ** 2
    return inside.astype(np.uint8)

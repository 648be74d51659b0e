"""The cell at the centre of one image: its nucleus, and the whole of it with pale cytoplasm.

Nothing is in levels of colour or in pixels of the image, so that it holds for other stains, other
cameras and other sizes: what cytoplasm looks like is learnt in the image, from what lies around
the nucleus and not elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lymphokit.imaging.segment import Levels, Mask, Pixels, segment
from lymphokit.settings import Region
from lymphokit.whole_cells.colour_odds import bareness, colour_bins, log_odds
from lymphokit.whole_cells.nucleus import SIDE, Nuclei, find_nuclei
from lymphokit.whole_cells.star_outline import radii_of, star_outline

RADIUS_PX = 24  # of the nucleus, at which its cell is outlined
WINDOW = 4.0  # half a side of what is looked at, in radii of the nucleus
REACH = 3.5  # of the cell from the centre of its nucleus
ROUNDS = 2  # in which colours are learnt again from the outline
NEAR, FAR = 0.35, 0.9  # from the nucleus: what is likely cytoplasm, and what is not
# Log odds of being in the cell: at the rim of the nucleus, what each radius takes away, least; of
# bare slide; what is taken away nearer to another nucleus.
AT_NUCLEUS, PER_RADIUS, LEAST = 1.2, 2.2, -4.0
BARE, NEIGHBOUR, NUCLEUS = -2.5, -4.0, 4.0


@dataclass(frozen=True)
class CellParts:
    """Masks of the cell at the centre of an image, (h, w) bool: nucleus, and the whole cell."""

    nucleus: Mask
    cell: Mask


def cell_parts(image: Pixels) -> CellParts | None:
    """Nucleus and whole cell at the centre of an image: (h, w, 3) RGB uint8, of any size.

    The nucleus is found first (`find_nuclei`). The cell is the smooth star around it in which
    colours are most likely those of its cytoplasm; they are compared with the colours elsewhere,
    red cells among them, and with bare slide. None without a nucleus near the centre.
    """
    nuclei = _nuclei_at_full_size(image)
    if nuclei is None:
        return None
    window, shape = _window(nuclei.central)
    shown = Nuclei(*(_resized(mask[window], shape) for mask in (nuclei.central, nuclei.others)))
    if not shown.central.any():
        return None
    part = _outlined(_smooth(image[window], shape), shown)
    cell = np.zeros_like(nuclei.central)
    cell[window] = _resized(part, cell[window].shape)
    return CellParts(nuclei.central, cell | nuclei.central)


def whole_cell(image: Pixels) -> Mask:
    """Mask of the whole cell at the centre: (h, w, 3) RGB uint8 -> (h, w) bool.

    Without a nucleus the mask is the whole image, as of `imaging.segment.segment`.
    Departs: report 3.3 thresholds the saturation and dilates, which cuts pale cytoplasm off.
    """
    parts = cell_parts(image)
    return np.ones(image.shape[:2], dtype=np.bool_) if parts is None else parts.cell


def segmenter_of(region: Region, *, closing_px: int, dilation_px: int) -> Callable[[Pixels], Mask]:
    """What makes the mask of an image: `whole_cell`, or report 3.3's of the nucleus with a rim.

    closing_px, dilation_px: of `imaging.segment.segment`, which makes the latter.
    """
    if region == "cell":
        return whole_cell
    return partial(segment, closing_px=closing_px, dilation_px=dilation_px)


def _nuclei_at_full_size(image: Pixels) -> Nuclei | None:
    height, width = image.shape[:2]
    scale = SIDE / min(height, width)
    found = find_nuclei(_smooth(image, (round(height * scale), round(width * scale))))
    if found is None:
        return None
    return Nuclei(*(_resized(mask, (height, width)) for mask in (found.central, found.others)))


def _outlined(image: Pixels, nuclei: Nuclei) -> Mask:
    """The whole cell in an image where its nucleus has a radius of about `RADIUS_PX`."""
    nucleus, hull = nuclei.central, _hull(nuclei.central)
    away = _distance(hull) / _radius(hull)
    bare = bareness(image, nucleus, away >= min(float(np.quantile(away, 0.7)), 1.2))
    shown, bins = 1 - bare, colour_bins(image)
    near = np.exp(-0.5 * (away / NEAR) ** 2) * ~nucleus * shown
    elsewhere = np.maximum(_elsewhere(away), nuclei.others) * shown
    prior = np.clip(AT_NUCLEUS - PER_RADIUS * away, LEAST, AT_NUCLEUS)
    prior += NEIGHBOUR * (_distance(nuclei.others) < _distance(hull))
    outlined = _star(nucleus, hull)
    inside, outside = near, elsewhere
    for _ in range(ROUNDS):
        odds = log_odds(bins, _floor(inside), _floor(outside))
        cell = outlined((odds + prior) * shown + BARE * bare)
        likely = np.clip(1.2 - away / 2, 0.2, 1) / (1 + np.exp(-2 * odds))
        inside = (cell & ~nucleus) * likely + 0.02 * near
        outside = np.maximum(~(cell | nucleus) * shown, 0.5 * elsewhere)
    return cell


def _star(nucleus: Mask, hull: Mask) -> Callable[[Levels], Mask]:
    """What makes the best outline around the nucleus from log odds, with the nucleus."""
    rows, columns = np.nonzero(hull)
    centre = float(rows.mean()), float(columns.mean())
    reach = round(min(max(hull.shape), REACH * _radius(hull)))
    least = radii_of(nucleus, centre)

    def outlined(odds: Levels) -> Mask:
        certain = np.where(nucleus, NUCLEUS, odds).astype(np.float32)
        return star_outline(certain, centre, least, reach) | nucleus

    return outlined


def _elsewhere(away: Levels) -> Levels:
    """Weights of pixels that are not the cell's; away: distance from its nucleus, in radii."""
    weights = 1 / (1 + np.exp(-(away - FAR) / 0.15))
    if weights.mean() < 0.03:  # a cell that fills the image
        weights = away >= np.quantile(away, 0.9)
    return np.asarray(weights, dtype=np.float32)


def _floor(weights: NDArray[Any]) -> Levels:
    """Weights that are nowhere 0, so that they sum up to something."""
    return np.asarray(weights + 1e-6, dtype=np.float32)


def _window(nucleus: Mask) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """What is looked at around a nucleus, and its size at which that has its usual radius."""
    hull = _hull(nucleus)
    reach, scale = WINDOW * _radius(hull), RADIUS_PX / _radius(hull)
    slices = []
    for places, side in zip(np.nonzero(hull), hull.shape, strict=True):
        middle = places.mean()
        slices.append(slice(max(0, int(middle - reach)), min(side, int(middle + reach) + 1)))
    shape = [max(8, round((each.stop - each.start) * scale)) for each in slices]
    return (slices[0], slices[1]), (shape[0], shape[1])


def _smooth(image: Pixels, shape: tuple[int, int]) -> Pixels:
    """The image at another size, without noise of single pixels."""
    shrinks = shape[0] < image.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    small = cv2.resize(np.ascontiguousarray(image), shape[::-1], interpolation=how)
    return np.asarray(cv2.medianBlur(small, 3), dtype=np.uint8)


def _resized(mask: Mask, shape: tuple[int, ...]) -> Mask:
    scaled = cv2.resize(mask.astype(np.float32), (shape[1], shape[0]))
    return np.asarray(np.asarray(scaled) > 0.5, dtype=np.bool_)


def _hull(mask: Mask) -> Mask:
    """The convex hull of a mask."""
    canvas = np.zeros(mask.shape, dtype=np.uint8)
    points = cv2.findNonZero(mask.astype(np.uint8))
    cv2.fillConvexPoly(canvas, np.asarray(cv2.convexHull(points)), (1,))
    return canvas.astype(np.bool_)


def _radius(mask: Mask) -> float:
    """The radius of a disc of the mask's area, in pixels."""
    return float(np.sqrt(mask.sum() / np.pi))


def _distance(mask: Mask) -> Levels:
    """The distance of each pixel from a mask in pixels; infinite where it is empty."""
    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    outside = (~mask).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)

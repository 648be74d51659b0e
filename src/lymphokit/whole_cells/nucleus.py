"""The nucleus at the centre of an image: the darkest object with the sharpest rim."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lymphokit.imaging.segment import Levels, Mask, Pixels, morphology
from lymphokit.imaging.smear_colours import three_class_thresholds

SIDE = 128  # pixels of the shorter side at which a nucleus is sought
SMALLEST, USUAL = 0.006, 0.04  # share of the image's area: of any nucleus, of one that is as likely
CENTRE = 0.25  # standard deviation of the weight of the centre, in sides
THRESHOLDS = np.linspace(0.30, 0.85, 12)  # tried, as shares of the darkest density
OPENING_PX, BLUR_PX = 3, 1.0
# A lobe of the same nucleus: least and mean distance in radii of the main lobe, least and most area
# in areas of it.
LOBE_NEAR, LOBE_AWAY, LOBE_LEAST, LOBE_MOST = 0.6, 1.8, 0.04, 1.2
NEIGHBOUR = 0.15  # least area of another cell's nucleus


@dataclass(frozen=True)
class Nuclei:
    """Masks (h, w): the nucleus of the cell at the centre with all its lobes; those of others."""

    central: Mask
    others: Mask


@dataclass(frozen=True)
class _Objects:
    """Dark objects: number of each pixel (h, w), area of each, the central one, the threshold."""

    number: NDArray[np.int32]
    areas: NDArray[np.int64]
    central: int
    threshold: float


def find_nuclei(image: Pixels) -> Nuclei | None:
    """The nuclei in an image (h, w, 3) RGB uint8 whose shorter side is `SIDE` pixels.

    Of twelve thresholds of darkness, the one whose central object has the sharpest rim: nuclei
    differ from their cytoplasm more than chromatin does within, and more than cytoplasm does from
    the slide. None without an object near the centre.
    """
    dark = _darkness(image)
    slope = np.hypot(cv2.Sobel(dark, cv2.CV_32F, 1, 0), cv2.Sobel(dark, cv2.CV_32F, 0, 1))
    weight = _weight_of_centre(dark.shape)
    darkest = float(np.quantile(dark, 0.995))
    best: tuple[float, _Objects | None] = (0.0, None)
    for threshold in THRESHOLDS * darkest:
        objects = _objects(dark, float(threshold), weight)
        if objects is not None:
            best = max(best, (_sharpness(objects, slope), objects), key=lambda pair: pair[0])
    return None if best[1] is None else _with_lobes(best[1], dark)


def _darkness(image: Pixels) -> Levels:
    """Optical density of green and, with less weight, of red, in which red cells are light."""
    green = image[..., 1]
    _, high = three_class_thresholds(np.bincount(green.ravel(), minlength=256))
    light = image[green > high] if (green > high).any() else image.reshape(-1, 3)
    bare = np.median(light[:, :2], axis=0) + 1
    density = -np.log((image[..., :2].astype(np.float32) + 1) / bare)
    dark = (density[..., 1] + 0.7 * density[..., 0]).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(dark, (0, 0), BLUR_PX), dtype=np.float32)


@cache
def _weight_of_centre(shape: tuple[int, ...]) -> NDArray[np.float64]:
    rows, columns = (np.linspace(-0.5, 0.5, side, dtype=np.float32) for side in shape)
    weight = np.exp(-(rows[:, None] ** 2 + columns**2) / (2 * CENTRE**2))
    return np.asarray(weight, np.float64)


def _objects(dark: Levels, threshold: float, weight: NDArray[np.float64]) -> _Objects | None:
    """The objects darker than a threshold; the central one has most area, near the centre."""
    found = morphology((dark > threshold).astype(np.uint8), cv2.MORPH_OPEN, OPENING_PX)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    number, areas = np.asarray(labels, np.int32), np.asarray(statistics, np.int64)[:, 4].copy()
    areas[0] = 0
    mass = np.bincount(number.ravel(), weights=weight.ravel(), minlength=len(areas))
    mass *= areas >= SMALLEST * dark.size
    central = int(mass.argmax())
    return _Objects(number, areas, central, threshold) if mass[central] > 0 else None


def _sharpness(objects: _Objects, slope: Levels) -> float:
    """Mean slope along the rim of the central object, less where it is cut off or tiny."""
    mask = (objects.number == objects.central).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    columns, rows = np.concatenate([np.asarray(each) for each in outlines])[:, 0].T
    height, width = mask.shape
    inside = (rows > 0) & (columns > 0) & (rows < height - 1) & (columns < width - 1)
    if inside.mean() < 0.4:
        return 0.0
    size = min(1.0, objects.areas[objects.central] / (USUAL * mask.size))
    return float(slope[rows[inside], columns[inside]].mean() * inside.mean() * size**0.3)


def _with_lobes(objects: _Objects, dark: Levels) -> Nuclei:
    """Join objects that lie beside the central one and are as dark; large others are neighbours."""
    central = objects.number == objects.central
    area = int(objects.areas[objects.central])
    depth = objects.threshold + 0.5 * (float(dark[central].mean()) - objects.threshold)
    candidates = np.flatnonzero(
        (objects.areas >= LOBE_LEAST * area) & (objects.areas <= LOBE_MOST * area)
    )
    for _ in range(2):  # the second time beside the lobes that were joined
        away = cv2.distanceTransform((~central).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        radius = float(np.sqrt(area / np.pi))
        for lobe in candidates:
            its = objects.number == lobe
            near = away[its].min() < LOBE_NEAR * radius and away[its].mean() < LOBE_AWAY * radius
            if near and dark[its].mean() > depth and not _is_cut_off(its):
                central = central | its
    large = np.flatnonzero(objects.areas > NEIGHBOUR * area)
    return Nuclei(central, np.isin(objects.number, large) & ~central)


def _is_cut_off(mask: Mask) -> bool:
    """Whether an object touches the border of the image."""
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())

"""Morphology of a cell as a haematologist assesses it: size, shape, colours, chromatin texture.

A few named features beside the thousands of a network: with a hundred patients they overfit less,
and they are interpretable.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_SHAPE = ("log_area", "circularity", "solidity", "axis_ratio")
_CHANNELS = ("red", "green", "blue", "lightness", "green_to_red", "blue_to_yellow")
_CHROMATIN_SCALES_PX = (1.0, 2.0, 4.0)

NAMES: tuple[str, ...] = (
    *(f"cell_{name}" for name in _SHAPE),
    *(f"nucleus_{name}" for name in _SHAPE),
    "nucleus_share",
    *(
        f"{part}_{channel}_{statistic}"
        for part in ("cell", "nucleus", "cytoplasm")
        for statistic in ("mean", "std")
        for channel in _CHANNELS
    ),
    *(
        f"chromatin_{statistic}_at_{scale:g}_px"
        for scale in _CHROMATIN_SCALES_PX
        for statistic in ("contrast", "spread")
    ),
)


def measure(image: Pixels, mask: Mask) -> NDArray[np.float32]:
    """The measurements of one cell, in the order of `NAMES`: (len(NAMES),).

    image (h, w, 3) RGB; mask (h, w), true on the cell.
    Areas are logarithms of pixels, shapes are ratios from 0 to 1, colours are RGB and CIELAB in
    levels from 0 to 255, chromatin is the magnitude of the Laplacian of the green channel, in which
    a stained nucleus is darkest, at three scales.
    Nothing outside the mask is measured: the stain of the background would be a confounder.
    """
    nucleus = _nucleus(image, mask)
    cytoplasm = mask & ~nucleus
    shapes = [*_shape(mask), *_shape(nucleus), nucleus.sum() / mask.sum()]
    colours = np.dstack([image, cv2.cvtColor(image, cv2.COLOR_RGB2LAB)])
    parts = [_colours(colours, part if part.any() else mask) for part in (mask, nucleus, cytoplasm)]
    return np.concatenate([shapes, *parts, _chromatin(image, nucleus)]).astype(np.float32)


def measure_cells(
    images: Iterable[Pixels], masks: Iterable[Mask], *, rim_px: int
) -> Iterator[NDArray[np.float32]]:
    """The measurements of each cell as a batch of one, for a feature bank.

    rim_px: width of the dilation of the masks by segmentation, which is removed again.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim_px + 1, 2 * rim_px + 1))
    for image, mask in zip(images, masks, strict=True):
        core = cv2.erode(mask.astype(np.uint8), disc).astype(np.bool_)
        yield measure(image, core if core.any() else mask)[None]


def _nucleus(image: Pixels, mask: Mask) -> Mask:
    """The darker of two classes of green inside the cell, by Otsu's threshold.

    The whole cell if it has a single colour.
    """
    green = np.ascontiguousarray(image[..., 1])
    threshold, _ = cv2.threshold(green[mask], 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    dark = mask & (green <= threshold)
    return dark if dark.any() else mask


def _shape(part: Mask) -> list[float]:
    outlines, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    area = float(part.sum())
    # OpenCV measures between the centres of pixels: half a pixel per side is missing.
    perimeter = cv2.arcLength(outline, closed=True) + 4.0
    hull = cv2.contourArea(cv2.convexHull(outline)) + perimeter / 2
    (_, sides, _) = cv2.minAreaRect(outline)
    circularity = min(1.0, 4 * np.pi * area / perimeter**2)
    axis_ratio = (min(sides) + 1) / (max(sides) + 1)
    return [np.log(area), circularity, min(1.0, area / hull), axis_ratio]


def _colours(colours: Pixels, part: Mask) -> NDArray[np.float64]:
    inside = colours[part].astype(np.float64)
    return np.concatenate([inside.mean(axis=0), inside.std(axis=0)])


def _chromatin(image: Pixels, nucleus: Mask) -> list[float]:
    green = image[..., 1].astype(np.float32)
    measured = []
    for scale in _CHROMATIN_SCALES_PX:
        smooth = cv2.GaussianBlur(green, (0, 0), scale)
        edges = np.abs(cv2.Laplacian(smooth, cv2.CV_32F)[nucleus])
        measured += [float(edges.mean()), float(edges.std())]
    return measured

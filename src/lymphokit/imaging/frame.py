"""How much of a photograph is looked at, and how large."""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def centre(image: Pixels, side: int | None) -> Pixels:
    """The square of `side` pixels in the middle of an image (h, w, 3); None: the whole image.

    Raises ValueError where the image is smaller.
    """
    if side is None:
        return image
    height, width = image.shape[:2]
    if side > min(height, width):
        raise ValueError(f"a centre of {side} pixels in an image of {width}x{height}: lower `crop`")
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def resized(image: Pixels, side: int | None) -> Pixels:
    """An image (h, w, 3) as (side, side, 3): areas averaged where it shrinks, else bilinear.

    None: the image as it is.
    """
    if side is None:
        return image
    method = cv2.INTER_AREA if side < max(image.shape[:2]) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side, side), interpolation=method), dtype=np.uint8)

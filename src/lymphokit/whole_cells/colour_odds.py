"""Log odds of a pixel's colour in the cell against around it, learnt from one image."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lymphokit.imaging.segment import Levels, Mask, Pixels
from lymphokit.imaging.smear_colours import three_class_thresholds

BINS = 24  # of each axis of L*a*b*
RARE = 2e-5  # share of pixels below which a colour says nothing
MOST = 3.0  # limit of the log odds of one pixel
LEAST_GLASS = 0.01  # share of the image that must be bare for its colour to be known


def colour_bins(image: Pixels) -> NDArray[np.int32]:
    """The bin of each pixel's colour in L*a*b*, its hue stretched: (h, w, 3) RGB -> (h, w)."""
    smooth = cv2.bilateralFilter(image, 5, 25, 2)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB).astype(np.int32)
    lab[..., 1:] = np.clip(2 * lab[..., 1:] - 128, 0, 255)
    bins = lab * BINS // 256
    return np.asarray((bins[..., 0] * BINS + bins[..., 1]) * BINS + bins[..., 2], np.int32)


def log_odds(bins: NDArray[np.int32], inside: Levels, outside: Levels) -> Levels:
    """Log ratio of the densities of colours, inside to outside, of each pixel: (h, w).

    bins: of `colour_bins`; inside, outside (h, w): weights of the pixels of either.
    """
    ratio = np.log((_density(bins, inside) + RARE) / (_density(bins, outside) + RARE))
    odds = np.clip(ratio.ravel()[bins], -MOST, MOST).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(odds, (0, 0), 1.0), dtype=np.float32)


def bareness(image: Pixels, nucleus: Mask, far: Mask) -> Levels:
    """How surely each pixel is bare slide, 0 to 1: (h, w, 3) RGB -> (h, w).

    The slide is the lightest of three classes of green outside the nucleus, measured on the pixels
    far from it, since in a cell that fills the image the lightest class is its cytoplasm. A
    pixel is bare within two standard deviations of that colour, or lighter.
    """
    green = image[..., 1]
    _, high = three_class_thresholds(np.bincount(green[~nucleus], minlength=256))
    bare = far & (green > high)
    if bare.sum() < LEAST_GLASS * bare.size:
        return np.zeros(bare.shape, dtype=np.float32)
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB).astype(np.float32)
    middle = np.median(lab[bare], axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(lab[bare] - middle), axis=0), 1.5)
    away = (lab - middle) / spread
    away[..., 0] = np.minimum(away[..., 0], 0)
    beyond = np.maximum(np.sqrt((away**2).sum(axis=-1)) - 2, 0)
    return np.asarray(np.exp(-0.5 * (beyond / 1.5) ** 2), dtype=np.float32)


def _density(bins: NDArray[np.int32], weights: Levels) -> NDArray[np.float64]:
    """The smoothed share of each colour: (BINS, BINS, BINS)."""
    counts = np.bincount(bins.ravel(), weights=weights.ravel(), minlength=BINS**3)
    cube = counts.reshape(BINS, BINS, BINS) / max(float(counts.sum()), 1e-9)
    return np.asarray(gaussian_filter(cube, 1.0), dtype=np.float64)

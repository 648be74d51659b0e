"""The best outline around a point, by dynamic programming over its directions."""

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lymphokit.imaging.segment import Levels, Mask

DIRECTIONS = 64
STEEPEST = 4  # pixels that the radius may change from one direction to the next
ROUGHNESS = 6.0  # what a pixel of such a change costs, in log odds
INWARDS_PX = 0.8  # blur carries an outline outwards by about as much
_ANGLES = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS


def star_outline(
    odds: Levels, centre: tuple[float, float], least: NDArray[np.float64], most: int
) -> Mask:
    """The region around a centre with the highest sum of log odds and a smooth rim: (h, w).

    odds (h, w): of each pixel to lie inside; outside the image they are 0. centre: row and column.
    least (DIRECTIONS,): of each direction's radius; most: of all. The region is a star: it is seen
    whole from its centre. The optimum is exact but for the seam, which is closed by going round
    twice.
    """
    gains = _gains(odds, centre, most)
    radii = np.arange(most)
    gains[radii < np.minimum(least, most - 1)[:, None]] = -1e6
    path = _best_path(np.concatenate([gains, gains]))
    half = DIRECTIONS // 2
    radius = np.roll(path[half : half + DIRECTIONS], half) - INWARDS_PX
    return _filled(np.maximum(radius, least), centre, odds.shape)


def radii_of(mask: Mask, centre: tuple[float, float]) -> NDArray[np.float64]:
    """The radius of the furthest pixel of a mask in each direction, 0 without: (DIRECTIONS,)."""
    rows, columns = np.nonzero(mask)
    down, right = rows - centre[0], columns - centre[1]
    turn = np.arctan2(down, right) / (2 * np.pi) * DIRECTIONS
    radii = np.zeros(DIRECTIONS)
    np.maximum.at(radii, np.round(turn).astype(int) % DIRECTIONS, np.hypot(down, right))
    return radii


def _gains(odds: Levels, centre: tuple[float, float], most: int) -> Levels:
    """The sum of log odds of each direction's sector up to each radius: (DIRECTIONS, most)."""
    radii = np.arange(most, dtype=np.float32)
    columns = (centre[1] + np.outer(np.cos(_ANGLES), radii)).astype(np.float32)
    rows = (centre[0] + np.outer(np.sin(_ANGLES), radii)).astype(np.float32)
    ray = cv2.remap(odds, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(np.cumsum(ray * radii * (2 * np.pi / DIRECTIONS), axis=1), np.float32)


def _best_path(gains: Levels) -> NDArray[np.int64]:
    """The radius of each direction on the path of the highest gain less its roughness."""
    n_steps, most = gains.shape
    changes = np.arange(-STEEPEST, STEEPEST + 1)
    cost = (ROUGHNESS * np.abs(changes)).astype(np.float32)
    best = np.full((n_steps, most + 2 * STEEPEST), -1e9, dtype=np.float32)
    inner = best[:, STEEPEST : STEEPEST + most]
    before = sliding_window_view(best, most, axis=1)  # (n_steps, changes, most)
    inner[0] = gains[0]
    for step in range(1, n_steps):
        inner[step] = (before[step - 1] - cost[:, None]).max(axis=0) + gains[step]
    path = np.zeros(n_steps, dtype=np.int64)
    path[-1] = inner[-1].argmax()
    for step in range(n_steps - 1, 0, -1):
        radius = path[step]
        path[step - 1] = radius + changes[(before[step - 1, :, radius] - cost).argmax()]
    return path


def _filled(
    radius: NDArray[np.float64], centre: tuple[float, float], shape: tuple[int, ...]
) -> Mask:
    """The polygon with these radii, filled: (h, w) bool."""
    columns, rows = centre[1] + radius * np.cos(_ANGLES), centre[0] + radius * np.sin(_ANGLES)
    corners = np.round(16 * np.stack([columns, rows], axis=1)).astype(np.int32)
    canvas = np.zeros(shape, dtype=np.uint8)
    cv2.fillPoly(canvas, [corners], (1,), shift=4)
    return canvas.astype(np.bool_)

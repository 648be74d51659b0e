"""Primitives of drawn cells: random outlines, smooth noise, and soft edges on a canvas."""

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Canvas = NDArray[np.float32]
Point = tuple[float, float]  # row, column
Stain = tuple[float, float, float]  # optical density for red, green and blue light

_REACH = 128  # pixels from the middle of the grids below to their border
_ANGLES = 512  # samples of an outline, one turn
_TURN = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False)
_ORDERS = np.arange(2, 12)
_WAVES = np.exp(1j * np.outer(_ORDERS, _TURN))

_rows, _columns = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1]
_RADIUS = np.hypot(_rows, _columns).astype(np.float32)
_ANGLE = np.rint(np.arctan2(_rows, _columns) / (2 * np.pi) * _ANGLES).astype(np.intp) % _ANGLES


def outline(
    rng: np.random.Generator, radius: float, elongation: float, ruggedness: float
) -> NDArray[np.float64]:
    """Draw a random blob: distance in pixels from its centre to its rim at 512 angles.

    elongation and ruggedness are shares of the radius: the amplitude of the elliptic wave, and the
    scale of the other waves, whose amplitudes fall with their frequency.
    """
    waves = rng.standard_normal(len(_ORDERS)) + 1j * rng.standard_normal(len(_ORDERS))
    waves *= ruggedness / (_ORDERS - 0.5)
    waves[0] += elongation * np.exp(2j * np.pi * rng.random())
    # A sum, not @: starting BLAS threads would cost more.
    shape = 1 + (waves[:, None] * _WAVES).real.sum(axis=0)
    return np.asarray(radius * np.maximum(shape, 0.45))


def horns(
    rng: np.random.Generator, number: int, longest: float, reach_angle: float
) -> NDArray[np.float64]:
    """Draw pseudopods to add to an outline: bumps of random length, up to `longest` pixels.

    reach_angle: decay of a bump in radians.
    """
    angles = rng.uniform(0, 2 * np.pi, number)
    lengths = rng.uniform(0.3, 1, number) * longest
    apart = np.abs((_TURN - angles[:, None] + np.pi) % (2 * np.pi) - np.pi)
    return np.asarray((lengths[:, None] * np.exp(-apart / reach_angle)).sum(axis=0))


def depth(rim: NDArray[np.float64], reach: int, row: int = 0, column: int = 0) -> Field:
    """Distance in pixels from each point of a square patch to the rim, positive inside.

    Measured along the ray from the blob's centre. The patch is (2 reach + 1, 2 reach + 1); row,
    column: the blob's centre relative to the patch's centre.
    """
    rows = slice(_REACH - reach - row, _REACH + reach + 1 - row)
    columns = slice(_REACH - reach - column, _REACH + reach + 1 - column)
    from_middle = rim.astype(np.float32)[_ANGLE[rows, columns]]
    return np.asarray(from_middle - _RADIUS[rows, columns])


def soft(inside: Field, edge: float) -> Field:
    """Coverage from 0 to 1 that rises over `edge` pixels at the rim of a depth field."""
    return np.asarray(np.clip(inside / np.float32(edge) + np.float32(0.5), 0, 1))


def stained(amount: Field, stain: Stain) -> Canvas:
    """The optical density of an amount of stain: (h, w) -> (h, w, 3)."""
    return np.asarray(amount[..., None] * np.array(stain, dtype=np.float32))


def grain(rng: np.random.Generator, side: int, scale: float) -> Field:
    """Draw noise blurred by `scale` pixels, of zero mean and unit deviation: (side, side)."""
    noise = rng.standard_normal((side, side), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), scale)
    return np.asarray(smooth * np.float32(2 * np.sqrt(np.pi) * scale))


def window(shape: tuple[int, int], centre: Point, reach: int) -> tuple[slice, slice, slice, slice]:
    """Overlap of a square patch and a canvas: rows and columns of the canvas, then of the patch.

    Slices are empty where the two do not overlap.
    """
    rows, patch_rows = _span(centre[0], reach, shape[0])
    columns, patch_columns = _span(centre[1], reach, shape[1])
    return rows, columns, patch_rows, patch_columns


def _span(middle: float, reach: int, length: int) -> tuple[slice, slice]:
    first = round(middle) - reach
    start = max(first, 0)
    stop = max(min(first + 2 * reach + 1, length), start)
    return slice(start, stop), slice(start - first, stop - first)

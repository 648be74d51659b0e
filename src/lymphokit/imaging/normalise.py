"""Normalisation of a patient's images by the colours of the patient's smear.

Every map is a table of 256 levels a channel, so an image costs one look-up.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lymphokit.imaging.segment import Mask, Pixels
from lymphokit.imaging.smear_colours import OPTICAL_DENSITY, REFERENCE, SmearColours
from lymphokit.imaging.stain import look_up
from lymphokit.settings import Normalise

LEAST_DIFFERENCE = 0.05  # of two optical densities, so that a smear of one colour stays finite
_GREY_MEAN, _GREY_STEP = 100.0, 25.0  # levels: of the nucleus, and of its standard deviation
_OUTSIDE = 200  # the grey level around a cell


def normalise(image: Pixels, mask: Mask, colours: SmearColours, how: Normalise) -> Pixels:
    """An image (h, w, 3) RGB uint8 in the reference's colours; mask (h, w), true on the cell.

    `none`: as it is. `red_cells`: in each channel the one linear map of optical densities that
    moves glass and red cells of this patient to those of the reference. `cell_only`: in addition
    the nucleus, by a second linear piece beyond the red cells, and glass all around the cell: what
    is left is shape and texture of the cell. `grey`: no colour; the mean optical density of the
    channels, standardised in the nucleus of this cell, and one level around the cell.
    """
    return _METHODS[how](image, mask, colours)


def _as_it_is(image: Pixels, _mask: Mask, _colours: SmearColours) -> Pixels:
    return image


def _red_cells(image: Pixels, _mask: Mask, colours: SmearColours) -> Pixels:
    knots = [
        ((glass, red_cells), (to_glass, to_red_cells))
        for glass, red_cells, to_glass, to_red_cells in zip(
            colours.glass, colours.red_cells, REFERENCE.glass, REFERENCE.red_cells, strict=True
        )
    ]
    return look_up(image, np.column_stack([_piecewise(*each) for each in knots]))


def _cell_only(image: Pixels, mask: Mask, colours: SmearColours) -> Pixels:
    here = zip(colours.glass, colours.red_cells, colours.nucleus, strict=True)
    there = zip(REFERENCE.glass, REFERENCE.red_cells, REFERENCE.nucleus, strict=True)
    pieces = [_piecewise(*each) for each in zip(here, there, strict=True)]
    mapped = look_up(image, np.column_stack(pieces))
    mapped[~mask] = _levels(np.array(REFERENCE.glass))
    return mapped


def _grey(image: Pixels, mask: Mask, colours: SmearColours) -> Pixels:
    density = OPTICAL_DENSITY[image].mean(axis=-1)
    nucleus = mask & (image[..., 1] <= colours.nucleus_until)
    inside = density[nucleus if nucleus.any() else mask]
    deviation = max(float(inside.std()), LEAST_DIFFERENCE)
    grey = _GREY_MEAN - _GREY_STEP * (density - inside.mean()) / deviation
    grey[~mask] = _OUTSIDE
    return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


_METHODS: dict[Normalise, Callable[[Pixels, Mask, SmearColours], Pixels]] = {
    "none": _as_it_is,
    "red_cells": _red_cells,
    "cell_only": _cell_only,
    "grey": _grey,
}


def _piecewise(here: tuple[float, ...], there: tuple[float, ...]) -> NDArray[np.uint8]:
    """New levels (256,) of one channel: linear between knots in optical density, and beyond them.

    The knots of a patient are moved apart where they are closer than `LEAST_DIFFERENCE`.
    """
    knots = list(here)
    for place in range(1, len(knots)):
        knots[place] = max(knots[place], knots[place - 1] + LEAST_DIFFERENCE)
    slopes = np.diff(there) / np.diff(knots)
    piece = np.clip(np.searchsorted(knots, OPTICAL_DENSITY) - 1, 0, len(slopes) - 1)
    moved = np.array(there)[piece] + slopes[piece] * (OPTICAL_DENSITY - np.array(knots)[piece])
    return _levels(moved)


def _levels(density: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Grey levels of optical densities."""
    levels = np.clip(np.rint(256 * np.exp(-density) - 1), 0, 255)
    return np.asarray(levels, dtype=np.uint8)

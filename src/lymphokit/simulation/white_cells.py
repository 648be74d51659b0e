"""Draw white cells as layers of stain: cytoplasm, nucleus with its chromatin, granules."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lymphokit.simulation.drawing import (
    Canvas,
    Field,
    Point,
    Stain,
    depth,
    grain,
    horns,
    outline,
    soft,
    stained,
    window,
)

HEMATOXYLIN: Stain = (1.02, 1.66, 0.42)
BASOPHIL_BLUE: Stain = (0.62, 0.74, 0.20)
EDGE_PX = 1.6
BACKGROUND, CYTOPLASM, NUCLEUS = 0, 128, 255  # the values of a mask


@dataclass(frozen=True)
class Granules:
    """Granules of the cytoplasm: their stain, the share of it that they cover, their size."""

    stain: Stain
    cover: float
    scale_px: float
    over_nucleus: bool = False


@dataclass(frozen=True)
class WhiteCell:
    """Appearance of a white cell; lengths in pixels, the rest shares or multiples of a stain.

    lobes: row, column and radius of each lobe of the nucleus, relative to the cell's centre.
    """

    radius: float
    lobes: tuple[tuple[float, float, float], ...]
    elongation: float
    ruggedness: float
    nucleus_elongation: float
    nucleus_ruggedness: float
    clumping: float
    nucleus_density: float
    cytoplasm: Stain
    cytoplasm_density: float
    horns: int = 0
    vacuoles: float = 0.0
    granules: Granules | None = None


def paint(
    canvas: Canvas, cell: WhiteCell, centre: Point, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Add the cell's stains to a canvas of optical densities (h, w, 3), in place.

    Densities under the cell are removed as far as its cytoplasm covers them. Returns the mask
    (h, w): 0 background, 128 cytoplasm, 255 nucleus.
    """
    rim = outline(rng, cell.radius, cell.elongation, cell.ruggedness)
    rim += horns(rng, cell.horns, 0.35 * cell.radius, 0.16)
    reach = int(np.ceil(max(rim.max(), _outermost(cell)))) + 4
    in_nucleus = _nucleus_depth(cell, reach, rng)
    in_cell = np.maximum(depth(rim, reach), in_nucleus + 1.0)
    covered, nucleus = soft(in_cell, EDGE_PX), soft(in_nucleus, EDGE_PX)
    patch = _cytoplasm(cell, in_cell, covered, nucleus, rng)
    patch += stained(_chromatin(cell, in_nucleus, nucleus, rng), HEMATOXYLIN)
    if cell.granules is not None:
        patch += _granules(cell.granules, covered, nucleus, rng)
    return _overlay(canvas, patch, covered, nucleus, centre)


def _outermost(cell: WhiteCell) -> float:
    """Upper bound of the radius of the nucleus, rugged rims of its lobes included."""
    spread = 1 + cell.nucleus_elongation + 3 * cell.nucleus_ruggedness
    return max(float(np.hypot(row, column)) + spread * radius for row, column, radius in cell.lobes)


def _nucleus_depth(cell: WhiteCell, reach: int, rng: np.random.Generator) -> Field:
    """Depth field of the union of the lobes."""
    fields = []
    for row, column, radius in cell.lobes:
        rim = outline(rng, radius, cell.nucleus_elongation, cell.nucleus_ruggedness)
        fields.append(depth(rim, reach, round(row), round(column)))
    return np.asarray(np.maximum.reduce(fields))


def _cytoplasm(
    cell: WhiteCell, in_cell: Field, covered: Field, nucleus: Field, rng: np.random.Generator
) -> Canvas:
    """Stain of the cytoplasm: darker at its rim, mottled, with vacuoles."""
    mottle = grain(rng, len(covered), 1.3)
    border = np.exp(-np.maximum(in_cell - 1, 0) / np.float32(2.2))
    amount = np.float32(0.6) + np.float32(0.8) * border + np.float32(0.12) * mottle
    if cell.vacuoles:
        amount *= 1 - soft(grain(rng, len(covered), 3.0) - (2.6 - 1.6 * cell.vacuoles), 0.5)
    amount *= covered * (1 - nucleus) * np.float32(cell.cytoplasm_density)
    return stained(amount, cell.cytoplasm)


def _chromatin(
    cell: WhiteCell, in_nucleus: Field, nucleus: Field, rng: np.random.Generator
) -> Field:
    """Amount of nuclear stain: fine threads, or dark clumps with pale seams between them.

    The seams follow the zero crossings of smooth noise and cut the nucleus in blocks: the
    "soccer ball" chromatin of chronic lymphocytic leukaemia.
    """
    side = len(nucleus)
    fine = grain(rng, side, 1.0) - np.float32(0.6) * grain(rng, side, 2.2)
    ridges = grain(rng, side, 2.7) / np.float32(0.42)
    seams = np.exp(-ridges * ridges) * np.clip(0.75 + 0.5 * grain(rng, side, 3.0), 0, 1.2)
    membrane = np.exp(-np.maximum(in_nucleus - 1, 0) / np.float32(1.8))
    clumping = np.float32(cell.clumping)
    amount = 1.0 + np.float32(0.19) * (1.3 - clumping) * fine + np.float32(0.22) * membrane
    amount += clumping * (np.float32(0.17) - np.float32(0.48) * seams)
    return np.asarray(np.maximum(amount, 0.3) * nucleus * np.float32(cell.nucleus_density))


def _granules(
    granules: Granules, covered: Field, nucleus: Field, rng: np.random.Generator
) -> Canvas:
    """Stain of the granules, at the highest values of their noise."""
    noise = grain(rng, len(covered), granules.scale_px)
    highest = np.quantile(noise, 1 - granules.cover)
    amount = soft(noise - np.float32(highest), 0.6) * covered
    if not granules.over_nucleus:
        amount = amount * (1 - nucleus)
    return stained(amount, granules.stain)


def _overlay(
    canvas: Canvas, patch: Canvas, covered: Field, nucleus: Field, centre: Point
) -> NDArray[np.uint8]:
    """Add a patch to the canvas where they overlap; return the mask of the covered pixels."""
    shape = (canvas.shape[0], canvas.shape[1])
    reach = len(covered) // 2
    rows, columns, patch_rows, patch_columns = window(shape, centre, reach)
    cover = covered[patch_rows, patch_columns]
    canvas[rows, columns] *= (1 - np.float32(0.93) * cover)[..., None]
    canvas[rows, columns] += patch[patch_rows, patch_columns]
    mask = np.zeros(shape, dtype=np.uint8)
    mask[rows, columns][cover > 0.5] = CYTOPLASM
    mask[rows, columns][nucleus[patch_rows, patch_columns] > 0.5] = NUCLEUS
    return mask


def platelet(canvas: Canvas, centre: Point, radius: float, rng: np.random.Generator) -> None:
    """Draw a platelet, a pale blue speck with purple granules, in place on a canvas."""
    reach = int(np.ceil(1.4 * radius)) + 2
    cover = soft(depth(outline(rng, radius, 0.12, 0.14), reach), 2.0)
    grains = soft(grain(rng, len(cover), 1.1), 0.9)
    patch = stained(cover, (0.42, 0.60, 0.17)) + stained(cover * grains, (0.50, 0.95, 0.30))
    _overlay(canvas, patch, cover, np.zeros_like(cover), centre)


def smudge(canvas: Canvas, centre: Point, radius: float, rng: np.random.Generator) -> None:
    """Draw a smudge cell, a burst nucleus without a rim, in place on a canvas."""
    reach = int(np.ceil(1.9 * radius)) + 6
    sharp = soft(depth(outline(rng, radius, 0.25, 0.4), reach), 9.0)
    cover = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2.5), dtype=np.float32)
    amount = np.float32(0.34) + np.float32(0.07) * grain(rng, len(cover), 1.8)
    patch = stained(cover * amount, (0.62, 1.28, 0.34))
    _overlay(canvas, patch, cover, np.zeros_like(cover), centre)

"""Images of a blood smear: red cells on a cream background, a white cell in the centre.

Stains add up as optical densities, and transmitted light follows the Beer-Lambert law, so that
overlapping red cells are darker, as on a slide.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lymphokit.simulation.drawing import Canvas, Field, Point, Stain, window
from lymphokit.simulation.white_cells import WhiteCell, paint, platelet, smudge

Pixels = NDArray[np.uint8]
Colour = tuple[float, float, float]
USUAL_BACKGROUND: Colour = (251.5, 226.5, 201.5)  # measured on the competition's images
USUAL_STAIN: Colour = (1.0, 1.0, 1.0)
# Half of what two laboratories differ in: levels of the empty slide, share of the stain's density.
_LIGHT_SHIFT = np.array([-1.5, -2.0, -2.5])
_DENSITY_SHIFT = 0.08
HAEMOGLOBIN: Stain = (0.345, 0.455, 0.232)
_RED_REACH = 32
_RED_SHAPES = 24  # red cells drawn for a slide, each seen in eight positions
_NOISE_SIDE = 288
_red_rows, _red_columns = np.mgrid[-_RED_REACH : _RED_REACH + 1, -_RED_REACH : _RED_REACH + 1]
_ROWS, _COLUMNS = _red_rows.astype(np.float32), _red_columns.astype(np.float32)


@dataclass(frozen=True)
class Slide:
    """Slide, stain and camera: common to all images of a patient.

    background: light of the empty slide, RGB of 255; stain: multiples of each colour's density;
    red_radius in pixels; red_gap: least distance of two red cells, in their diameters;
    red_cover: density of red cells; softness: blur in pixels; platelets, neighbours, smudges:
    expected numbers in an image; red_cells (n, side, side): their thickness; noise: of the camera.
    """

    background: Colour
    stain: Colour
    red_radius: float
    red_gap: float
    red_cover: float
    softness: float
    platelets: float
    neighbours: float
    smudges: float
    red_cells: Field
    noise: Field


def draw_slide(
    rng: np.random.Generator,
    background: Colour = USUAL_BACKGROUND,
    stain: Colour = USUAL_STAIN,
    *,
    shift: float = 0.0,
) -> Slide:
    """Draw the slide of one patient.

    background, stain: means of the laboratory, around which its slides vary. shift: from -1 to 1,
    that of the slides of one label towards the light and the stain of another laboratory; with 1
    they are paler, under dimmer light. Slides shifted by -1 and by 1 hardly overlap in colour.
    """
    light = np.array(background) + shift * _LIGHT_SHIFT + rng.normal(0, 1.2, 3)
    dye = np.array(stain) * rng.normal(1, 0.05) * (1 + rng.normal(0, 0.025, 3))
    dye *= 1 - shift * _DENSITY_SHIFT
    radius = float(np.clip(rng.normal(23.0, 1.0), 20.5, 25.5))
    return Slide(
        background=(light[0], light[1], light[2]),
        stain=(dye[0], dye[1], dye[2]),
        red_radius=radius,
        red_gap=float(rng.uniform(0.62, 0.95)),
        red_cover=float(rng.uniform(0.2, 0.75)),
        softness=float(rng.uniform(0.5, 0.75)),
        platelets=float(rng.gamma(2.0, 0.45)),
        neighbours=float(rng.uniform(0.0, 0.25)),
        smudges=float(rng.uniform(0.0, 0.08)),
        red_cells=_draw_red_cells(rng, radius, float(rng.uniform(0.45, 1.0))),
        noise=rng.standard_normal((_NOISE_SIDE, _NOISE_SIDE), dtype=np.float32),
    )


def photograph(
    rng: np.random.Generator,
    slide: Slide,
    cell: WhiteCell | None,
    neighbour: WhiteCell,
    size: tuple[int, int],
) -> tuple[Pixels, Pixels]:
    """Draw an image of a slide with this cell in its centre: (h, w, 3) RGB, and its mask (h, w).

    cell: None draws a platelet; neighbour: the white cell that may lie next to it; size: rows and
    columns. The mask is 0 on the background, 128 on cytoplasm, 255 on the nucleus.
    """
    middle = (size[0] / 2 + rng.normal(0, 1.5), size[1] / 2 + rng.normal(0, 1.5))
    clear = 8.0 if cell is None else cell.radius
    beside = _beside(rng, middle, clear, neighbour) if rng.random() < slide.neighbours else None
    taken = [(middle, clear)] + ([(beside[0], beside[1].radius)] if beside else [])
    red = _red_cells(rng, slide, taken, size)
    canvas = _by_colour(cv2.merge([red, red, red]), HAEMOGLOBIN)
    _scatter(canvas, rng, slide, middle, clear)
    if beside:
        paint(canvas, beside[1], beside[0], rng)
    if cell is None:
        platelet(canvas, middle, float(rng.uniform(6, 11)), rng)
        mask = np.zeros(size, dtype=np.uint8)
    else:
        mask = paint(canvas, cell, middle, rng)
    return _expose(rng, slide, canvas), mask


def _beside(
    rng: np.random.Generator, middle: Point, clear: float, cell: WhiteCell
) -> tuple[Point, WhiteCell]:
    """Place a white cell near the centre without covering the cell there."""
    angle = rng.uniform(0, 2 * np.pi)
    away = (clear + cell.radius) * rng.uniform(1.1, 1.6)
    return (middle[0] + away * np.sin(angle), middle[1] + away * np.cos(angle)), cell


def _scatter(
    canvas: Canvas, rng: np.random.Generator, slide: Slide, middle: Point, clear: float
) -> None:
    """Draw platelets, sometimes a smudge cell, and specks of stain, all off the central cell."""
    objects: list[tuple[Callable[..., None], float, float]] = [
        (platelet, radius, 5.0) for radius in rng.uniform(3.0, 7.0, rng.poisson(slide.platelets))
    ]
    if rng.random() < slide.smudges:
        objects.append((smudge, float(rng.uniform(24, 36)), 30.0))
    for draw_object, radius, margin in objects:
        row, column = rng.uniform(0, canvas.shape[0]), rng.uniform(0, canvas.shape[1])
        if np.hypot(row - middle[0], column - middle[1]) > clear + margin + radius:
            draw_object(canvas, (row, column), radius, rng)
    for _ in range(rng.poisson(1.2)):
        row, column = rng.integers(1, canvas.shape[0] - 1), rng.integers(1, canvas.shape[1] - 1)
        canvas[row - 1 : row + 1, column - 1 : column + 1] += np.float32(rng.uniform(0.2, 0.9))


def _red_cells(
    rng: np.random.Generator,
    slide: Slide,
    taken: list[tuple[Point, float]],
    size: tuple[int, int],
) -> Field:
    """Draw the amount of haemoglobin in the light path: (h, w), 1 in the rim of a usual red cell.

    Where two cells overlap, the smaller thickness counts in part: cells bend around each other.
    """
    thickness = np.zeros(size, dtype=np.float32)
    for centre in _red_centres(rng, slide, taken, size):
        shape, down, across, swap = (rng.random(4) * (len(slide.red_cells), 2, 2, 2)).astype(int)
        patch = slide.red_cells[shape][:: 1 - 2 * down, :: 1 - 2 * across]
        patch = patch.T if swap else patch
        rows, columns, patch_rows, patch_columns = window(size, centre, _RED_REACH)
        below, above = thickness[rows, columns], patch[patch_rows, patch_columns]
        thickness[rows, columns] = np.maximum(below, above) + 0.22 * np.minimum(below, above)
    return thickness


def _red_centres(
    rng: np.random.Generator,
    slide: Slide,
    taken: list[tuple[Point, float]],
    size: tuple[int, int],
) -> list[Point]:
    """Draw positions of red cells, no two closer than the slide's gap, none on a white cell."""
    radius = slide.red_radius
    margin = 0.8 * radius
    tries = round(0.0032 * size[0] * size[1] * slide.red_cover)
    span = np.array(size) + 2 * margin
    places = rng.random((tries, 2)) * span - margin
    apart = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
    too_near = apart < 2 * radius * slide.red_gap
    barred = np.zeros(tries, dtype=np.bool_)
    for middle, clear in taken:
        barred |= np.hypot(*(places - middle).T) < clear + 0.9 * radius
    centres: list[Point] = []
    for place, (row, column) in enumerate(places.tolist()):
        if not barred[place]:
            centres.append((row, column))
            barred |= too_near[place]
    return centres


def _draw_red_cells(rng: np.random.Generator, radius: float, pallor: float) -> Field:
    """Draw the thickness of red cells, slightly irregular biconcave discs: (n, side, side).

    pallor: share of the central thickness that is missing in the palest cells.
    """
    shape = (_RED_SHAPES, 1, 1)
    angle = rng.uniform(0, np.pi, shape)
    radii = radius * np.clip(rng.normal(1, 0.06, shape), 0.85, 1.1)
    flat = np.exp(np.clip(rng.normal(0, 0.07, shape), -0.12, 0.12))
    along = (_COLUMNS * np.cos(angle) + _ROWS * np.sin(angle)) / (radii * flat)
    across = (_ROWS * np.cos(angle) - _COLUMNS * np.sin(angle)) / (radii / flat)
    rho = np.hypot(along, across)
    bend = rng.normal(0, 0.02, shape)
    rho += bend * (along**2 - 3 * across**2) * along / np.maximum(rho, 0.2) ** 2
    cover = np.clip((1 - rho) * radius / 3.0, 0, 1)
    well = pallor * rng.beta(2.0, 1.2, shape)
    width = rng.uniform(0.26, 0.48, shape)
    dip = well / (1 + np.exp((rho - width) / 0.075))
    amount = rng.normal(1, 0.05, shape) * (0.86 + 0.18 * np.minimum(rho, 1))
    return np.asarray(cover * amount * (1 - dip), dtype=np.float32)


def _expose(rng: np.random.Generator, slide: Slide, canvas: Canvas) -> Pixels:
    """Turn densities into an 8-bit image: transmitted light, blur, sharpening, noise."""
    exposure = float(rng.normal(1, 0.006))
    light = cv2.exp(_by_colour(canvas, slide.stain, -1.0))
    light = _by_colour(light, slide.background, exposure)
    row, column = rng.integers(0, _NOISE_SIDE - np.array(canvas.shape[:2]))
    noise = slide.noise[row : row + canvas.shape[0], column : column + canvas.shape[1]]
    light += (np.float32(1.8) * noise)[..., None]
    blurred = cv2.GaussianBlur(light, (0, 0), slide.softness)
    wider = cv2.GaussianBlur(light, (5, 5), 1.4)
    sharp = cv2.addWeighted(blurred, 1.9, wider, -0.9, 0.5)
    return np.asarray(np.clip(sharp, 0, 255), dtype=np.uint8)


def _by_colour(image: NDArray[Any], colour: Colour, factor: float = 1.0) -> Canvas:
    """Scale each channel by its factor; OpenCV is four times faster than broadcasting."""
    scalar = np.array((*colour, 0.0)) * factor
    return np.asarray(cv2.multiply(image, scalar), dtype=np.float32)

"""Simulated sets of single cells: labelled blasts as in ALL-IDB2, blood types as in PBC."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from lymphokit.errors import ImageError
from lymphokit.progress import track
from lymphokit.simulation.cell_kinds import (
    BLOOD_PREFIXES,
    BLOOD_TYPES,
    draw_blood_cell,
    draw_lymphocyte,
    draw_population,
)
from lymphokit.simulation.smear import (
    USUAL_BACKGROUND,
    USUAL_STAIN,
    Colour,
    Pixels,
    Slide,
    draw_slide,
    photograph,
)

LABELLED_SIZE = (257, 257)
BLOOD_SIZE = (363, 360)
_LOW_POWER_SIZE = (129, 129)  # drawn, then enlarged to the labelled size
_HIGH_POWER_SIZE = (227, 225)  # drawn, then enlarged to the size of the blood types
_SLIDES = 12  # of each set
_JPEG_QUALITY = 95  # the competition's
# Another laboratory: a bluish background, a paler stain that transmits more blue light.
_LABELLED_BACKGROUND = (225.0, 232.0, 247.0)
_LABELLED_STAIN = (0.70, 0.75, 0.40)


def write_image(path: Path, image: Pixels) -> None:
    """Write (h, w, 3) RGB or (h, w) grey in the format of the suffix: .jpg, .tif or .png.

    Raises ImageError where OpenCV cannot encode it.
    """
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else []
    done, encoded = cv2.imencode(path.suffix, stored, quality)
    if not done:
        raise ImageError(f"{path} cannot be written as {path.suffix}: use .jpg, .tif or .png")
    path.write_bytes(encoded.tobytes())


def write_labelled_cells(folder: Path, number: int, seed: Sequence[int], signal: float) -> None:
    """Write ImNNN_1.tif, abnormal cells, for the first half, then ImNNN_0.tif, normal ones.

    257x257. Each cell comes from another patient, at half the magnification, hence blurred.
    """
    folder.mkdir(parents=True)
    slides = _slides(seed, _LABELLED_BACKGROUND, _LABELLED_STAIN)
    blasts = number - number // 2
    for place in track(range(number), "drawing labelled cells"):
        is_blast = place < blasts
        rng = np.random.default_rng([*seed, 1, place])
        image = _labelled_cell(rng, slides[place % _SLIDES], signal, is_blast)
        write_image(folder / f"Im{place + 1:03d}_{int(is_blast)}.tif", image)


def _slides(seed: Sequence[int], background: Colour, stain: Colour) -> list[Slide]:
    """Draw some slides of one laboratory, shared by its single cells."""
    streams = [np.random.default_rng([*seed, 0, place]) for place in range(_SLIDES)]
    return [draw_slide(rng, background, stain) for rng in streams]


def _labelled_cell(rng: np.random.Generator, slide: Slide, signal: float, is_blast: bool) -> Pixels:
    population = draw_population(rng, signal)
    cell, _ = draw_lymphocyte(rng, population, is_blast)
    beside, _ = draw_lymphocyte(rng, population, False)
    image, _ = photograph(rng, slide, cell, beside, _LOW_POWER_SIZE)
    return _enlarged(image, LABELLED_SIZE)


def write_blood_cells(folder: Path, number: int, seed: Sequence[int]) -> None:
    """Write `number` images of each of eight normal types, a folder a type, 360 wide, 363 high."""
    slides = _slides(seed, USUAL_BACKGROUND, USUAL_STAIN)
    for order, (name, prefix) in enumerate(track(BLOOD_PREFIXES.items(), "drawing blood types")):
        (folder / name).mkdir(parents=True)
        for place in range(number):
            rng = np.random.default_rng([*seed, 1, order, place])
            image = _blood_cell(rng, slides[place % _SLIDES], name)
            write_image(folder / name / f"{prefix}_{100001 + place}.jpg", image)


def _blood_cell(rng: np.random.Generator, slide: Slide, name: str) -> Pixels:
    beside, _ = draw_lymphocyte(rng, draw_population(rng, 0.0), False)
    cell = draw_blood_cell(rng, name) if name in BLOOD_TYPES else None
    if name == "lymphocyte":
        cell = beside
    image, _ = photograph(rng, slide, cell, beside, _HIGH_POWER_SIZE)
    return _enlarged(image, BLOOD_SIZE)


def _enlarged(image: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)

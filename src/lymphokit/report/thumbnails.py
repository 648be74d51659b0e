"""Pictures for the page: figures re-encoded, the cells of a patient on one sheet, as data URIs."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 72  # pixels of a thumbnail
COLUMNS = 8  # thumbnails in a row of a sheet
_QUALITY = 70  # of a photograph of a cell
_FIGURE_QUALITY = 88
_PHOTOGRAPHS = 300_000  # bytes: a larger PNG holds photographs


def sheet(cells: Sequence[NDArray[np.uint8]]) -> str:
    """The cells of a patient, each (SIDE, SIDE, 3), row after row on one sheet: a data URI."""
    n_rows = -(-len(cells) // COLUMNS)
    canvas = np.full((n_rows * SIDE, COLUMNS * SIDE, 3), 255, dtype=np.uint8)
    for place, cell in enumerate(cells):
        top, left = SIDE * (place // COLUMNS), SIDE * (place % COLUMNS)
        canvas[top : top + SIDE, left : left + SIDE] = cell
    return _encoded(Image.fromarray(canvas), lossless=False, quality=_QUALITY)


def figure(path: Path) -> tuple[str, int, int]:
    """A figure as a data URI, with its width and height in pixels.

    A drawing without loss; a figure of photographs is compressed.
    """
    with Image.open(path) as image:
        shown = image.convert("RGB")
    drawn = path.suffix == ".png" and path.stat().st_size < _PHOTOGRAPHS
    return _encoded(shown, lossless=drawn, quality=_FIGURE_QUALITY), shown.width, shown.height


def _encoded(image: Image.Image, *, lossless: bool, quality: int) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=lossless, quality=quality, method=2)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"

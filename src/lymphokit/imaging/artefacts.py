"""What images give away without showing a cell: their files, and the stain around the cells.

Read to be audited; no model is given these.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from lymphokit.imaging.segment import Mask, Pixels, saturation, two_class_threshold

Floats = NDArray[np.float64]

FILE_COLUMNS = ("file_bytes", "width_px", "height_px", "jpeg_quantisation")
PARTS = ("glass", "ground", "image")
CHANNELS = ("lightness", "green_to_red", "blue_to_yellow")


def file_form(path: Path) -> tuple[int, int, int, int]:
    """Bytes, width and height in pixels, and the coarseness of the JPEG tables of an image file.

    The last is the sum of all entries of its quantisation tables, which is what encoders make of a
    quality; 0 for a file that is no JPEG. Only the header is read.
    """
    with Image.open(path) as image:
        tables: dict[int, Sequence[int]] = getattr(image, "quantization", {})
        coarseness = sum(sum(table) for table in tables.values())
        return path.stat().st_size, image.width, image.height, coarseness


def stains(image: Pixels) -> Floats:
    """Mean and deviation of CIELAB's channels over bare glass, ground and image: (18,).

    image (h, w, 3) RGB. Six levels from 0 to 255 a part: three means, three deviations. The ground
    is the lower of two classes of saturation: no nucleus, whosever. It holds red cells, and how
    many there are is partly medicine; bare glass, the lighter of two classes of the ground, holds
    light and camera alone. A part without a pixel is the image. Every second pixel of every second
    row is looked at: colours need no more.
    """
    image = np.ascontiguousarray(image[::2, ::2])
    lab = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), dtype=np.uint8)
    channel, lightness = saturation(image), lab[..., 0]
    ground = channel <= two_class_threshold(channel)
    glass = ground & (lightness > two_class_threshold(lightness[ground][None]))
    parts = (glass if glass.any() else np.ones_like(glass), ground, np.ones_like(ground))
    return np.concatenate([_colours(lab, part) for part in parts])


def by_patient(patients: Sequence[str], files: NDArray[Any], colours: Floats) -> pd.DataFrame:
    """One row a patient, in the order of ids as text: number, files and colours of their images.

    patients (n_images,): whose each image is; files (n_images, 4) of `file_form`; colours
    (n_images, 18) of `stains`. `_mean`: over a patient's images; `_spread`: the deviation between
    them, 0 for one image; `_contrast`: the mean of the deviation within an image.
    """
    whose = np.asarray(patients)
    form = pd.DataFrame(files, columns=list(FILE_COLUMNS)).groupby(whose)
    table = pd.DataFrame({"n_images": form.size()})
    table["file_bytes_mean"] = form["file_bytes"].mean()
    table["file_bytes_spread"] = form["file_bytes"].std(ddof=0)
    for column in FILE_COLUMNS[1:]:
        table[column] = form[column].mean()
    means, spreads = (pd.DataFrame(colours).groupby(whose).agg(how) for how in ("mean", _spread))
    names = [(part, kind, channel) for part in PARTS for kind in (0, 1) for channel in CHANNELS]
    for place, (part, is_deviation, channel) in enumerate(names):
        if is_deviation:
            table[f"{part}_{channel}_contrast"] = means[place]
        else:
            table[f"{part}_{channel}_mean"] = means[place]
            table[f"{part}_{channel}_spread"] = spreads[place]
    return table.rename_axis("patient").reset_index()


def _colours(lab: Pixels, part: Mask) -> Floats:
    mean, deviation = cv2.meanStdDev(lab, mask=part.view(np.uint8))
    return np.concatenate([mean.ravel(), deviation.ravel()])


def _spread(values: "pd.Series[float]") -> float:
    return float(values.std(ddof=0))

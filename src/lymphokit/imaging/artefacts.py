"""Possible confounders in the images: properties of the files, and colours around the cells.

Only the studies of confounders read them, never a model.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.errors import ImageError
from lymphokit.imaging.read import open_image
from lymphokit.imaging.segment import Mask, Pixels, saturation, two_class_threshold

Floats = NDArray[np.float64]

FILE_COLUMNS = ("file_bytes", "width_px", "height_px", "jpeg_quantisation")
PARTS = ("glass", "ground", "image")
CHANNELS = ("lightness", "green_to_red", "blue_to_yellow")


def file_properties(path: Path) -> tuple[int, int, int, int]:
    """Bytes, width and height in pixels, and coarseness of the JPEG quantisation of an image file.

    The coarseness is the sum of all entries of the quantisation tables, which encoders derive from
    their quality setting; 0 for a file that is no JPEG. Only the header is read.
    Raises ImageError, which names the file, where it cannot be used.
    """
    try:
        opened = open_image(path)
    except ImageError as error:
        raise ImageError(f"{path} {error}") from error
    with opened as image:
        tables: dict[int, Sequence[int]] = getattr(image, "quantization", {})
        coarseness = sum(sum(table) for table in tables.values())
        return path.stat().st_size, image.width, image.height, coarseness


def colour_statistics(image: Pixels) -> Floats:
    """Mean and standard deviation of the CIELAB channels over bare glass, ground and image: (18,).

    image (h, w, 3) RGB. Six levels from 0 to 255 per part: three means, three deviations.
    ground: the lower of two classes of saturation. It has no nuclei, but red cells, whose number
    is partly medical.
    glass: the lighter of two classes of the ground; it depends on light and camera alone.
    A part without pixels is replaced by the image. Only every second pixel of every second row is
    used, which is enough for colours.
    """
    image = np.ascontiguousarray(image[::2, ::2])
    lab = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), dtype=np.uint8)
    channel, lightness = saturation(image), lab[..., 0]
    ground = channel <= two_class_threshold(channel)
    glass = ground & (lightness > two_class_threshold(lightness[ground][None]))
    parts = (glass if glass.any() else np.ones_like(glass), ground, np.ones_like(ground))
    return np.concatenate([_colours(lab, part) for part in parts])


def average_by_patient(
    patients: Sequence[str], files: NDArray[Any], colours: Floats
) -> pd.DataFrame:
    """One row per patient, sorted by id as text: number, file properties and colours of images.

    patients (n_images,): the patient of each image; files (n_images, 4) from `file_properties`;
    colours (n_images, 18) from `colour_statistics`. Columns: `_mean` over the patient's images;
    `_spread`, the standard deviation between them, 0 for one image; `_contrast`, the mean of the
    standard deviation within an image.
    """
    patient_of = np.asarray(patients)
    by_patient = pd.DataFrame(files, columns=list(FILE_COLUMNS)).groupby(patient_of)
    table = pd.DataFrame({"n_images": by_patient.size()})
    table["file_bytes_mean"] = by_patient["file_bytes"].mean()
    table["file_bytes_spread"] = by_patient["file_bytes"].std(ddof=0)
    for column in FILE_COLUMNS[1:]:
        table[column] = by_patient[column].mean()
    means, spreads = (
        pd.DataFrame(colours).groupby(patient_of).agg(how) for how in ("mean", _spread)
    )
    names = [  # the order of `colour_statistics`
        (part, kind, channel) for part in PARTS for kind in (0, 1) for channel in CHANNELS
    ]
    for column_number, (part, is_deviation, channel) in enumerate(names):
        if is_deviation:
            table[f"{part}_{channel}_contrast"] = means[column_number]
        else:
            table[f"{part}_{channel}_mean"] = means[column_number]
            table[f"{part}_{channel}_spread"] = spreads[column_number]
    return table.rename_axis("patient").reset_index()


def _colours(lab: Pixels, part: Mask) -> Floats:
    mean, deviation = cv2.meanStdDev(lab, mask=part.view(np.uint8))
    return np.concatenate([mean.ravel(), deviation.ravel()])


def _spread(values: "pd.Series[float]") -> float:
    return float(values.std(ddof=0))

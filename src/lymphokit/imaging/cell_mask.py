"""The whole cell at the centre of an image, nucleus and pale cytoplasm, by its smear's colours."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.pixels import IMAGES_PER_THREAD, ordered_results, pack_mask
from lymphokit.imaging.rows import RowWriter
from lymphokit.imaging.segment import (
    Mask,
    Pixels,
    central_object,
    fill_holes,
    large_objects,
    morphology,
    no_cell_found,
)
from lymphokit.imaging.smear_colours import SmearColours, evenly_spaced

OPENING_PX = 5  # diameter; parts nuclei from platelets that touch them
CLOSING_PX = 5  # diameter; bridges pale cytoplasm


def cell_mask(
    image: Pixels, colours: SmearColours, *, reach_px: int, bluer: int, lighter: int
) -> Mask:
    """Mask of the cell at the centre: (h, w, 3) RGB uint8 -> (h, w) bool.

    The nucleus is the central object of the pixels that are as dark in green as nuclei. Cytoplasm
    is around it: at most `reach_px` pixels away, bluer than red cells (blue minus red by `bluer`
    levels more), at most `lighter` levels lighter in green than the lightest red cells, and
    connected to the nucleus; gaps are closed and holes filled.
    Without a nucleus at the centre the mask is the whole image.
    Departs: report 3.3 thresholds the saturation and dilates, see `segment.segment`; that cuts
    pale cytoplasm off and takes in a rim of red cells.
    """
    green = image[..., 1]
    dark = (green <= colours.nucleus_until).astype(np.uint8)
    dark = morphology(dark, cv2.MORPH_OPEN, OPENING_PX)
    found = central_object(dark)
    if found is None:
        return np.ones(green.shape, dtype=np.bool_)
    nucleus = found.astype(np.bool_)
    near = cv2.distanceTransform(1 - found, cv2.DIST_L2, cv2.DIST_MASK_5) <= reach_px
    blue_minus_red = image[..., 2].astype(np.int16) - image[..., 0]
    is_blue = blue_minus_red > colours.blue_minus_red + bluer
    is_stained = green < colours.red_cells_until + lighter
    other_nuclei = large_objects(dark) & ~nucleus
    cell = (nucleus | (near & is_blue & is_stained & ~other_nuclei)).astype(np.uint8)
    whole = fill_holes(_connected(morphology(cell, cv2.MORPH_CLOSE, CLOSING_PX), nucleus))
    return whole.astype(np.bool_)


def _connected(objects: Pixels, nucleus: Mask) -> Pixels:
    """The object that the nucleus is part of: (h, w) uint8 in {0, 1}."""
    _, components = cv2.connectedComponents(objects, connectivity=4)
    component_of = np.asarray(components, dtype=np.int32)
    row, column = np.unravel_index(int(nucleus.argmax()), nucleus.shape)
    return np.asarray(component_of == component_of[row, column], dtype=np.uint8)


def smear_colours_of(images: ImageFiles, patient_of: Sequence[str]) -> dict[str, SmearColours]:
    """The colours of every patient's smear, from a few of the patient's images.

    patient_of: the patient of each image; the images of one patient need not be neighbours.
    """
    positions: dict[str, list[int]] = {}
    for position, patient in enumerate(patient_of):
        positions.setdefault(patient, []).append(position)
    return {
        patient: SmearColours.from_images(
            images.image(cells[place]) for place in evenly_spaced(len(cells))
        )
        for patient, cells in positions.items()
    }


def write_cell_masks(
    path: Path,
    images: Iterable[Pixels],
    colours: Sequence[SmearColours],
    *,
    image_size: int,
    settings: Mapping[str, int],
    threads: int,
) -> int:
    """Write the mask of each cell as a row of `path`, for `unpack_mask`.

    images: (image_size, image_size, 3) RGB uint8, read one by one and in order; colours: of the
    smear of each; settings: the arguments of `cell_mask`. Returns the number of images in which no
    cell was found. Memory does not grow with the number of images.
    """
    n_not_found = 0
    shape = (len(colours), image_size, -(-image_size // 8))
    with RowWriter(path, shape, np.uint8) as rows, ThreadPoolExecutor(threads) as pool:

        def mask_of(pair: tuple[Pixels, SmearColours]) -> Mask:
            return cell_mask(pair[0], pair[1], **settings)

        pairs = zip(images, colours, strict=True)
        for mask in ordered_results(pool, mask_of, pairs, limit=threads * IMAGES_PER_THREAD):
            rows.append(pack_mask(mask)[None])
            n_not_found += no_cell_found(mask)
    return n_not_found

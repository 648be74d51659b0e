"""The whole cell at the centre of an image, nucleus and pale cytoplasm, by its smear's colours."""

import cv2
import numpy as np
from numpy.typing import NDArray

from lymphokit.imaging.segment import Mask, Pixels, central_object, disc
from lymphokit.imaging.smear_colours import SmearColours

OPENING_PX = 5  # diameter; parts cells from platelets that touch them


def cell_mask(
    image: Pixels, colours: SmearColours, *, reach_px: int, bluer: int, lighter: int
) -> Mask:
    """Mask of the cell at the centre: (h, w, 3) RGB uint8 -> (h, w) bool.

    The nucleus is the central object of the pixels that are as dark in green as nuclei. Cytoplasm
    is around it: at most `reach_px` pixels away, bluer than red cells (blue minus red by `bluer`
    levels more), and at most `lighter` levels lighter in green than the lightest red cells.
    Without a nucleus at the centre the mask is the whole image.
    Departs: report 3.3 thresholds the saturation and dilates, see `segment.segment`; that cuts
    pale cytoplasm off and takes in a rim of red cells.
    """
    green = image[..., 1]
    dark = (green <= colours.nucleus_until).astype(np.uint8)
    dark = np.asarray(cv2.morphologyEx(dark, cv2.MORPH_OPEN, disc(OPENING_PX)), dtype=np.uint8)
    found = central_object(dark)
    if found is None:
        return np.ones(green.shape, dtype=np.bool_)
    nucleus = found.astype(np.bool_)
    near = cv2.distanceTransform(1 - found, cv2.DIST_L2, cv2.DIST_MASK_5) <= reach_px
    blue_minus_red = image[..., 2].astype(np.int16) - image[..., 0]
    is_blue = blue_minus_red > colours.blue_minus_red + bluer
    is_stained = green < colours.red_cells_until + lighter
    other_nuclei = dark.astype(np.bool_) & ~nucleus
    mask: NDArray[np.bool_] = nucleus | (near & is_blue & is_stained & ~other_nuclei)
    return mask

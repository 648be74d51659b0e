"""Segmentation of a few cells, step by step (report, figures 3 and 4)."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from lymphokit.figures.style import CAPTION
from lymphokit.imaging.segment import Mask, Pixels, keep_cell, no_cell_found, saturation
from lymphokit.settings import Region

_MASKS = {"cell": "the whole cell", "nucleus": "the nucleus, dilated"}
_COLUMNS = ("RGB", "saturation", "mask", "segmented")


def segmentation_figure(
    images: Sequence[Pixels],
    masks: Sequence[Mask],
    *,
    n_cells: int,
    n_not_found: int,
    region: Region = "nucleus",
) -> Figure:
    """Draw image, saturation, mask and segmented image of a few cells, one row per cell.

    images (h, w, 3) RGB uint8 and their masks (h, w); n_cells: number of images of the cohort;
    n_not_found: number of those without a cell at the centre, which are kept whole; region: what
    the masks are of.
    """
    shown = len(images)
    figure = Figure(figsize=(7.2, 1.7 * shown + 1.0), layout="constrained")
    axes = figure.subplots(shown, len(_COLUMNS), squeeze=False)
    for row, image, mask in zip(axes, images, masks, strict=True):
        scale = _draw(row, image, mask)
    for panel, name in zip(axes[0], _COLUMNS, strict=True):
        panel.set_title(name)
    figure.colorbar(scale, ax=axes, label="saturation, 0 without colour to 255 pure", shrink=0.5)
    height, width = images[0].shape[:2]
    figure.supxlabel(
        f"{shown} of n = {n_cells:,} images of {width} x {height} pixels. No cell was found at "
        f"the centre\nof {n_not_found:,} images, which are kept whole. Mask: {_MASKS[region]}.",
        **CAPTION,
    )
    return figure


def _draw(row: Sequence[Axes], image: Pixels, mask: Mask) -> AxesImage:
    """Fill a row of four panels; return the saturation image, for the colour bar."""
    rgb, grey, binary, kept = row
    rgb.imshow(image)
    scale = grey.imshow(saturation(image), cmap="gray", vmin=0, vmax=255)
    binary.imshow(mask, cmap="gray", vmin=0, vmax=1)
    kept.imshow(keep_cell(image, mask))
    if no_cell_found(mask):
        binary.set_xlabel("no cell found", fontsize="small")
    for panel in row:
        panel.set(xticks=[], yticks=[])
    return scale

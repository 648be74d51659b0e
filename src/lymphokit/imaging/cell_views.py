"""Cells as a network sees them: normalised, cropped and resized, each with its mask."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lymphokit.arrays import RowReader
from lymphokit.imaging.cell_mask import cell_mask
from lymphokit.imaging.image_files import ImageFiles, crop_centre, resize
from lymphokit.imaging.normalise import normalise
from lymphokit.imaging.pixels import unpack_mask
from lymphokit.imaging.segment import Mask, Pixels, keep_cell
from lymphokit.imaging.smear_colours import REFERENCE, SmearColours, evenly_spaced
from lymphokit.keyed_rows import Positions
from lymphokit.settings import needs_masks

_LABELLED_IMAGES = 64  # of single cells of another laboratory, from several smears


@dataclass(frozen=True)
class CellViews:
    """Images of cells with their masks, made one by one in a loop.

    images (h, w, 3) RGB. settings: of a backbone; `normalise`; `crop`, the side in pixels of the
    central square that is kept, None keeps all; `px`, the side in pixels that it is then resized
    to, None leaves it. masks (h, w), of the whole cells, and the colours of each one's smear: None
    where the settings need none (`needs_masks`); every pixel is then in the mask.
    """

    images: Iterable[Pixels]
    settings: Mapping[str, Any]
    masks: Iterable[Mask] | None = None
    colours: Iterable[SmearColours] | None = None

    def __iter__(self) -> Iterator[tuple[Pixels, Mask]]:
        if self.masks is None or self.colours is None:
            for image in self.images:
                yield self._view(image, np.ones(image.shape[:2], dtype=np.bool_), REFERENCE)
            return
        for image, mask, colours in zip(self.images, self.masks, self.colours, strict=True):
            yield self._view(image, mask, colours)

    def _view(self, image: Pixels, mask: Mask, colours: SmearColours) -> tuple[Pixels, Mask]:
        crop, px = self.settings["crop"], self.settings["px"]
        shown = normalise(image, mask, colours, self.settings["normalise"])
        inside = resize(crop_centre(mask.view(np.uint8) * np.uint8(255), crop), px)
        return resize(crop_centre(shown, crop), px), inside > 127


@dataclass(frozen=True)
class CohortCells:
    """The cohort's cells as a backbone of these settings sees them, any of them by position.

    masks: of the nuclei, where `image` is segmented; cell_masks and colours: of every cell and of
    its smear, where the settings need them (`needs_masks`).
    """

    images: ImageFiles
    settings: Mapping[str, Any]
    masks: RowReader | None = None
    cell_masks: RowReader | None = None
    colours: Sequence[SmearColours] | None = None

    def views(self, positions: Positions) -> CellViews:
        """The cells at these positions."""
        images: Iterable[Pixels] = self.images.subset(positions)
        if self.masks is not None:
            images = map(keep_cell, images, map(unpack_mask, self.masks.rows(positions)))
        if self.cell_masks is None or self.colours is None:
            return CellViews(images, self.settings)
        masks = map(unpack_mask, self.cell_masks.rows(positions))
        return CellViews(images, self.settings, masks, [self.colours[at] for at in positions])

    def beside(self) -> list[Iterable[bytes]]:
        """What the view of each cell depends on beside its image and the settings, as bytes."""
        masks = [each.all_bytes() for each in (self.masks, self.cell_masks) if each is not None]
        colours = (repr(each.row()).encode() for each in self.colours or ())
        return [*masks, *([colours] if self.colours is not None else [])]


def labelled_views(
    images: ImageFiles,
    settings: Mapping[str, Any],
    *,
    per: Literal["cohort", "image"],
    cell_mask_settings: Mapping[str, int],
) -> CellViews:
    """Single cells of another laboratory as the backbone of these settings sees the cohort's.

    images: all of one side, at which a cell is as large as in the cohort's images; per: whether
    the colours of glass and red cells are those of all images together (`cohort`) or of each;
    cell_mask_settings: the arguments of `cell_mask`. The crop is at most the image, and what is
    cropped is enlarged as the cohort's crops are.
    """
    if images.side is None:
        raise ValueError("labelled cells are shown at one side in pixels")
    crop, px = settings["crop"], settings["px"]
    if crop is not None and crop > images.side:
        crop, px = images.side, px and round(px * images.side / crop)
    shown = {**settings, "crop": crop, "px": px}
    if not needs_masks(settings):
        return CellViews(images, shown)
    colours = list(_colours_of(images, per))
    masks = (
        cell_mask(image, its, **cell_mask_settings)
        for image, its in zip(images, colours, strict=True)
    )
    return CellViews(images, shown, masks, colours)


def _colours_of(images: ImageFiles, per: Literal["cohort", "image"]) -> Iterator[SmearColours]:
    if per == "image":
        yield from (SmearColours.from_images([image]) for image in images)
        return
    some = (images.image(position) for position in evenly_spaced(len(images), _LABELLED_IMAGES))
    yield from [SmearColours.from_images(some)] * len(images)

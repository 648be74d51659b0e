"""What a network is shown: the cell and its mask stay on top of each other."""

from pathlib import Path

import numpy as np
import pytest

from lymphokit.arrays import RowReader
from lymphokit.imaging.cell_views import CellViews, CohortCells, labelled_views
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.normalise import normalise
from lymphokit.imaging.pixels import pack_mask
from lymphokit.imaging.segment import keep_cell
from lymphokit.imaging.smear_colours import SmearColours
from lymphokit.simulation.cell_sets import write_image
from tests.imaging.drawn import disc, smear

CELL = disc(112, 112, 30)
PLAIN = {"normalise": "none", "crop": None, "px": None, "pool": ["image"]}
MASK = {"reach_px": 25, "bluer": 14, "lighter": 30}


def test_plain_settings_show_the_image_itself() -> None:
    image = smear(CELL)
    ((shown, inside),) = CellViews([image], PLAIN)
    assert np.array_equal(shown, image)
    assert inside.all()


@pytest.mark.parametrize(("crop", "px"), [(112, 160), (112, None), (None, 56), (100, 32)])
def test_mask_and_image_are_cut_and_resized_alike(crop: int | None, px: int | None) -> None:
    painted = np.where(CELL[..., None], 0, 255).astype(np.uint8).repeat(3, axis=-1)
    settings = {"normalise": "none", "crop": crop, "px": px}
    colours = SmearColours.from_images([smear(CELL)])
    ((shown, inside),) = CellViews([painted], settings, [CELL], [colours])
    assert shown.shape[:2] == inside.shape
    assert ((shown[..., 0] < 128) == inside).mean() > 0.99


def test_images_are_normalised_before_they_are_cut() -> None:
    image, colours = smear(CELL), SmearColours.from_images([smear(CELL)])
    settings = {"normalise": "red_cells", "crop": 112, "px": None}
    ((shown, _),) = CellViews([image], settings, [CELL], [colours])
    whole = normalise(image, CELL, colours, "red_cells")
    assert np.array_equal(shown, whole[56:168, 56:168])


def test_cells_of_the_cohort_are_shown_with_their_masks_and_colours(tmp_path: Path) -> None:
    drawn = [smear(disc(112, 100 + 5 * i, 30), seed=i) for i in range(4)]
    discs = np.stack([disc(112, 112, 20 + i) for i in range(4)])
    colours = [SmearColours.from_images([image]) for image in drawn]
    for number, image in enumerate(drawn):
        write_image(tmp_path / f"{number}.tif", image)
    np.save(tmp_path / "masks.npy", np.stack([pack_mask(each) for each in discs]))
    files = ImageFiles(tmp_path, [f"{number}.tif" for number in range(4)], 224)
    settings = {"normalise": "red_cells", "crop": 112, "px": None}
    with RowReader(tmp_path / "masks.npy") as masks:
        segmented = CohortCells(files, PLAIN, masks=masks)
        whole = CohortCells(files, settings, cell_masks=masks, colours=colours)
        for at, (image, _) in zip((3, 1), segmented.views(np.array([3, 1])), strict=True):
            assert np.array_equal(image, keep_cell(drawn[at], discs[at]))
        for at, shown in zip((3, 1), whole.views(np.array([3, 1])), strict=True):
            ((image, mask),) = CellViews([drawn[at]], settings, [discs[at]], [colours[at]])
            assert np.array_equal(shown[0], image)
            assert np.array_equal(shown[1], mask)
        assert [len({*each}) for each in whole.beside()] == [4, 4]
        assert CohortCells(files, PLAIN).beside() == []


@pytest.fixture
def labelled(tmp_path: Path) -> ImageFiles:
    for number in range(3):
        write_image(tmp_path / f"{number}.png", smear(CELL, seed=number))
    return ImageFiles(tmp_path, [f"{number}.png" for number in range(3)], None, side=80)


def test_labelled_cells_are_enlarged_as_the_cohorts_are(labelled: ImageFiles) -> None:
    settings = {"normalise": "red_cells", "crop": 112, "px": 168}
    for per in ("cohort", "image"):
        views = list(labelled_views(labelled, settings, per=per, cell_mask_settings=MASK))
        assert [shown.shape for shown, _ in views] == [(120, 120, 3)] * 3  # 80 x 168 / 112
    small = {**settings, "crop": 40}
    ((shown, _), *_) = labelled_views(labelled, small, per="cohort", cell_mask_settings=MASK)
    assert shown.shape == (168, 168, 3)


def test_labelled_cells_need_a_side(labelled: ImageFiles) -> None:
    images = ImageFiles(labelled.root, labelled.paths, None)
    with pytest.raises(ValueError, match="side"):
        labelled_views(images, PLAIN, per="cohort", cell_mask_settings=MASK)

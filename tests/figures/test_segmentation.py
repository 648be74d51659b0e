import numpy as np
from matplotlib.figure import Figure

from lymphokit.figures.segmentation import segmentation_figure
from lymphokit.imaging.segment import keep_cell, saturation

IMAGES = list(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8))
MASKS = [np.tri(32, dtype=bool), np.ones((32, 32), dtype=bool)]


def figure() -> Figure:
    return segmentation_figure(IMAGES, MASKS, n_cells=6366, n_not_found=3)


def test_a_row_shows_image_saturation_mask_and_segmented_image() -> None:
    drawn = [axes.get_images()[0].get_array() for axes in figure().axes[:4]]
    image, mask = IMAGES[0], MASKS[0]
    for shown, expected in zip(
        drawn, (image, saturation(image), mask, keep_cell(image, mask)), strict=True
    ):
        np.testing.assert_array_equal(shown, expected)


def test_the_caption_has_n_and_the_number_of_cells_not_found() -> None:
    text = figure().get_supxlabel()
    assert "2 of n = 6,366" in text
    assert "of 3 images" in text.replace("\n", " ")


def test_an_image_without_a_cell_is_marked() -> None:
    labels = [axes.get_xlabel() for axes in figure().axes]
    assert [labels[2], labels[6]] == ["", "no cell found"]

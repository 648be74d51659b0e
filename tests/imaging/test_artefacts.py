"""What image files and the ground beside the cells give away."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lymphokit.imaging.artefacts import (
    CHANNELS,
    PARTS,
    average_by_patient,
    colour_statistics,
    file_properties,
)

GLASS, RED_CELL, NUCLEUS = (250, 230, 205), (200, 165, 180), (90, 40, 140)


def smear(glass: tuple[int, int, int] = GLASS) -> np.ndarray:
    image = np.full((128, 128, 3), glass, dtype=np.uint8)
    for centre in ((20, 20), (100, 30), (30, 100)):
        cv2.circle(image, centre, 15, RED_CELL, -1)
    for centre in ((64, 64), (105, 105)):  # the cell of the image, and a neighbour
        cv2.circle(image, centre, 18, NUCLEUS, -1)
    return image


def lab(colour: tuple[int, int, int]) -> list[int]:
    return cv2.cvtColor(np.array([[colour]], dtype=np.uint8), cv2.COLOR_RGB2LAB)[0, 0].tolist()


def test_file_properties_are_bytes_size_and_coarseness_of_the_jpeg_tables(tmp_path: Path) -> None:
    image = Image.fromarray(smear()[:100])
    image.save(tmp_path / "fine.jpg", quality=95)
    image.save(tmp_path / "coarse.jpg", quality=50)
    image.save(tmp_path / "none.png")
    fine, coarse, none = (
        file_properties(tmp_path / f"{n}") for n in ("fine.jpg", "coarse.jpg", "none.png")
    )
    assert fine[:3] == ((tmp_path / "fine.jpg").stat().st_size, 128, 100)
    assert fine[0] > coarse[0]
    assert 0 < fine[3] < coarse[3]
    assert none[3] == 0


def test_bare_glass_is_neither_red_cells_nor_any_nucleus() -> None:
    found = colour_statistics(smear())
    np.testing.assert_allclose(found[:6], [*lab(GLASS), 0, 0, 0], atol=1e-9)


def test_the_ground_holds_red_cells_and_no_nucleus() -> None:
    image = smear()
    lightness = colour_statistics(image)[6]
    is_nucleus = (image == NUCLEUS).all(axis=2)[::2, ::2]
    expected = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[::2, ::2, 0][~is_nucleus].mean()
    assert lightness == pytest.approx(expected)
    assert lab(RED_CELL)[0] < lightness < lab(GLASS)[0]


def test_an_image_of_one_colour_has_that_colour_everywhere() -> None:
    found = colour_statistics(np.full((128, 128, 3), GLASS, dtype=np.uint8))
    np.testing.assert_allclose(found, [*lab(GLASS), 0, 0, 0] * 3)


def test_a_patient_is_the_mean_and_the_spread_of_the_images() -> None:
    files = np.array([[100, 224, 224, 9], [300, 224, 224, 9], [50, 224, 224, 9]])
    colours = np.zeros((3, 18))
    colours[:, 0] = 1.0, 3.0, 7.0  # the mean lightness of the glass
    colours[:, 3] = 2.0, 4.0, 8.0  # and its deviation within an image
    table = average_by_patient(["P2", "P2", "P1"], files, colours).set_index("patient")
    assert table.loc["P2", "n_images"] == 2
    assert table.loc["P2", "file_bytes_mean"] == 200
    assert table.loc["P2", "file_bytes_spread"] == 100
    assert table.loc["P2", "glass_lightness_mean"] == 2.0
    assert table.loc["P2", "glass_lightness_spread"] == 1.0
    assert table.loc["P2", "glass_lightness_contrast"] == 3.0
    assert table.loc["P1", "glass_lightness_spread"] == 0.0
    assert len([name for name in table if name.startswith(PARTS)]) == 9 * len(CHANNELS)

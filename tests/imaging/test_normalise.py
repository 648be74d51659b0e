"""Normalisation moves known colours to known colours, whatever the stain was."""

import numpy as np
import pytest

from lymphokit.imaging.normalise import normalise
from lymphokit.imaging.smear_colours import OPTICAL_DENSITY, REFERENCE, SmearColours
from lymphokit.settings import Normalise
from tests.imaging.drawn import SIZE, disc, smear

CELL = disc(112, 112, 30)


def stained(density: float, light: float) -> np.ndarray:
    """The same smear with more or less stain, under more or less light."""
    clean = OPTICAL_DENSITY[smear(CELL)] * density - np.log(light)
    return np.clip(np.rint(256 * np.exp(-clean) - 1), 0, 255).astype(np.uint8)


def normalised(image: np.ndarray, how: Normalise) -> np.ndarray:
    return normalise(image, CELL, SmearColours.from_images([image]), how)


def levels(colour: tuple[float, float, float]) -> np.ndarray:
    return 256 * np.exp(-np.array(colour)) - 1


def test_none_changes_nothing() -> None:
    image = smear(CELL)
    assert np.array_equal(normalised(image, "none"), image)


@pytest.mark.parametrize("how", ["red_cells", "cell_only"])
def test_glass_and_red_cells_reach_the_reference(how: Normalise) -> None:
    image = stained(0.9, 0.95)
    mapped = normalise(image, np.ones_like(CELL), SmearColours.from_images([image]), how)
    found = SmearColours.from_images([mapped])
    np.testing.assert_allclose(levels(found.glass), levels(REFERENCE.glass), atol=2)
    np.testing.assert_allclose(levels(found.red_cells), levels(REFERENCE.red_cells), atol=2)


@pytest.mark.parametrize("how", ["red_cells", "cell_only", "grey"])
@pytest.mark.parametrize(("density", "light"), [(0.85, 1.0), (1.1, 0.9)])
def test_stain_and_light_leave_no_trace(how: Normalise, density: float, light: float) -> None:
    plain, other = stained(1.0, 1.0), stained(density, light)
    before = np.abs(plain.astype(float) - other)[CELL].mean()
    after = np.abs(normalised(plain, how).astype(float) - normalised(other, how))[CELL].mean()
    assert after < before / 3


def test_only_the_cell_is_left() -> None:
    for how in ("cell_only", "grey"):
        around = normalised(smear(CELL), how)[~CELL]
        assert (around == around[0]).all()


def test_a_nucleus_of_another_darkness_is_kept_apart_from_the_stain_by_red_cells_alone() -> None:
    """`red_cells` keeps the darkness of the nucleus, which a doctor looks at."""
    image = smear(CELL)
    paler = image.copy()
    paler[CELL] = np.clip(paler[CELL].astype(int) + 25, 0, 255)
    kept, lost = (
        np.abs(normalised(image, how).astype(float) - normalised(paler, how))[CELL].mean()
        for how in ("red_cells", "cell_only")
    )
    assert kept > 10
    assert lost < kept / 3


def test_grey_has_no_colour() -> None:
    grey = normalised(smear(CELL), "grey")
    assert (grey == grey[..., :1]).all()


@pytest.mark.parametrize("how", ["red_cells", "cell_only", "grey"])
@pytest.mark.parametrize("level", [0, 90, 255])
def test_an_image_of_one_colour_stays_usable(how: Normalise, level: int) -> None:
    image = np.full((SIZE, SIZE, 3), level, dtype=np.uint8)
    assert normalised(image, how).shape == image.shape

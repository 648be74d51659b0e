"""Measurements against cells whose shape and colour are known because they were drawn."""

import cv2
import numpy as np
import pytest

from lymphokit.features.morphology import NAMES, measure

GROUND, CYTOPLASM, NUCLEUS = (250, 225, 200), (190, 180, 220), (90, 40, 130)


def drawn(cell: int = 40, nucleus: int = 25, stretch: float = 1.0) -> dict[str, float]:
    """The measurements of an elliptic cell with a round nucleus, by name."""
    image = np.full((224, 224, 3), GROUND, dtype=np.uint8)
    mask = np.zeros((224, 224), dtype=np.uint8)
    axes = (round(cell * stretch), cell)
    for canvas, colour in ((image, CYTOPLASM), (mask, 1)):
        cv2.ellipse(canvas, (112, 112), axes, 0, 0, 360, colour, cv2.FILLED)
    cv2.circle(image, (112, 112), nucleus, NUCLEUS, cv2.FILLED)
    return dict(zip(NAMES, measure(image, mask.astype(bool)), strict=True))


def test_areas_are_those_of_the_circles() -> None:
    cell = drawn()
    assert np.exp(cell["cell_log_area"]) == pytest.approx(np.pi * 40**2, rel=0.03)
    assert np.exp(cell["nucleus_log_area"]) == pytest.approx(np.pi * 25**2, rel=0.03)
    assert cell["nucleus_share"] == pytest.approx((25 / 40) ** 2, rel=0.03)


def test_a_circle_is_rounder_than_an_ellipse_of_known_axes() -> None:
    round_cell, long_cell = drawn(), drawn(stretch=1.8)
    assert round_cell["cell_circularity"] > 0.85 > long_cell["cell_circularity"]
    assert long_cell["cell_axis_ratio"] == pytest.approx(1 / 1.8, abs=0.03)


def test_colours_are_those_that_were_drawn() -> None:
    cell = drawn()
    drawn_colours = zip(("red", "green", "blue"), NUCLEUS, CYTOPLASM, strict=True)
    for channel, of_nucleus, of_cytoplasm in drawn_colours:
        assert cell[f"nucleus_{channel}_mean"] == pytest.approx(of_nucleus, abs=1)
        assert cell[f"cytoplasm_{channel}_mean"] == pytest.approx(of_cytoplasm, abs=1)


def test_nothing_outside_the_cell_is_measured() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    mask = np.zeros((64, 64), dtype=bool)
    mask[20:44, 20:44] = True
    changed = image.copy()
    changed[~cv2.dilate(mask.astype(np.uint8), np.ones((41, 41))).astype(bool)] = 0
    np.testing.assert_array_equal(measure(image, mask), measure(changed, mask))


def test_clumped_chromatin_is_rougher_than_smooth() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((64, 64), dtype=bool)
    mask[16:48, 16:48] = True
    smooth = np.full((64, 64, 3), 90, dtype=np.uint8)
    clumped = smooth + rng.integers(0, 60, (64, 64, 1), dtype=np.uint8)
    contrast = NAMES.index("chromatin_contrast_at_1_px")
    assert measure(clumped, mask)[contrast] > measure(smooth, mask)[contrast] + 1


def test_a_cell_of_a_single_colour_is_measured() -> None:
    flat = np.full((64, 64, 3), 120, dtype=np.uint8)
    assert np.isfinite(measure(flat, np.ones((64, 64), dtype=bool))).all()

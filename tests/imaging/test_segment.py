from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from lymphokit.imaging.read import read_image
from lymphokit.imaging.segment import (
    keep_cell,
    no_cell_found,
    saturation,
    segment,
    two_class_threshold,
)
from tests.imaging.drawn import GROUND, NUCLEUS, SIZE, disc, overlap, smear

SETTINGS = {"closing_px": 7, "dilation_px": 5}
CENTRE = SIZE / 2


def variance_within(values: NDArray[np.uint8], threshold: int) -> float:
    """Sum of squared distances to the means of the two classes, by the book."""
    classes = [values[values <= threshold], values[values > threshold]]
    return sum(float(((part - part.mean()) ** 2).sum()) for part in classes if len(part))


@given(arrays(np.uint8, st.integers(2, 60)))
def test_no_threshold_splits_with_less_variance_within_than_ours(
    values: NDArray[np.uint8],
) -> None:
    ours = variance_within(values, two_class_threshold(values[None]))
    best = min(variance_within(values, threshold) for threshold in range(256))
    assert ours == pytest.approx(best, rel=1e-6, abs=1e-6)


def test_two_class_k_means_finds_the_same_classes() -> None:
    channel = saturation(smear(disc(CENTRE, CENTRE, 30)))
    values = channel.reshape(-1, 1).astype(float)
    labels = KMeans(2, n_init=5, tol=0.0, random_state=0).fit_predict(values)
    upper = labels == labels[channel.argmax()]
    np.testing.assert_array_equal(channel.ravel() > two_class_threshold(channel), upper)


@pytest.mark.parametrize("radius", [22, 32, 45])
@pytest.mark.parametrize("offset", [0, 14])
def test_the_drawn_cell_is_found(radius: int, offset: int) -> None:
    row, column = CENTRE + offset, CENTRE - offset
    image = smear(disc(row, column, radius), seed=radius + offset)
    cell = disc(row, column, radius + 5)
    assert overlap(segment(image, **SETTINGS), cell) > 0.95


def test_saturation_is_that_of_the_textbook() -> None:
    image = np.array([[[200, 50, 100], [10, 10, 10], [0, 0, 7]]], dtype=np.uint8)
    expected = [[255 * (200 - 50) / 200, 0, 255]]
    np.testing.assert_allclose(saturation(image), expected, atol=0.5)


def test_red_cells_and_platelets_are_left_out() -> None:
    platelets = [disc(CENTRE - 60, CENTRE, 7), disc(CENTRE, CENTRE + 70, 5)]
    mask = segment(smear(disc(CENTRE, CENTRE, 28), *platelets), **SETTINGS)
    assert not (mask & ~disc(CENTRE, CENTRE, 35)).any()


def test_a_neighbour_cut_by_the_border_is_not_selected_though_larger_and_nearer() -> None:
    neighbour, cell = disc(CENTRE, 10, 70), disc(CENTRE, 165, 25)
    mask = segment(smear(neighbour, cell), **SETTINGS)
    assert overlap(mask, disc(CENTRE, 165, 30)) > 0.95


def test_a_platelet_on_the_centre_is_not_selected() -> None:
    platelet, cell = disc(CENTRE, CENTRE, 8), disc(CENTRE, 160, 25)
    mask = segment(smear(platelet, cell), **SETTINGS)
    assert overlap(mask, disc(CENTRE, 160, 30)) > 0.95


def test_the_complete_cell_nearest_to_the_centre_is_selected_though_smaller() -> None:
    far, near = disc(55, 55, 40), disc(140, 150, 20)
    mask = segment(smear(far, near), **SETTINGS)
    assert overlap(mask, disc(140, 150, 25)) > 0.95


def test_a_cell_on_the_centre_is_selected_though_it_reaches_the_border() -> None:
    long_cell = np.zeros((SIZE, SIZE), dtype=bool)
    long_cell[100:130, :] = True
    mask = segment(smear(long_cell, disc(50, 112, 25)), **SETTINGS)
    assert mask[112].all()
    assert not mask[50].any()


def test_holes_are_filled() -> None:
    ring = disc(CENTRE, CENTRE, 35) & ~disc(CENTRE, CENTRE, 15)
    mask = segment(smear(ring), **SETTINGS)
    assert mask[disc(CENTRE, CENTRE, 35)].all()


def test_closing_bridges_gaps_narrower_than_its_disc() -> None:
    divided = disc(CENTRE, CENTRE, 30)
    divided[:, 120:124] = False
    image = smear(divided)
    assert overlap(segment(image, **SETTINGS), disc(CENTRE, CENTRE, 35)) > 0.95
    apart = segment(image, closing_px=1, dilation_px=0)
    assert not apart[:, 124:].any()


def test_dilation_adds_all_pixels_within_its_radius() -> None:
    image = smear(disc(CENTRE, CENTRE, 30))
    bare = segment(image, closing_px=7, dilation_px=0)
    away = cv2.distanceTransform((~bare).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    np.testing.assert_array_equal(segment(image, closing_px=7, dilation_px=5), away <= 5.5)


@pytest.mark.parametrize("colour", [GROUND, (0, 0, 0), (255, 255, 255), NUCLEUS])
def test_a_blank_image_is_kept_whole_and_has_no_cell(colour: tuple[int, ...]) -> None:
    image = np.full((SIZE, SIZE, 3), colour, dtype=np.uint8)
    mask = segment(image, **SETTINGS)
    assert no_cell_found(mask)
    np.testing.assert_array_equal(keep_cell(image, mask), image)


def test_an_image_with_neighbours_alone_is_kept_whole() -> None:
    assert no_cell_found(segment(smear(disc(20, 20, 40), disc(200, 200, 40)), **SETTINGS))


def test_the_image_is_kept_inside_the_mask_and_black_outside() -> None:
    image = smear(disc(CENTRE, CENTRE, 30))
    mask = segment(image, **SETTINGS)
    kept = keep_cell(image, mask)
    assert not no_cell_found(mask)
    np.testing.assert_array_equal(kept[mask], image[mask])
    assert not kept[~mask].any()


def test_on_real_smears_a_cell_of_likely_size_is_found_at_the_centre(real_data: Path) -> None:
    images = sorted((real_data / "dlmi-lymphocytosis-classification").glob("t*set/*/*.jpg"))[::60]
    masks = [segment(read_image(path, SIZE), **SETTINGS) for path in images]
    shares = np.array([mask.mean() for mask in masks])
    assert len(masks) > 100
    assert np.mean([mask[100:124, 100:124].any() for mask in masks]) > 0.95
    # Lymphocytes here are some 45 to 110 pixels across; a mask with red cells would be larger.
    assert np.mean((shares > 0.03) & (shares < 0.25)) > 0.97

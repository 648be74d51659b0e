"""Stain normalisation: exact unless levels are clipped."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from lymphokit.imaging.stain import Stain, moments, normalise_stain, source_and_target


def images(n: int, seed: int = 0, low: int = 90, high: int = 160) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(low, high, (n, 20, 20, 3)).astype(np.uint8)


def test_statistics_of_a_set_are_those_of_all_its_pixels() -> None:
    several = images(5)
    stain = Stain.from_images(several)
    pixels = several.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(stain.mean, pixels.mean(axis=0))
    np.testing.assert_allclose(stain.std, pixels.std(axis=0))


def test_moments_of_some_images_give_the_stain_of_those_alone() -> None:
    several = images(6)
    kept = np.stack([moments(image) for image in several])
    some = Stain.from_moments(kept[[1, 4]])
    assert some == Stain.from_images(several[[1, 4]])
    assert some != Stain.from_images(several)


def test_normalised_images_have_the_mean_and_deviation_of_the_target() -> None:
    several, source = images(8), Stain.from_images(images(8))
    target = Stain((120.0, 100.0, 140.0), (12.0, 25.0, 18.0))
    moved = Stain.from_images(normalise_stain(image, source, target) for image in several)
    np.testing.assert_allclose(moved.mean, target.mean, atol=0.05)
    np.testing.assert_allclose(moved.std, target.std, atol=0.05)


def test_normalisation_follows_the_reports_formula_pixel_by_pixel() -> None:
    image, source = images(1)[0], Stain((100.0, 110.0, 120.0), (20.0, 30.0, 40.0))
    target = Stain((90.0, 80.0, 70.0), (15.0, 33.0, 60.0))
    formula = np.array(target.mean) + np.array(target.std) * (image - source.mean) / source.std
    expected = np.clip(np.rint(formula), 0, 255)
    np.testing.assert_array_equal(normalise_stain(image, source, target), expected)


def test_each_image_by_itself_has_the_mean_and_deviation_of_the_target() -> None:
    target = Stain((120.0, 100.0, 140.0), (12.0, 25.0, 18.0))
    for image in (images(1)[0], images(1, seed=1, low=30, high=60)[0]):
        moved = Stain.from_images([normalise_stain(image, None, target)])
        np.testing.assert_allclose(moved.mean, target.mean, atol=0.3)
        np.testing.assert_allclose(moved.std, target.std, atol=0.3)


@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_channel_of_one_level_in_an_image_becomes_the_mean_of_the_target(level: int) -> None:
    image, target = images(1)[0], Stain((120.0, 100.0, 140.0), (12.0, 25.0, 18.0))
    image[..., 1] = level
    moved = normalise_stain(image, None, target)
    assert np.unique(moved[..., 1]).tolist() == [100]
    assert len(np.unique(moved[..., 0])) > 10


def test_levels_are_clipped_to_black_and_white() -> None:
    dark, bright = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    source, target = Stain((128.0,) * 3, (10.0,) * 3), Stain((128.0,) * 3, (50.0,) * 3)
    assert normalise_stain(dark, source, target).max() == 0
    assert normalise_stain(bright, source, target).min() == 255


def test_one_dataset_is_normalised_and_the_other_stays() -> None:
    one, other = Stain.from_images(images(2)), Stain.from_images(images(2, seed=1, low=10))
    stains = json.loads(
        json.dumps({"competition": one.as_dict(), "labelled_cells": other.as_dict()})
    )
    assert source_and_target("competition", "competition", stains) == (one, other)
    assert source_and_target("labelled_cells", "labelled_cells", stains) == (other, one)
    assert source_and_target("labelled_cells", "competition", stains) is None
    assert source_and_target("competition", "none", stains) is None
    per_image = source_and_target("competition", "competition", stains, per="image")
    assert per_image == (None, other)
    assert source_and_target("labelled_cells", "competition", stains, per="image") is None


def test_a_channel_of_one_level_cannot_be_scaled() -> None:
    grey = images(3)
    grey[..., 1] = 77
    with pytest.raises(ValueError, match="one level"):
        Stain.from_images(grey)


def test_no_image_has_no_stain() -> None:
    with pytest.raises(ValueError, match="no image"):
        Stain.from_moments(np.empty((0, 2, 3)))

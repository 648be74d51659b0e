"""Colours of smears whose colours are known."""

import itertools

import numpy as np
import pytest

from lymphokit.imaging.smear_colours import (
    OPTICAL_DENSITY,
    SmearColours,
    colours_by_patient,
    colours_table,
    evenly_spaced,
    three_class_thresholds,
)
from tests.imaging.drawn import GROUND, NUCLEUS, RED_CELL, disc, smear


def variance_within(levels: np.ndarray, low: int, high: int) -> float:
    """The sum over three classes of squared distances from their means."""
    parts = (
        levels[levels <= low],
        levels[(levels > low) & (levels <= high)],
        levels[levels > high],
    )
    return float(sum(((part - part.mean()) ** 2).sum() for part in parts if len(part)))


@pytest.mark.parametrize("seed", range(5))
def test_no_pair_of_thresholds_is_better(seed: int) -> None:
    levels = np.random.default_rng(seed).choice([3, 40, 41, 90, 150, 151, 200, 255], size=60)
    found = three_class_thresholds(np.bincount(levels, minlength=256))
    best = min(
        variance_within(levels, low, high)
        for low, high in itertools.combinations(np.unique(levels).tolist(), 2)
    )
    assert variance_within(levels, *found) == pytest.approx(best)


def test_drawn_colours_are_found() -> None:
    colours = SmearColours.from_images([smear(disc(112, 112, 30), seed=seed) for seed in range(3)])
    for found, drawn in (
        (colours.glass, GROUND),
        (colours.red_cells, RED_CELL),
        (colours.nucleus, NUCLEUS),
    ):
        np.testing.assert_allclose(found, OPTICAL_DENSITY[list(drawn)], atol=0.02)
    assert NUCLEUS[1] < colours.nucleus_until < RED_CELL[1] < colours.red_cells_until < GROUND[1]
    assert colours.blue_minus_red == pytest.approx(RED_CELL[2] - RED_CELL[0], abs=1)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_image_of_one_colour_is_all_three(level: int) -> None:
    colours = SmearColours.from_images([np.full((20, 20, 3), level, dtype=np.uint8)])
    assert colours.glass == colours.red_cells == pytest.approx(colours.nucleus)


def test_a_table_keeps_every_digit() -> None:
    colours = {
        name: SmearColours.from_images([smear(disc(112, 112, 30), seed=seed)])
        for seed, name in enumerate(["P1", "P2"])
    }
    assert colours_by_patient(colours_table(colours)) == colours


@pytest.mark.parametrize("n_images", [1, 2, 15, 16, 17, 400])
def test_images_are_evenly_spaced_over_all(n_images: int) -> None:
    positions = evenly_spaced(n_images)
    assert positions[0] == 0
    assert positions[-1] == n_images - 1
    assert len(positions) == min(16, n_images)
    gaps = np.diff(positions)
    assert n_images == 1 or gaps.max() - gaps.min() <= 1

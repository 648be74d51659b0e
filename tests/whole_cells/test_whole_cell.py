"""The whole cell against the truth of simulated cells, for other stains, cameras and sizes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from lymphokit.imaging.segment import Mask, Pixels, segment
from lymphokit.simulation import smear, white_cells
from lymphokit.simulation.cell_kinds import BLOOD_TYPES, draw_blood_cell
from lymphokit.whole_cells.nucleus import SIDE, find_nuclei
from lymphokit.whole_cells.whole_cell import cell_parts, segmenter_of, whole_cell
from tests.imaging.drawn import disc, overlap

USUAL_RED, USUAL_NUCLEUS = smear.HAEMOGLOBIN, white_cells.HEMATOXYLIN
TYPES = [name for name in BLOOD_TYPES if name != "erythroblast"]
N_CELLS = 7
# What differs from the competition's images: side of the image and of what it shows, light, stains
# as multiples, the share of the cytoplasm's stain that is left, how far red cells lie below it.
KINDS: dict[str, dict[str, Any]] = {
    "competition": {},
    "yellow, fast stain": {
        "size": 120, "shown": 130, "light": (225, 205, 150), "pale": 0.5, "under": 0.75,
        "red": (0.4, 0.5, 0.8),
    },
    "violet": {
        "size": 300, "shown": 150, "light": (240, 228, 240), "under": 0.75,
        "red": (0.5, 1, 1.2),
    },
    "pale cytoplasm": {"size": 300, "shown": 150, "pale": 0.3},
    "large": {"size": 600, "light": (225, 222, 235), "under": 0.8},
    "small": {"size": 96, "shown": 120, "under": 0.8},
    "blue slide": {"light": (200, 215, 240), "red": (0.9, 0.7, 0.5), "nucleus": (0.9, 0.8, 1.2)},
    "brown slide": {"light": (205, 172, 145), "pale": 0.6},
    "orange red cells": {"red": (0.2, 0.8, 1.6), "under": 0.8},
    "cell that fills the image": {"size": 200, "shown": 100},
    "off centre": {"shown": 150, "aside": 22},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _usual_stains() -> Iterator[None]:
    yield
    smear.HAEMOGLOBIN, white_cells.HEMATOXYLIN = USUAL_RED, USUAL_NUCLEUS


def times(stain: tuple[float, ...], factors: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = np.multiply(stain, factors).tolist()
    return red, green, blue


def drawn(kind: str, number: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Pixels, Pixels]:
    """An image of a kind and its mask, 0, 128 in the cytoplasm and 255 in the nucleus."""
    given, rng = KINDS[kind], np.random.default_rng(number)
    smear.HAEMOGLOBIN = times(USUAL_RED, given.get("red", (1, 1, 1)))
    white_cells.HEMATOXYLIN = times(USUAL_NUCLEUS, given.get("nucleus", (1, 1, 1)))
    cell = draw_blood_cell(rng, TYPES[number % len(TYPES)])
    cell = replace(cell, cytoplasm_density=cell.cytoplasm_density * given.get("pale", 1.0))
    under, centres = given.get("under", 1.0), smear._red_centres
    with monkeypatch.context() as patch:
        patch.setattr(
            smear,
            "_red_centres",
            lambda rng, slide, taken, size: centres(
                rng, slide, [(at, under * clear - 20 * (1 - under)) for at, clear in taken], size
            ),
        )
        slide = smear.draw_slide(rng, given.get("light", smear.USUAL_BACKGROUND))
        neighbour = draw_blood_cell(rng, "neutrophil")
        image, mask = smear.photograph(rng, slide, cell, neighbour, (256, 256))
    side, aside = given.get("shown", 224), given.get("aside", 0)
    first = (256 - side) // 2 + aside
    part = slice(first, first + side)
    size = (given.get("size", 224),) * 2
    how = cv2.INTER_AREA if size[0] < side else cv2.INTER_CUBIC
    shown = cv2.resize(image[part, part], size, interpolation=how)
    return np.asarray(shown, np.uint8), np.asarray(
        cv2.resize(mask[part, part], size, interpolation=cv2.INTER_NEAREST), np.uint8
    )


@pytest.mark.parametrize("kind", KINDS)
def test_nucleus_and_whole_cell_are_found_whatever_the_stain_and_the_size(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, nuclei = [], []
    for number in range(N_CELLS):
        image, truth = drawn(kind, number, monkeypatch)
        parts = cell_parts(image)
        assert parts is not None
        assert parts.cell[parts.nucleus].all()
        cells.append(overlap(parts.cell, truth >= 128))
        nuclei.append(overlap(parts.nucleus, truth == 255))
    assert np.median(cells) > 0.88
    assert np.median(nuclei) > 0.85
    assert min(cells) > 0.6


def test_pale_cytoplasm_is_kept_that_the_dilated_nucleus_cuts_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = [drawn("pale cytoplasm", number, monkeypatch) for number in range(4)]
    whole = [overlap(whole_cell(image), truth >= 128) for image, truth in pairs]
    dilated = segmenter_of("nucleus", closing_px=7, dilation_px=5)
    cut = [overlap(dilated(image), truth >= 128) for image, truth in pairs]
    assert np.median(whole) > np.median(cut) + 0.1


def test_without_a_nucleus_the_whole_image_is_kept() -> None:
    assert cell_parts(np.full((80, 120, 3), 200, dtype=np.uint8)) is None
    assert whole_cell(np.full((80, 120, 3), 200, dtype=np.uint8)).all()


def test_the_mask_has_the_shape_of_an_oblong_image(monkeypatch: pytest.MonkeyPatch) -> None:
    image, truth = drawn("competition", 1, monkeypatch)
    mask = whole_cell(np.ascontiguousarray(image[20:]))
    assert mask.shape == image[20:].shape[:2]
    assert overlap(mask, truth[20:] >= 128) > 0.85


def test_the_same_image_has_the_same_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    image, _ = drawn("violet", 0, monkeypatch)
    np.testing.assert_array_equal(whole_cell(image), whole_cell(image.copy()))


def test_the_nucleus_mask_of_the_report_is_an_option() -> None:
    image = np.full((100, 100, 3), (240, 225, 210), dtype=np.uint8)
    image[disc(50, 50, 15, 100)] = (90, 40, 130)
    mask = segmenter_of("nucleus", closing_px=7, dilation_px=5)(image)
    np.testing.assert_array_equal(mask, segment(image, closing_px=7, dilation_px=5))


def test_lobes_are_one_nucleus_and_a_neighbour_is_another() -> None:
    lobes: Mask = disc(64, 56, 9, SIDE) | disc(64, 76, 9, SIDE)
    image = np.full((SIDE, SIDE, 3), (245, 235, 225), dtype=np.uint8)
    image[disc(64, 65, 25, SIDE)] = (215, 195, 215)
    for part in (lobes, disc(20, 107, 15, SIDE)):
        image[part] = (80, 40, 130)
    found = find_nuclei(image)
    assert found is not None
    assert overlap(found.central, lobes) > 0.8
    assert found.others[20, 107]
    assert not found.central[20, 107]

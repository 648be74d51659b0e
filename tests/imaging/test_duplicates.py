"""A changed copy of an image is found; different images are not paired."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from lymphokit.imaging import duplicates
from lymphokit.imaging.pixels import shrink
from lymphokit.imaging.read import read_image
from tests.imaging.drawn import SIZE, disc, smear

Image = NDArray[np.uint8]
N = 10


def drawn_images() -> list[Image]:
    """Smears of one cell each, near the centre as in the competition."""
    place = np.random.default_rng(5).integers(-8, 9, (N, 2))
    return [
        smear(disc(112 + row, 112 + column, 22 + number), seed=number)
        for number, (row, column) in enumerate(place)
    ]


def bank_of(images: list[Image]) -> Image:
    return np.stack([shrink(image) for image in images])


def recompressed(image: Image) -> Image:
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def resized(side: int) -> Callable[[Image], Image]:
    def change(image: Image) -> Image:
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (SIZE, SIZE)), np.uint8)

    return change


def levels(change: Callable[[Any], Any]) -> Callable[[Image], Image]:
    return lambda image: np.clip(change(image.astype(float)), 0, 255).astype(np.uint8)


def without_rim(pixels: int) -> Callable[[Image], Image]:
    return lambda image: np.asarray(
        cv2.resize(image[pixels:-pixels, pixels:-pixels], (SIZE, SIZE)), np.uint8
    )


TREATMENTS: dict[str, Callable[[Image], Image]] = {
    "recompressed": recompressed,
    "shrunk to half": resized(112),
    "darker": levels(lambda pixels: pixels * 0.7),
    "brighter": levels(lambda pixels: pixels + 30),
    "flatter": levels(lambda pixels: 128 + (pixels - 128) * 0.5),
    "another stain": levels(lambda pixels: pixels * np.array([1.1, 1.0, 0.85])),
    "blurred": lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), 2), np.uint8),
    "noisy": levels(lambda pixels: pixels + np.random.default_rng(0).normal(0, 15, pixels.shape)),
    "rim cut off": without_rim(2),
    "shifted by a pixel": lambda image: np.roll(image, (1, 1), (0, 1)),
}


def found_in(images: list[Image]) -> pd.DataFrame:
    return duplicates.find_duplicates(bank_of(images)).pairs


def test_different_images_are_no_pair() -> None:
    found = duplicates.find_duplicates(bank_of(drawn_images()))
    assert found.pairs.empty
    assert found.pairs.columns.tolist() == list(duplicates.COLUMNS)
    assert found.n_images == N


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_changed_copy_is_found(name: str) -> None:
    images = drawn_images()
    pairs = found_in([*images, TREATMENTS[name](images[3])])
    assert pairs[["first", "second"]].to_numpy().tolist() == [[3, N]]
    assert pairs["turn"].tolist() == ["as it is"]
    assert pairs["likeness"].between(duplicates.LEAST_LIKENESS, 1 - 1e-9).all()
    assert not pairs["identical"].any()


@pytest.mark.parametrize(
    ("name", "turn"),
    [
        ("as it is", lambda image: image),
        ("mirrored", np.fliplr),
        ("upside down", np.flipud),
        ("turned by half", lambda image: np.rot90(image, 2)),
        ("turned right", lambda image: np.rot90(image, 1)),
        ("turned left", lambda image: np.rot90(image, -1)),
        ("transposed", lambda image: image.transpose(1, 0, 2)),
        ("transposed and turned by half", lambda image: np.rot90(image, 2).transpose(1, 0, 2)),
    ],
)
def test_a_turned_image_is_found_with_its_orientation(
    name: str, turn: Callable[[Image], Image]
) -> None:
    images = drawn_images()
    # The bank holds images shrunk by averages, which commute with turns.
    pairs = found_in([*images, np.ascontiguousarray(turn(images[3]))])
    assert pairs[["first", "second", "bits", "turn"]].to_numpy().tolist() == [[3, N, 0, name]]
    assert pairs["identical"].tolist() == [True]
    bank = bank_of([images[3], np.ascontiguousarray(turn(images[3]))])
    back = duplicates.turned(bank[1:], duplicates.TURNS.index(name))[0]
    np.testing.assert_array_equal(back, bank[0])


def test_three_copies_are_three_pairs() -> None:
    images = drawn_images()
    pairs = found_in([images[2], *images, images[2]])
    assert pairs[["first", "second"]].to_numpy().tolist() == [[0, 3], [0, N + 1], [3, N + 1]]
    assert pairs["identical"].all()


def test_empty_images_are_the_same() -> None:
    blank = [np.full((SIZE, SIZE, 3), level, np.uint8) for level in (0, 255)]
    pairs = found_in([*drawn_images(), *blank])
    assert pairs[["first", "second"]].to_numpy().tolist() == [[N, N + 1]]


def test_every_near_pair_of_hashes_is_a_candidate_in_blocks_of_any_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = np.random.default_rng(1)
    base = generator.integers(0, 2**63, 12, dtype=np.uint64)
    noise = np.uint64(1) << generator.integers(0, 63, (8, 12)).astype(np.uint64)
    hashes = np.stack([np.roll(base, turn) ^ noise[turn] for turn in range(8)])
    expected = {
        (first, second, turn)
        for first, second in combinations(range(12), 2)
        for turn in range(8)
        if (int(hashes[0, first]) ^ int(hashes[turn, second])).bit_count() <= duplicates.MOST_BITS
    }
    assert len(expected) > 20
    for rows, columns in ((1, 1), (5, 3), (100, 100)):
        monkeypatch.setattr(duplicates, "_ROWS", rows)
        monkeypatch.setattr(duplicates, "_COLUMNS", columns)
        tables = pd.concat(list(duplicates._candidates(hashes)))
        keys = tables[["first", "second", "turn"]].itertuples(index=False, name=None)
        assert set(keys) == expected
        assert len(tables) == len(expected)


def test_copies_of_images_of_the_competition_are_found(real_data: Path) -> None:
    """Sixty images, each beside a mirrored copy that was saved anew as a poor JPEG."""
    folder = real_data / "dlmi-lymphocytosis-classification" / "trainset"
    files = sorted(folder.rglob("*.jpg"))[::80][:60]
    images = [read_image(file, SIZE) for file in files]
    copies = [np.ascontiguousarray(recompressed(image)[:, ::-1]) for image in images]
    pairs = found_in([*images, *copies])
    assert pairs[["first", "second"]].to_numpy().tolist() == [
        [place, place + len(images)] for place in range(len(images))
    ]
    assert set(pairs["turn"]) == {"mirrored"}

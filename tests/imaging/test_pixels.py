from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from lymphokit.errors import BankError
from lymphokit.imaging import pixels
from lymphokit.imaging.segment import Pixels, keep_cell, segment
from tests.imaging.drawn import SIZE, disc, smear

SEGMENTER = partial(segment, closing_px=7, dilation_px=5)
BANKS = ("raw", "segmented", "masks")


def write(folder: Path, images: Sequence[Pixels], given: int | None = None) -> int:
    """Write the banks of these images, of which so many are given; the number segmented."""
    paths = {bank: folder / f"{bank}.npy" for bank in BANKS}
    return pixels.write_pixel_banks(
        lambda positions: [images[at] for at in positions[:given]],
        np.array([sha256(image.tobytes()).digest() for image in images]),
        **paths,
        image_size=SIZE,
        threads=3,
        segmenter=SEGMENTER,
    )


def cells() -> list[NDArray[np.uint8]]:
    drawn = [smear(disc(112, 100 + 5 * i, 20 + 3 * i), seed=i) for i in range(5)]
    return [*drawn, np.full((SIZE, SIZE, 3), 90, dtype=np.uint8)]


def test_every_row_is_the_image_of_its_cell(tmp_path: Path) -> None:
    images = cells()
    assert write(tmp_path, images) == len(images)
    assert pixels.count_not_found(tmp_path / "masks.npy") == 1  # the blank one
    raw, segmented, masks = (pixels.open_pixels(tmp_path / f"{bank}.npy") for bank in BANKS)
    for row, image in enumerate(images):
        mask = SEGMENTER(image)
        np.testing.assert_array_equal(pixels.unpack_mask(masks[row]), mask)
        np.testing.assert_array_equal(raw[row], pixels.shrink(image))
        np.testing.assert_array_equal(segmented[row], pixels.shrink(keep_cell(image, mask)))


def test_an_opened_bank_is_read_only(tmp_path: Path) -> None:
    write(tmp_path, cells())
    with pytest.raises(TypeError):
        pixels.open_pixels(tmp_path / "raw.npy")[0] = 0


def test_fewer_images_than_cells_are_an_error_and_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(BankError):
        write(tmp_path, cells(), given=5)
    assert list(tmp_path.glob("*.npy")) == []


def test_an_added_image_alone_is_segmented(tmp_path: Path) -> None:
    images = cells()
    write(tmp_path / "grown", images[1:])
    assert write(tmp_path / "grown", images) == 1
    write(tmp_path / "whole", images)
    for bank in BANKS:
        grown, whole = (tmp_path / name / f"{bank}.npy" for name in ("grown", "whole"))
        assert grown.read_bytes() == whole.read_bytes()


def test_only_a_few_images_are_in_memory_at_a_time() -> None:
    taken = 0

    def blanks() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            yield np.zeros((16, 16, 3), dtype=np.uint8)

    def work(image: NDArray[np.uint8]) -> pixels.SmallCell:
        return pixels.SmallCell(image, image, image)

    with ThreadPoolExecutor(2) as pool:
        for given_back, _ in enumerate(pixels.ordered_results(pool, work, blanks(), limit=4)):
            assert taken - given_back <= 5
    assert given_back == 49


def test_shrinking_takes_the_mean_of_each_area() -> None:
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    means = image.reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(pixels.shrink(image), means, atol=0.5)


@given(arrays(np.bool_, st.integers(1, 20).map(lambda side: (side, side))))
def test_unpacking_inverts_packing(mask: NDArray[np.bool_]) -> None:
    np.testing.assert_array_equal(pixels.unpack_mask(pixels.pack_mask(mask)), mask)

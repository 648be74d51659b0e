"""Images read, cropped, resized and normalised on access."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lymphokit.errors import CohortError, ImageError
from lymphokit.imaging.image_files import ImageFiles, check_cells, crop_centre, resize
from lymphokit.imaging.stain import Stain, normalise_stain


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), rng.integers(0, 256, (12, 12, 3)))
    return tmp_path


NAMES = ["0.png", "1.png", "2.png"]


def test_the_crop_is_central() -> None:
    image = np.arange(6 * 6).reshape(6, 6, 1).repeat(3, axis=2).astype(np.uint8)
    np.testing.assert_array_equal(crop_centre(image, 2)[..., 0], [[14, 15], [20, 21]])
    assert crop_centre(image, None) is image
    with pytest.raises(ValueError, match="lower `crop`"):
        crop_centre(image, 7)


def test_shrinking_averages_areas() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = 100
    np.testing.assert_array_equal(resize(image, 2)[..., 0], [[100, 0], [0, 0]])


def test_images_come_in_the_order_of_the_positions(folder: Path) -> None:
    images = ImageFiles(folder, NAMES, 12)
    both = images[np.array([2, 0])]
    assert both.shape == (2, 12, 12, 3)
    np.testing.assert_array_equal(both[1], images.image(0))
    np.testing.assert_array_equal(np.stack(list(images))[2], both[0])


def test_images_are_cropped_then_resized_then_normalised(folder: Path) -> None:
    stains = Stain((128.0,) * 3, (60.0,) * 3), Stain((100.0,) * 3, (30.0,) * 3)
    plain = ImageFiles(folder, NAMES, 12).image(1)
    seen = ImageFiles(folder, NAMES, 12, crop=8, side=4, stain=stains).image(1)
    np.testing.assert_array_equal(seen, normalise_stain(resize(crop_centre(plain, 8), 4), *stains))


def test_a_bad_image_is_named(folder: Path) -> None:
    with pytest.raises(ImageError, match=r"1\.png is 12x12, expected 9x9"):
        ImageFiles(folder, NAMES, 9).image(1)
    (folder / "1.png").write_bytes(b"")
    images = iter(ImageFiles(folder, NAMES, 12))
    assert next(images).shape == (12, 12, 3)  # read one by one: the first is usable
    with pytest.raises(ImageError, match=r"1\.png is empty"):
        next(images)


def test_the_check_names_every_image_that_cannot_be_used(folder: Path) -> None:
    check_cells(folder, dict.fromkeys(NAMES, "blast"))
    (folder / "1.png").write_bytes(b"")
    (folder / "2.png").write_bytes(b"no image")
    with pytest.raises(CohortError) as caught:
        check_cells(folder, dict.fromkeys(NAMES, "blast"))
    assert "2 of 3 images cannot be used" in str(caught.value)


@pytest.mark.parametrize("copy", ["bytes", "pixels"])
def test_a_picture_under_two_labels_is_named_with_both_files(folder: Path, copy: str) -> None:
    other = folder / ("3.png" if copy == "bytes" else "3.bmp")
    if copy == "bytes":
        other.write_bytes((folder / "0.png").read_bytes())
    else:
        cv2.imwrite(str(other), cv2.imread(str(folder / "0.png")))
    with pytest.raises(CohortError) as caught:
        check_cells(folder, {**dict.fromkeys(NAMES, "blast"), other.name: "healthy"})
    assert [fault.image for fault in caught.value.faults] == [other.name]
    assert f"{copy} of 0.png (blast)" in str(caught.value)


@pytest.mark.parametrize("size", [(480, 640), (1944, 2592), (40, 40)])
def test_whole_fields_of_view_are_not_taken_for_cells(folder: Path, size: tuple[int, int]) -> None:
    cv2.imwrite(str(folder / "field.png"), np.zeros((*size, 3), np.uint8))
    with pytest.raises(CohortError) as caught:
        check_cells(folder, dict.fromkeys([*NAMES, "field.png"], "blast"))
    assert [fault.image for fault in caught.value.faults] == ["field.png"]
    assert f"{size[1]}x{size[0]}" in caught.value.faults[0].finding


@pytest.mark.parametrize("name", ["all-like", "pbc"])
def test_published_single_cells_have_no_fault(real_data: Path, name: str) -> None:
    files = sorted((real_data / name).rglob("*.tif")) or sorted((real_data / name).rglob("*.jpg"))
    home = real_data / name
    check_cells(home, {str(file.relative_to(home)): file.parent.name for file in files})

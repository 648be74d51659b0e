"""The mask of the whole cell: nucleus and pale cytoplasm, and nothing else."""

from pathlib import Path

import numpy as np

from lymphokit.imaging.cell_mask import cell_mask, smear_colours_of, write_cell_masks
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.pixels import open_pixels, unpack_mask
from lymphokit.imaging.segment import Mask, Pixels
from lymphokit.imaging.smear_colours import SmearColours
from lymphokit.simulation.cell_sets import write_image
from tests.imaging.drawn import NUCLEUS, SIZE, disc, overlap, smear

SETTINGS = {"reach_px": 25, "bluer": 14, "lighter": 30}
PALE_BLUE = (190, 190, 225)


def with_cytoplasm(nucleus: Mask, cell: Mask, seed: int = 0) -> Pixels:
    image = smear(seed=seed)
    image[cell] = PALE_BLUE
    image[nucleus] = smear(nucleus, seed=seed)[nucleus]
    return image


def mask_of(image: Pixels, **changes: int) -> Mask:
    return cell_mask(image, SmearColours.from_images([image]), **(SETTINGS | changes))


def test_pale_cytoplasm_belongs_to_the_cell() -> None:
    cell = disc(112, 112, 42)
    image = with_cytoplasm(disc(112, 112, 26), cell)
    assert overlap(mask_of(image), cell) > 0.9


def test_red_cells_do_not_though_they_touch_it() -> None:
    nucleus = disc(112, 112, 30)
    for seed in range(4):
        assert overlap(mask_of(smear(nucleus, seed=seed)), nucleus) > 0.9


def test_nothing_is_beyond_reach() -> None:
    image = with_cytoplasm(disc(112, 112, 26), disc(112, 112, 70))
    assert not (mask_of(image) & ~disc(112, 112, 26 + 27)).any()


def test_another_nucleus_is_left_out() -> None:
    nucleus, neighbour = disc(112, 112, 26), disc(112, 170, 26)
    mask = mask_of(smear(nucleus, neighbour))
    assert mask[112, 112]
    assert not mask[112, 175]


def test_dark_specks_in_the_cytoplasm_belong_to_the_cell() -> None:
    cell = disc(112, 112, 42)
    image = with_cytoplasm(disc(112, 112, 26), cell)
    image[disc(82, 112, 4)] = NUCLEUS
    assert mask_of(image)[disc(112, 112, 38)].all()


def test_what_is_not_connected_to_the_nucleus_is_left_out() -> None:
    image = smear(disc(112, 112, 26))
    apart = disc(112, 112 + 26 + 16, 4)
    image[apart] = PALE_BLUE
    assert not (mask_of(image) & apart).any()


def test_without_a_nucleus_the_whole_image_is_kept() -> None:
    colours = SmearColours.from_images([smear(disc(112, 112, 30))])
    assert cell_mask(smear(), colours, **SETTINGS).all()


def test_masks_on_disk_are_those_of_each_image(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(5)]
    for number, name in enumerate(names):
        image = with_cytoplasm(disc(112, 100 + 5 * number, 24), disc(112, 100 + 5 * number, 35))
        write_image(tmp_path / name, image)
    images = ImageFiles(tmp_path, names, SIZE)
    of = ["P2", "P1", "P2", "P1", "P2"]
    by_patient = smear_colours_of(images, of)
    assert by_patient["P1"] == SmearColours.from_images([images.image(1), images.image(3)])
    colours = [by_patient[patient] for patient in of]
    path = tmp_path / "masks.npy"
    not_found = write_cell_masks(
        path, images, colours, image_size=SIZE, settings=SETTINGS, threads=2
    )
    assert not_found == 0
    for packed, image, its in zip(open_pixels(path), images, colours, strict=True):
        assert np.array_equal(unpack_mask(packed), cell_mask(image, its, **SETTINGS))

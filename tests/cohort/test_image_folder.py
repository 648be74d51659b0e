"""One policy for folders of images: an entry is an image, a fault, or left by a system."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from lymphokit.cohort import blood_cells, labelled_cells
from lymphokit.cohort.archive import is_hidden
from lymphokit.cohort.image_folder import list_images
from lymphokit.errors import CohortError

SYSTEM = [
    ".DS_Store",
    "._1.jpg",
    "Thumbs.db",
    "Thumbs.db:encryptable",
    "ehthumbs.db",
    "desktop.ini",
    "Icon\r",
    "Icon",
    "1.jpg:Zone.Identifier",
    "1.jpg\uf03aZone.Identifier",
    "Zone.Identifier",
    "1.jpg.Zone.Identifier",
    "1.jpg:com.dropbox.attrs",
    "@eaDir",
    "__MACOSX",
    "$RECYCLE.BIN",
    "~$notes.docx",
]
WRONG: dict[str, Callable[[Path], object]] = {
    "1.gif": Path.touch,
    "notes.txt": Path.touch,
    "photo.heic": Path.touch,
    "1.jpg.part": Path.touch,
    "1": Path.touch,
    "folder": Path.mkdir,
    "folder.jpg": Path.mkdir,
    "lost.jpg": lambda path: path.symlink_to("nowhere.jpg"),
    "linked.png": lambda path: path.symlink_to(path.parent, target_is_directory=True),
    "pipe.jpg": os.mkfifo,
    "no text \udcff.jpg": Path.touch,
}


@pytest.mark.parametrize("name", SYSTEM)
def test_what_systems_leave_behind_is_ignored(tmp_path: Path, name: str) -> None:
    (tmp_path / "1.jpg").touch()
    (tmp_path / name).touch()
    assert is_hidden(name)
    assert list_images(tmp_path).images == ("1.jpg",)
    assert list_images(tmp_path).faults == ()


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "tif", "TIFF", "bmp", "webp"])
def test_the_usual_formats_are_images(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"1.{suffix}").touch()
    assert list_images(tmp_path).images == (f"1.{suffix}",)


def test_a_folder_that_cannot_be_listed_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be read" in list_images(tmp_path / "file").faults[0][1]


def test_a_link_to_an_image_is_an_image(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.jpg").touch()
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "1.jpg").symlink_to(tmp_path / "elsewhere" / "1.jpg")
    assert list_images(tmp_path / "bag").images == ("1.jpg",)


@pytest.mark.parametrize("name", WRONG)
def test_every_other_entry_is_a_fault_in_every_kind_of_folder(tmp_path: Path, name: str) -> None:
    for kind in ("basophil", "ig"):
        (tmp_path / "blood" / kind).mkdir(parents=True)
        (tmp_path / "blood" / kind / "1.jpg").touch()
    (tmp_path / "cells").mkdir()
    for image in ("Im001_1.tif", "Im002_0.tif"):
        (tmp_path / "cells" / image).touch()
    WRONG[name](tmp_path / "blood" / "ig" / name)
    WRONG[name](tmp_path / "cells" / name)
    assert [wrong for wrong, _ in list_images(tmp_path / "cells").faults] == [name]
    with pytest.raises(CohortError) as caught:
        blood_cells.list_cells(tmp_path / "blood")
    assert [(fault.patient, fault.image) for fault in caught.value.faults] == [
        (str(tmp_path / "blood" / "ig"), name)
    ]
    with pytest.raises(CohortError) as caught:
        labelled_cells.list_cells(tmp_path / "cells")
    assert [fault.image for fault in caught.value.faults] == [name]


@pytest.mark.parametrize("name", ["1.jpg", "1.gif"])
def test_images_beside_the_folders_that_are_read_are_faults(tmp_path: Path, name: str) -> None:
    for kind in ("basophil", "ig"):
        (tmp_path / "blood" / kind).mkdir(parents=True)
        (tmp_path / "blood" / kind / "1.jpg").touch()
    (tmp_path / "cells" / "img").mkdir(parents=True)
    for image in ("Im001_1.tif", "Im002_0.tif"):
        (tmp_path / "cells" / "img" / image).touch()
    for folder in ("blood", "cells"):
        (tmp_path / folder / "readme.txt").touch()
        (tmp_path / folder / name).touch()
    for list_cells in (
        lambda: blood_cells.list_cells(tmp_path / "blood"),
        lambda: labelled_cells.list_cells(tmp_path / "cells"),
    ):
        with pytest.raises(CohortError) as caught:
            list_cells()
        assert len(caught.value.faults) == 1
        assert name in str(caught.value)


def test_names_that_only_look_alike_are_the_same_name(tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFC", "célula.jpg")
    decomposed = unicodedata.normalize("NFD", "célula.jpg")
    (tmp_path / composed).touch()
    (tmp_path / decomposed).touch()
    listed = list_images(tmp_path)
    assert {*listed.images, *(name for name, _ in listed.faults)} == {composed, decomposed}
    assert "normalisation" in listed.faults[0][1]


def test_images_beside_the_only_folder_that_is_looked_into_are_faults(tmp_path: Path) -> None:
    for kind in ("basophil", "ig"):
        (tmp_path / "PBC" / kind).mkdir(parents=True)
        (tmp_path / "PBC" / kind / "1.jpg").touch()
    assert len(blood_cells.list_cells(tmp_path)[1]) == 2
    (tmp_path / "1.jpg").touch()
    with pytest.raises(CohortError, match=r"1\.jpg is in no type's folder"):
        blood_cells.list_cells(tmp_path)


def test_a_second_folder_of_labelled_images_is_a_fault(tmp_path: Path) -> None:
    for place, image in (("img", "Im001_1.tif"), ("img", "Im002_0.tif"), ("more", "Im003_0.tif")):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / image).touch()
    with pytest.raises(CohortError, match="more lies beside img"):
        labelled_cells.list_cells(tmp_path)

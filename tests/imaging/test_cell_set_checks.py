"""Sets of single cells: a picture counts once, and never under two types."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lymphokit.errors import CohortError
from lymphokit.imaging.cell_set_checks import (
    check_blood_cells,
    check_labelled_cells,
    read_blood_cells,
    read_labelled_cells,
)

FILES = {
    "labelled": [f"Im{number:03d}_{number % 2}.tif" for number in range(8)],
    "blood": [f"{kind}/{number}.png" for kind in ("blast", "ig") for number in range(4)],
}
# A further file, of the type of the second of FILES.
COPIES = {"labelled": "Im009_1.tif", "blood": "blast/9.png"}
READ: dict[str, Callable[[Path], tuple[Path, list]]] = {
    "labelled": read_labelled_cells,
    "blood": read_blood_cells,
}
CHECK: dict[str, Callable[[Path, int], int]] = {
    "labelled": lambda folder, n: check_labelled_cells(
        folder, {"labelled_train": n - 2, "labelled_validation": 2}
    ),
    "blood": lambda folder, n: check_blood_cells(folder, 1 / n),
}


def write(folder: Path, files: list[str]) -> Path:
    for number, name in enumerate(files):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
    return folder


@pytest.mark.parametrize("kind", FILES)
def test_a_picture_twice_within_a_type_is_used_once_and_said(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "cells", FILES[kind])
    assert CHECK[kind](folder, 4) == 8
    assert capsys.readouterr().err == ""
    (folder / COPIES[kind]).write_bytes((folder / FILES[kind][1]).read_bytes())
    _, cells = READ[kind](folder)
    assert sorted(cell.file for cell in cells) == sorted(FILES[kind])
    said = capsys.readouterr().err
    assert COPIES[kind] in said
    assert FILES[kind][1] in said
    assert said.count("\n") == 1
    assert CHECK[kind](folder, 4) == 8


@pytest.mark.parametrize("kind", FILES)
def test_a_picture_under_two_types_is_refused(tmp_path: Path, kind: str) -> None:
    folder = write(tmp_path / "cells", FILES[kind])
    other = {"labelled": "Im000_0.tif", "blood": "ig/2.png"}[kind]
    (folder / COPIES[kind]).write_bytes((folder / other).read_bytes())
    for read in (READ[kind], lambda folder: CHECK[kind](folder, 4)):
        with pytest.raises(CohortError, match=r"(?s)twice"):
            read(folder)


def test_the_check_counts_the_cells_that_are_left(tmp_path: Path) -> None:
    """Else the check would pass, and the job that draws the parts would fail."""
    folder = write(tmp_path / "cells", FILES["labelled"])
    for number in (11, 13):
        (folder / f"Im0{number}_1.tif").write_bytes((folder / FILES["labelled"][1]).read_bytes())
        (folder / f"Im1{number}_0.tif").write_bytes((folder / FILES["labelled"][0]).read_bytes())
    with pytest.raises(CohortError, match="too few"):
        check_labelled_cells(folder, {"labelled_train": 8, "labelled_validation": 2})

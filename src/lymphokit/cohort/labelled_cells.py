"""Single cells with known labels: ALL-IDB2's layout, and their split in two balanced parts.

ImNNN_1.tif is a blast, ImNNN_0.tif a healthy cell, all in one folder or in `img` below it.
Standard library and numpy only: the Snakefile lists the folder each time it is read, so that an
unusable folder is refused before anything is trained.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lymphokit.cohort.image_folder import (
    folders_with_images,
    list_images,
    misplaced_files,
    single_cell_faults,
)
from lymphokit.cohort.raw import LABELLED, RawChoice, locate_cells
from lymphokit.errors import CohortError, Fault
from lymphokit.folders import is_folder

ALL_IDB2 = "ALL_IDB2"
LABELS = {0: "healthy", 1: "blast"}
_NAME = re.compile(r"im(\d+)_([01])", re.IGNORECASE)
_RENAME = "name every image ImNNN_1.tif (a blast) or ImNNN_0.tif (a healthy cell), as ALL-IDB2 does"

REMEDY = (
    f"put {ALL_IDB2} in data/raw, or set labelled_cells in config.yaml to the path of such a "
    "folder, or pseudo_label.start to bags"
)
NONE_HERE = f"no labelled cells: the models that learn from them are left out; {REMEDY}"


@dataclass(frozen=True)
class LabelledCell:
    """An image of one cell: its file name, and its label, 1 for a blast, 0 for a healthy cell."""

    file: str
    label: int


def locate(setting: str, choice: RawChoice, root: Path) -> Path | None:
    """Find the folder that the setting `labelled_cells` selects; see `locate_cells`."""
    return locate_cells(
        setting, choice, root, key="labelled_cells", published=ALL_IDB2, simulated=LABELLED
    )


def list_cells(folder: Path) -> tuple[Path, list[LabelledCell]]:
    """Return the folder of the images, and its cells in natural order.

    Raises CohortError with all faults: an entry that is no image, a name without a label, a number
    used twice, no image, a single class.
    """
    home = folder / "img" if is_folder(folder / "img") else folder
    found = list_images(home)
    cells: list[LabelledCell] = []
    faults = single_cell_faults(home, found)
    if home != folder:
        remedy = "move each image into the folder img, or remove it"
        faults += [
            Fault(str(folder), f"{name} lies beside img", remedy)
            for name in [*misplaced_files(folder), *folders_with_images(folder)]
            if name != home.name
        ]
    name_of: dict[int, str] = {}
    for name in found.images:
        match = _NAME.fullmatch(Path(name).stem)
        if match is None:
            faults.append(Fault(str(home), f"{name} has no label", _RENAME))
            continue
        number = int(match[1])
        if number in name_of:
            finding = f"{name} has the number of {name_of[number]}"
            faults.append(Fault(str(home), finding, "keep one image of each cell"))
        name_of.setdefault(number, name)
        cells.append(LabelledCell(name, int(match[2])))
    faults += _class_faults(home, cells, any_image=bool(found.images))
    if faults:
        raise CohortError(faults)
    return home, cells


def _class_faults(home: Path, cells: Sequence[LabelledCell], *, any_image: bool) -> list[Fault]:
    if not any_image:
        return [Fault(str(home), "holds no image", f"unpack {ALL_IDB2} there")]
    found = {cell.label for cell in cells}
    remedy = "add labelled cells of the other class: training needs both"
    return [
        Fault(str(home), f"holds no {name} cell (ImNNN_{label})", remedy)
        for label, name in LABELS.items()
        if cells and label not in found
    ]


def split(
    cells: Sequence[LabelledCell], *, train: int, validation: int, seed: int
) -> dict[str, list[LabelledCell]]:
    """Draw balanced parts at random: `train` and `validation` cells, half of each label.

    An odd number has one healthy cell more. Source: report 4.3 (200 and 60).
    Raises CohortError where a label has too few cells.
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[LabelledCell]] = {"train": [], "validation": []}
    faults = []
    for label, name in LABELS.items():
        of_label = [cell for cell in cells if cell.label == label]
        n_train, n_validation = _half(train, label), _half(validation, label)
        if len(of_label) < n_train + n_validation:
            finding = (
                f"{len(of_label)} {name} cells, too few for {n_train} to train on and "
                f"{n_validation} to validate on"
            )
            remedy = "add cells, or lower labelled_train and labelled_validation in config.yaml"
            faults.append(Fault("labelled cells", finding, remedy))
            continue
        order = rng.permutation(len(of_label))[: n_train + n_validation]
        for part, places in zip(parts, np.split(order, [n_train]), strict=True):
            parts[part] += [of_label[place] for place in sorted(places)]
    if faults:
        raise CohortError(faults)
    return parts


def require_parts(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raise CohortError unless the folder has cells enough for both parts.

    settings: the block `pseudo_label` of config.yaml, or its sizes of the parts.
    """
    train, validation = settings["labelled_train"], settings["labelled_validation"]
    split(list_cells(folder)[1], train=train, validation=validation, seed=0)


def _half(number: int, label: int) -> int:
    return number // 2 if label else number - number // 2

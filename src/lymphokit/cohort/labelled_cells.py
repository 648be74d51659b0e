"""Single cells whose labels are known: ALL-IDB2's layout, and where such a folder is looked for.

ImNNN_1.tif is a blast, ImNNN_0.tif a healthy cell, all in one folder or in `img` below it.
Standard library and numpy only: the Snakefile lists the folder each time it is read, so that a
folder that cannot serve is refused before anything is trained.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lymphokit.cohort.layout import images_in
from lymphokit.cohort.raw import LABELLED, RawChoice, locate_cells
from lymphokit.errors import CohortError, Fault

ALL_IDB2 = "ALL_IDB2"
LABELS = {0: "healthy", 1: "blast"}
_NAME = re.compile(r"im(\d+)_([01])", re.IGNORECASE)
_RENAME = "name every image ImNNN_1.tif (a blast) or ImNNN_0.tif (a healthy cell), as ALL-IDB2 does"


NONE_HERE = (
    f"no labelled cells: the models that learn from them are left out; put {ALL_IDB2} in data/raw, "
    "or set labelled_cells in config.yaml to the path of such a folder"
)


@dataclass(frozen=True)
class LabelledCell:
    """An image of one cell: its file's name, and 1 for a blast, 0 for a healthy cell."""

    file: str
    label: int


def locate(setting: str, choice: RawChoice, root: Path) -> Path | None:
    """The folder of labelled cells that the setting `labelled_cells` means; see `locate_cells`."""
    return locate_cells(
        setting, choice, root, key="labelled_cells", published=ALL_IDB2, own=LABELLED
    )


def list_cells(folder: Path) -> tuple[Path, list[LabelledCell]]:
    """The folder that holds the images, and its cells in their natural order.

    Files that are no images are passed over. Raises CohortError with all faults: a name that
    tells no label, a number used twice, no image, one class alone.
    """
    home = folder / "img" if (folder / "img").is_dir() else folder
    images = images_in(home)
    cells: list[LabelledCell] = []
    faults: list[Fault] = []
    owners: dict[int, str] = {}
    for name in images:
        match = _NAME.fullmatch(Path(name).stem)
        if match is None:
            faults.append(Fault(str(home), f"{name} tells no label", _RENAME))
            continue
        number = int(match[1])
        if number in owners:
            finding = f"{name} has the number of {owners[number]}"
            faults.append(Fault(str(home), finding, "keep one image of each cell"))
        owners.setdefault(number, name)
        cells.append(LabelledCell(name, int(match[2])))
    faults += _class_faults(home, cells, any_image=bool(images))
    if faults:
        raise CohortError(faults)
    return home, cells


def _class_faults(home: Path, cells: Sequence[LabelledCell], *, any_image: bool) -> list[Fault]:
    if not any_image:
        return [Fault(str(home), "holds no image", f"unpack {ALL_IDB2} there")]
    found = {cell.label for cell in cells}
    remedy = "add labelled cells of the other class: a network learns from both"
    return [
        Fault(str(home), f"holds no {name} cell (ImNNN_{label})", remedy)
        for label, name in LABELS.items()
        if cells and label not in found
    ]


def split(
    cells: Sequence[LabelledCell], *, train: int, validation: int, seed: int
) -> dict[str, list[LabelledCell]]:
    """Balanced parts drawn at random: `train` and `validation` cells, half of each label.

    An odd number has one healthy cell more. Source: report 4.3 (200 and 60).
    Raises CohortError where a label has too few cells.
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[LabelledCell]] = {"train": [], "validation": []}
    faults = []
    for label, name in LABELS.items():
        own = [cell for cell in cells if cell.label == label]
        sizes = {
            part: _half(n, label) for part, n in (("train", train), ("validation", validation))
        }
        if len(own) < sum(sizes.values()):
            finding = (
                f"{len(own)} {name} cells, too few for {sizes['train']} to train on and "
                f"{sizes['validation']} to validate on"
            )
            remedy = "add cells, or lower labelled_train and labelled_validation in config.yaml"
            faults.append(Fault("labelled cells", finding, remedy))
            continue
        order = rng.permutation(len(own))[: sum(sizes.values())]
        for part, places in zip(parts, np.split(order, [sizes["train"]]), strict=True):
            parts[part] += [own[place] for place in sorted(places)]
    if faults:
        raise CohortError(faults)
    return parts


def require_parts(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raises CohortError unless the folder has cells enough for both parts.

    settings: the block `pseudo_label` of config.yaml, or what `split` needs of it.
    """
    train, validation = settings["labelled_train"], settings["labelled_validation"]
    split(list_cells(folder)[1], train=train, validation=validation, seed=0)


def _half(number: int, label: int) -> int:
    return number // 2 if label else number - number // 2

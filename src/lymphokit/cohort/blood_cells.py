"""Single blood cells of known type: PBC's layout, a folder a type, and their split in two parts.

basophil/*.jpg  eosinophil/*.jpg  ...  platelet/*.jpg

Standard library and numpy only: the Snakefile lists the folder each time it is read, so that an
unusable folder is refused before anything is trained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lymphokit.cohort.image_folder import (
    ImageFolder,
    list_images,
    misplaced_files,
    same_after_normalisation,
    single_cell_faults,
    visible_entries,
)
from lymphokit.cohort.raw import BLOOD, RawChoice, locate_cells
from lymphokit.errors import CohortError, Fault
from lymphokit.folders import is_folder

PBC = "PBC_dataset_normal_DIB"  # the name of the folder in its published zip

NONE_HERE = (
    f"no blood cells of known type: the models that need them are left out; put {PBC} in data/raw, "
    "or set blood_cells.folder in config.yaml to the path of such a folder"
)


@dataclass(frozen=True)
class BloodCell:
    """An image of one cell: its path below the folder of all types, and the cell's type."""

    file: str
    type: str


def locate(setting: str, choice: RawChoice, root: Path) -> Path | None:
    """Find the folder that the setting `blood_cells.folder` selects; see `locate_cells`."""
    key = "blood_cells.folder"
    return locate_cells(setting, choice, root, key=key, published=PBC, simulated=BLOOD)


def list_cells(folder: Path) -> tuple[Path, list[BloodCell]]:
    """Return the parent folder of the types, and all cells by type and file in natural order.

    The parent is `folder`, or the only folder in it. Types may have any names.
    Raises CohortError with all faults: fewer than two types, two types of one name, an entry that
    is no image, a type without an image.
    """
    home, types = folder, _folders_in(folder)
    if len(types) == 1 and (inside := _folders_in(folder / types[0])):
        home, types = folder / types[0], inside
    if len(types) < 2:
        found = f"holds {types[0]} alone" if types else "holds no folder of a type"
        remedy = f"keep the cells of each type in a folder of its name, two at least, as {PBC} does"
        raise CohortError([Fault(str(home), found, remedy)])
    files = {name: list_images(home / name) for name in types}
    faults = [fault for name in types for fault in single_cell_faults(home / name, files[name])]
    if home != folder:
        faults += _misplaced(folder)
    if faults := [*_type_faults(home, files), *faults]:
        raise CohortError(faults)
    return home, [
        BloodCell(f"{name}/{file}", name) for name in types for file in files[name].images
    ]


def _type_faults(home: Path, files: Mapping[str, ImageFolder]) -> list[Fault]:
    """Images in no type's folder, types without an image, and two types of one name."""
    faults = _misplaced(home)
    faults += [
        Fault(str(home), f"{name} holds no image", "add images of it, or remove the folder")
        for name, listed in files.items()
        if not listed.n_entries
    ]
    faults += [
        Fault(str(home), f"{name} {finding}", "join the two folders")
        for name, finding in same_after_normalisation(files).items()
    ]
    return faults


def _misplaced(folder: Path) -> list[Fault]:
    remedy = "move each image into the folder of its type, or remove it"
    return [
        Fault(str(folder), f"{name} is in no type's folder", remedy)
        for name in misplaced_files(folder)
    ]


def _folders_in(folder: Path) -> list[str]:
    return [name for name in visible_entries(folder) if is_folder(folder / name)]


def split(
    cells: Sequence[BloodCell], *, validation: float, seed: int
) -> dict[str, list[BloodCell]]:
    """Split at random into `train` and `validation`, with the same share of every type.

    validation: share held out, rounded to whole cells within each type, at least one.
    Source: report 3.4.2 (20%). Raises CohortError where a type has no cell left for a part.
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[BloodCell]] = {"train": [], "validation": []}
    faults = []
    for name in dict.fromkeys(cell.type for cell in cells):
        of_type = [cell for cell in cells if cell.type == name]
        held_out = max(1, round(validation * len(of_type)))
        if held_out == len(of_type):
            finding = f"{len(of_type)} of {name}, too few to train on some and validate on others"
            remedy = "add images of it, or lower blood_cells.validation in config.yaml"
            faults.append(Fault("blood cells", finding, remedy))
            continue
        order = rng.permutation(len(of_type))
        for part, places in zip(parts, (order[held_out:], order[:held_out]), strict=True):
            parts[part] += [of_type[place] for place in sorted(places)]
    if faults:
        raise CohortError(faults)
    return parts


def require_parts(folder: Path, validation: float) -> None:
    """Raise CohortError unless the folder has cells of each type for both parts."""
    split(list_cells(folder)[1], validation=validation, seed=0)

"""Check the sets of single cells before anything is computed: names, numbers and every image."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lymphokit.cohort import blood_cells, labelled_cells
from lymphokit.cohort.blood_cells import BloodCell
from lymphokit.cohort.labelled_cells import LabelledCell
from lymphokit.errors import CohortError, Fault
from lymphokit.imaging.image_files import check_cells
from lymphokit.progress import say

Result = TypeVar("Result")


def read_labelled_cells(folder: Path) -> tuple[Path, list[LabelledCell]]:
    """The folder of the images and the labelled cells, each picture once.

    Says in one sentence which are left out. Raises CohortError with all faults of names or images.
    """
    home, cells = labelled_cells.list_cells(folder)
    repeated = check_cells(home, {cell.file: labelled_cells.LABELS[cell.label] for cell in cells})
    _say_repeated(home, repeated)
    return home, [cell for cell in cells if cell.file not in repeated]


def read_blood_cells(folder: Path) -> tuple[Path, list[BloodCell]]:
    """The folder of the types and the blood cells; see `read_labelled_cells`."""
    home, cells = blood_cells.list_cells(folder)
    repeated = check_cells(home, {cell.file: cell.type for cell in cells})
    _say_repeated(home, repeated)
    return home, [cell for cell in cells if cell.file not in repeated]


def _say_repeated(home: Path, repeated: Mapping[str, str]) -> None:
    if repeated:
        file, earlier = next(iter(repeated.items()))
        say(
            f"{home}: {len(repeated)} images are left out, whose picture another one of the same "
            f"type has, such as {file}, which is {earlier}"
        )


def check_labelled_cells(folder: Path, parts: Mapping[str, Any]) -> int:
    """The number of labelled cells in a folder without faults.

    parts: `labelled_train` and `labelled_validation`, the sizes of the parts.
    Raises CohortError with all faults of names and numbers, or of images.
    """
    train, validation = parts["labelled_train"], parts["labelled_validation"]
    results: list[Any] = run_all(
        [
            lambda: labelled_cells.require_parts(folder, parts),
            lambda: read_labelled_cells(folder),
        ]
    )
    _, cells = results[-1]
    labelled_cells.split(cells, train=train, validation=validation, seed=0)
    return len(cells)


def check_blood_cells(folder: Path, validation: float) -> int:
    """The number of blood cells in a folder without faults; validation: the share held out.

    Raises CohortError with all faults of names and numbers, or of images.
    """
    results: list[Any] = run_all(
        [
            lambda: blood_cells.require_parts(folder, validation),
            lambda: read_blood_cells(folder),
        ]
    )
    _, cells = results[-1]
    blood_cells.split(cells, validation=validation, seed=0)
    return len(cells)


def run_all(checks: Sequence[Callable[[], Result]]) -> list[Result]:
    """The results of all checks. Raises one CohortError with the faults of all that fail."""
    results: list[Result] = []
    faults: list[Fault] = []
    for check in checks:
        try:
            results.append(check())
        except CohortError as error:
            faults += error.faults
    if faults:
        raise CohortError(faults)
    return results

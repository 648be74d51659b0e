"""Check the sets of single cells before anything is computed: names, numbers and every image."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lymphokit.cohort import blood_cells, labelled_cells
from lymphokit.errors import CohortError, Fault
from lymphokit.imaging.image_files import check_cells

Result = TypeVar("Result")


def check_labelled_cells(folder: Path, parts: Mapping[str, Any]) -> int:
    """The number of labelled cells in a folder without faults.

    parts: `labelled_train` and `labelled_validation`, the sizes of the parts.
    Raises CohortError with all faults of names and numbers, or of images.
    """
    home, cells = labelled_cells.list_cells(folder)
    labels = {cell.file: labelled_cells.LABELS[cell.label] for cell in cells}
    run_all(
        [
            lambda: labelled_cells.require_parts(folder, parts),
            lambda: check_cells(home, labels),
        ]
    )
    return len(cells)


def check_blood_cells(folder: Path, validation: float) -> int:
    """The number of blood cells in a folder without faults; validation: the share held out.

    Raises CohortError with all faults of names and numbers, or of images.
    """
    home, cells = blood_cells.list_cells(folder)
    types = {cell.file: cell.type for cell in cells}
    run_all(
        [
            lambda: blood_cells.require_parts(folder, validation),
            lambda: check_cells(home, types),
        ]
    )
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

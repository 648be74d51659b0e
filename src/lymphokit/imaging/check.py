"""The whole cohort checked before anything is computed: tables, folders and every image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

import pandas as pd

from lymphokit.cohort.archive import is_hidden
from lymphokit.cohort.clinical_table import read_clinical
from lymphokit.cohort.layout import IMAGE_SUFFIXES, SETS, PatientFolder, natural_order, read_layout
from lymphokit.errors import CohortError, Fault, ImageError
from lymphokit.imaging.read import read_image
from lymphokit.progress import track

_MEND_IMAGES = "fix or remove them, or set cohort.on_error: skip in config.yaml"
_SKIPPED = "they are skipped, as cohort.on_error: skip asks"


@dataclass(frozen=True)
class Cohort:
    """A cohort without a fault.

    patients: patient, part, label, gender, age_years, lymphocytes_giga_per_litre, n_cells, in the
    natural order of patients. cells: cell, patient, image, path (relative to the raw folder), in
    that order and by file name within a patient. skipped: images left out, if that was asked for.
    """

    patients: pd.DataFrame
    cells: pd.DataFrame
    skipped: tuple[Fault, ...]
    submission_header: tuple[str, ...]


@dataclass(frozen=True)
class _Bag:
    """A patient's folder after a look at every file in it: names of usable images, and faults."""

    folder: PatientFolder
    images: tuple[str, ...]
    faults: tuple[Fault, ...]


def check_cohort(
    root: Path, *, image_size: int, reference_date: date, on_error: Literal["stop", "skip"]
) -> Cohort:
    """Check the raw data in `root`, Kaggle's layout, and list its patients and cells.

    image_size: pixels a side of every image; on_error: whether an image that cannot be used
    stops the run or is skipped. Every image is decoded, one at a time.
    Raises CohortError with all faults of tables, folders and images together.
    """
    layout = read_layout(root)
    table, faults = read_clinical(layout.tables, reference_date)
    faults = [*layout.faults, *faults, *_matching_faults(table, layout.folders)]
    bags = [_look(folder, image_size) for folder in track(layout.folders, "checking patients")]
    unusable = [fault for bag in bags for fault in bag.faults]
    skip = on_error == "skip"
    faults += [fault for bag in bags for fault in _emptiness(bag, skip)]
    faults += [] if skip else unusable
    if faults:
        raise CohortError(_files_first(faults, table, layout.folders))
    patients, cells = _tables(root, table, bags)
    skipped = tuple(replace(fault, remedy=_SKIPPED) for fault in unusable)
    return Cohort(patients, cells, skipped, layout.submission_header)


def _look(folder: PatientFolder, image_size: int) -> _Bag:
    """Decode every image of a patient."""
    entries = [entry for entry in folder.path.iterdir() if not is_hidden(entry.name)]
    images, faults = [], []
    for entry in natural_order(entries, lambda entry: entry.name):
        finding = _finding(entry, image_size)
        if finding is None:
            images.append(entry.name)
        else:
            faults.append(Fault(folder.patient, finding, _MEND_IMAGES, entry.name, len(entries)))
    return _Bag(folder, tuple(images), tuple(faults))


def _finding(entry: Path, image_size: int) -> str | None:
    """Why a file is no image that can be used; None where it is one."""
    if entry.is_dir():
        return "is a folder"
    if entry.suffix.lower() not in IMAGE_SUFFIXES:
        return f"is not named as an image: {', '.join(sorted(IMAGE_SUFFIXES))}"
    try:
        read_image(entry, image_size)
    except ImageError as error:
        return str(error)
    return None


def _emptiness(bag: _Bag, skip: bool) -> list[Fault]:
    """The fault of a bag with no image in it or, where images are skipped, no usable one."""
    place = f"{SETS[bag.folder.part]}/{bag.folder.patient}"
    remedy = "add the patient's images, or take the patient out of the table and folders"
    if not bag.images and not bag.faults:
        return [Fault(bag.folder.patient, f"has no image in {place}", remedy)]
    if not bag.images and skip:
        return [Fault(bag.folder.patient, f"has no usable image in {place}", remedy), *bag.faults]
    return []


def _matching_faults(table: pd.DataFrame, folders: Sequence[PatientFolder]) -> list[Fault]:
    """Rows without a folder, folders without a row, and folders in the wrong set."""
    if table.empty:  # said of the table already
        return []
    parts = dict(zip(table["patient"], table["part"], strict=True))
    owners = {folder.patient for folder in folders}
    remedy = "keep a folder trainset/<ID> or testset/<ID> for each row of the table, and no other"
    if not owners:
        return [Fault("trainset, testset", "hold no patient's folder", remedy)]
    lacking = [
        Fault(patient, f"has no folder {_place(part, patient)}", remedy)
        for patient, part in parts.items()
        if patient not in owners
    ]
    misplaced = [
        Fault(folder.patient, finding, remedy)
        for folder in folders
        if (finding := _misplacement(folder, parts))
    ]
    return lacking + misplaced


def _place(part: object, patient: str) -> str:
    """Where the folder of a patient belongs; both places where the label, hence the part, fails."""
    expected = [name for key, name in SETS.items() if part == key] or SETS.values()
    return " or ".join(f"{name}/{patient}" for name in expected)


def _misplacement(folder: PatientFolder, parts: Mapping[str, object]) -> str | None:
    """What is wrong with where a folder lies, if anything."""
    place = f"{SETS[folder.part]}/{folder.patient}"
    if folder.patient not in parts:
        return f"has a folder {place} but no row in the table"
    part = parts[folder.patient]
    if part in SETS and part != folder.part:
        return f"is a {part} patient by LABEL, but has a folder {place}"
    return None


def _files_first(
    faults: Sequence[Fault], table: pd.DataFrame, folders: Sequence[PatientFolder]
) -> list[Fault]:
    """The faults of tables and sets, then those of patients in their natural order."""
    patients = {*table["patient"], *(folder.patient for folder in folders)}
    general = [fault for fault in faults if fault.patient not in patients]
    own = [fault for fault in faults if fault.patient in patients]
    return general + natural_order(own, lambda fault: fault.patient)


def _tables(
    root: Path, table: pd.DataFrame, bags: Sequence[_Bag]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """patients.csv and cells.csv of a cohort without faults; `bags` may come in any order."""
    of_patient = {bag.folder.patient: bag for bag in bags}
    ordered = [of_patient[patient] for patient in table["patient"]]
    patients = table.assign(n_cells=[len(bag.images) for bag in ordered])
    cells = pd.DataFrame(
        [
            (bag.folder.patient, image, (bag.folder.path / image).relative_to(root).as_posix())
            for bag in ordered
            for image in bag.images
        ],
        columns=["patient", "image", "path"],
    )
    cells.insert(0, "cell", range(len(cells)))
    return patients, cells

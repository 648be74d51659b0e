"""Check the raw cohort before anything is computed: tables, folders and every image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from lymphokit.cohort.clinical_table import date_note, read_clinical
from lymphokit.cohort.image_folder import list_images, normalised
from lymphokit.cohort.layout import SETS, PatientFolder, natural_order, read_layout
from lymphokit.cohort.table_checks import (
    disagreements,
    part_faults,
    sample_faults,
    simulated_faults,
    simulated_note,
)
from lymphokit.errors import CohortError, Fault, ImageError
from lymphokit.imaging.image_files import Pictures
from lymphokit.imaging.shared_pictures import shared_picture_faults
from lymphokit.progress import track

_REMEDY = "fix or remove them, or set cohort.on_error: skip in config.yaml"
_SKIPPED = "they are skipped because of cohort.on_error: skip"


@dataclass(frozen=True)
class Cohort:
    """A cohort without faults.

    patients: patient, part, label, gender, age_years, lymphocytes_giga_per_litre, n_cells, in the
    natural order of patients. cells: cell, patient, image, path (relative to the raw folder), in
    that order and by file name within a patient. skipped: images left out with on_error `skip`.
    notes: sentences about the tables that are no faults.
    """

    patients: pd.DataFrame
    cells: pd.DataFrame
    skipped: tuple[Fault, ...]
    submission_header: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Folder:
    """A patient's folder after its check: the names of usable images, and the faults.

    pictures: the image of each digest of pixels.
    """

    folder: PatientFolder
    images: tuple[str, ...]
    faults: tuple[Fault, ...]
    pictures: Mapping[bytes, str]


def check_cohort(
    root: Path,
    *,
    image_size: int,
    reference_date: date,
    on_error: Literal["stop", "skip"],
    ranges: Mapping[str, Sequence[float]] | None = None,
    allow: Sequence[str] = (),
    known_duplicates: Sequence[Mapping[str, Any]] = (),
) -> Cohort:
    """Check the raw data in `root`, Kaggle's layout, and list its patients and cells.

    image_size: side of every image in pixels; on_error: whether an unusable image stops the run
    or is skipped. ranges: changes to the ranges of values; allow: checks that are left out, see
    config.yaml. known_duplicates: see `shared_picture_faults`. Every image is decoded, one at a
    time.
    Raises CohortError with all faults of tables, folders and images together.
    """
    layout = read_layout(root)
    table, faults = read_clinical(layout.tables, reference_date, ranges=ranges, allow=allow)
    folders, twice = _with_ids_of(table, layout.folders)
    faults = [
        *layout.faults,
        *faults,
        *part_faults(table),
        *simulated_faults(table),
        *sample_faults(layout.sample_ids, table, allow),
        *disagreements(layout.tables, layout.others),
        *twice,
        *_matching_faults(table, folders),
    ]
    checked = [_check_folder(folder, image_size) for folder in track(folders, "checking patients")]
    unusable = [fault for folder in checked for fault in folder.faults]
    skip = on_error == "skip"
    faults += [fault for folder in checked for fault in _emptiness(folder, skip)]
    faults += [] if skip else unusable
    pictures = [(folder.folder.patient, folder.pictures) for folder in checked]
    faults += shared_picture_faults(pictures, known_duplicates)
    if faults:
        raise CohortError(_files_first(faults, table, folders))
    patients, cells = _tables(root, table, checked)
    skipped = tuple(replace(fault, remedy=_SKIPPED) for fault in unusable)
    notes = tuple(filter(None, (simulated_note(table), date_note(layout.tables))))
    return Cohort(patients, cells, skipped, layout.submission_header, notes)


def _check_folder(folder: PatientFolder, image_size: int) -> _Folder:
    """Decode every image of a patient; a picture that occurs twice is usable once."""
    listed = list_images(folder.path)
    found = dict(listed.faults)
    pictures = Pictures(folder.path, image_size)
    for name in listed.images:
        try:
            pictures.read(name)
        except ImageError as error:
            found[name] = str(error)
    faults = [
        Fault(folder.patient, found[name], _REMEDY, name, listed.n_entries)
        for name in natural_order(found, str)
    ]
    images = tuple(name for name in listed.images if name not in found)
    return _Folder(folder, images, tuple(faults), pictures.images)


def _emptiness(checked: _Folder, skip: bool) -> list[Fault]:
    """The fault of a folder without images or, where faulty images are skipped, usable ones."""
    patient = checked.folder.patient
    place = f"{SETS[checked.folder.part]}/{patient}"
    remedy = "add the patient's images, or take the patient out of the table and folders"
    if not checked.images and not checked.faults:
        return [Fault(patient, f"has no image in {place}", remedy)]
    if not checked.images and skip:
        return [Fault(patient, f"has no usable image in {place}", remedy), *checked.faults]
    return []


def _with_ids_of(
    table: pd.DataFrame, folders: Sequence[PatientFolder]
) -> tuple[list[PatientFolder], list[Fault]]:
    """The folders with the ids of the table that equal their names after Unicode normalisation.

    The faults name ids of the table, and folders of a set, that are then the same.
    """
    ids: dict[str, str] = {}
    faults = []
    remedy = "keep one form of each name: macOS stores accents apart from their letters"
    for patient in table["patient"]:
        if (earlier := ids.setdefault(normalised(patient), patient)) != patient:
            finding = f"is the id {earlier} after Unicode normalisation"
            faults.append(Fault(patient, finding, remedy))
    first: dict[tuple[str, str], str] = {}
    for folder in folders:
        key = (folder.part, normalised(folder.patient))
        if (earlier := first.setdefault(key, folder.patient)) != folder.patient:
            finding = f"is the folder {earlier} after Unicode normalisation"
            faults.append(Fault(folder.patient, finding, remedy))
    named = [
        replace(folder, patient=ids.get(normalised(folder.patient), folder.patient))
        for folder in folders
    ]
    return named, faults


def _matching_faults(table: pd.DataFrame, folders: Sequence[PatientFolder]) -> list[Fault]:
    """Rows without a folder, folders without a row, folders in the wrong set."""
    if table.empty:  # the fault of the table is listed already
        return []
    parts = dict(zip(table["patient"], table["part"], strict=True))
    with_folder = {folder.patient for folder in folders}
    remedy = "keep a folder trainset/<ID> or testset/<ID> for each row of the table, and no other"
    if not with_folder:
        return [Fault("trainset, testset", "hold no patient's folder", remedy)]
    lacking = [
        Fault(patient, f"has no folder {_place(part, patient)}", remedy)
        for patient, part in parts.items()
        if patient not in with_folder
    ]
    misplaced = [
        Fault(folder.patient, finding, remedy)
        for folder in folders
        if (finding := _misplacement(folder, parts))
    ]
    return lacking + misplaced


def _place(part: object, patient: str) -> str:
    """Where the folder of a patient belongs; either place if the label is faulty."""
    expected = [name for key, name in SETS.items() if part == key] or SETS.values()
    return " or ".join(f"{name}/{patient}" for name in expected)


def _misplacement(folder: PatientFolder, parts: Mapping[str, object]) -> str | None:
    """What is wrong with the place of a folder; None if nothing is."""
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
    """Order faults: of tables and sets first, then of patients in their natural order."""
    patients = {*table["patient"], *(folder.patient for folder in folders)}
    general = [fault for fault in faults if fault.patient not in patients]
    personal = [fault for fault in faults if fault.patient in patients]
    return general + natural_order(personal, lambda fault: fault.patient)


def _tables(
    root: Path, table: pd.DataFrame, checked: Sequence[_Folder]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """patients.csv and cells.csv of a cohort without faults, in the order of `table`."""
    by_patient = {entry.folder.patient: entry for entry in checked}
    ordered = [by_patient[patient] for patient in table["patient"]]
    patients = table.assign(n_cells=[len(entry.images) for entry in ordered])
    cells = pd.DataFrame(
        [
            (entry.folder.patient, image, (entry.folder.path / image).relative_to(root).as_posix())
            for entry in ordered
            for image in entry.images
        ],
        columns=["patient", "image", "path"],
    )
    cells.insert(0, "cell", range(len(cells)))
    return patients, cells

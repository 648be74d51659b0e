"""Check a download and the sets of single cells that a run on it would read."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lymphokit.cohort import blood_cells, labelled_cells
from lymphokit.cohort.raw import RawChoice, locate_download, unpack
from lymphokit.config import Config
from lymphokit.imaging.cell_set_checks import check_blood_cells, check_labelled_cells, run_all
from lymphokit.imaging.check import Cohort, check_cohort


def check_download(raw: str, config: Config) -> dict[str, Any]:
    """What a download holds, by name; it has no fault.

    raw: path of a folder or zip. The numbers of `labelled_cells` and `blood_cells` are None where
    the set is not there.
    Raises CohortError with all faults, and ConfigError for a path that leads to no download.
    """
    source = locate_download(raw, Path())
    if source.is_dir():
        return _check_folder(source, source, config)
    with tempfile.TemporaryDirectory(prefix="lymphokit-") as folder:
        unpacked = Path(folder) / source.stem
        unpack(source, unpacked)
        return _check_folder(unpacked, source, config)


def _check_folder(folder: Path, source: Path, config: Config) -> dict[str, Any]:
    """Check a cohort and the sets of single cells beside `source`, the download it is from."""
    results = run_all([lambda: _cohort(folder, config), *_cell_set_checks(source, config)])
    cohort, labelled, blood = results
    assert isinstance(cohort, Cohort)
    training = cohort.patients.query("part == 'train'")
    images = cohort.cells.groupby("patient").size()
    return {
        "source": str(source),
        "labelled_patients": len(training),
        "tumoral_patients": int(training["label"].sum()),
        "patients_to_predict": len(cohort.patients) - len(training),
        "cells": len(cohort.cells),
        "cells_per_patient": [int(images.min()), int(images.median()), int(images.max())],
        "labelled_cells": labelled,
        "blood_cells": blood,
        "notes": list(cohort.notes),
        "faults": [],
    }


def _cohort(folder: Path, config: Config) -> Cohort:
    settings = config.cohort
    return check_cohort(
        folder,
        image_size=settings.image_size,
        reference_date=settings.reference_date,
        on_error=settings.on_error,
        ranges=settings.ranges.model_dump(),
        allow=settings.allow,
        known_duplicates=[each.model_dump() for each in config.audit.known_duplicates],
    )


def _cell_set_checks(source: Path, config: Config) -> list[Callable[[], Any]]:
    """Checks of both sets of single cells; each gives their number, None without the set."""
    choice = RawChoice("", source, source.is_file(), "")
    labelled = labelled_cells.locate(config.labelled_cells, choice, Path())
    blood = blood_cells.locate(config.blood_cells.folder, choice, Path())
    parts, share = config.pseudo_label.model_dump(), config.blood_cells.validation
    return [
        lambda: None if labelled is None else check_labelled_cells(labelled, parts),
        lambda: None if blood is None else check_blood_cells(blood, share),
    ]

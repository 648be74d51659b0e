"""What a download holds, counted whether or not it has faults: patients, classes, images."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lymphokit.cohort.clinical_table import read_clinical
from lymphokit.cohort.image_folder import list_images
from lymphokit.cohort.layout import SETS, PatientFolder, read_layout
from lymphokit.config import CohortSettings
from lymphokit.errors import ImageError
from lymphokit.imaging.read import open_image

_CLASSES = {1: "tumoral", 0: "reactive", -1: "to predict"}
_UNREADABLE = "unreadable"


def take_inventory(folder: Path, settings: CohortSettings) -> dict[str, Any]:
    """Count what a folder in the download's layout holds, by name.

    tables: names of the clinical tables, of which the numbers of patients are. folders: patients'
    folders by set. images: number, megabytes, and how many have each format and size in pixels, by
    their headers. images_per_patient: [min, median, max] of all, of each set and of each class.
    """
    layout = read_layout(folder)
    ranges = settings.ranges.model_dump()
    table, _ = read_clinical(
        layout.tables, settings.reference_date, ranges=ranges, allow=settings.allow
    )
    images = {each: _images(each) for each in layout.folders}
    return {
        "tables": [path.name for path in layout.tables],
        "labelled_patients": int(table["label"].isin([0, 1]).sum()),
        "tumoral_patients": int((table["label"] == 1).sum()),
        "patients_to_predict": int((table["label"] == -1).sum()),
        "folders": dict(Counter(SETS[each.part] for each in layout.folders)),
        "images": _described(path for paths in images.values() for path in paths),
        "images_per_patient": _per_patient(images, table),
    }


def _images(folder: PatientFolder) -> list[Path]:
    return [folder.path / name for name in list_images(folder.path).images]


def _described(paths: Iterable[Path]) -> dict[str, Any]:
    formats: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    n_bytes = 0
    for path in paths:
        try:
            image = open_image(path)
        except ImageError:
            formats[_UNREADABLE] += 1
            continue
        formats[str(image.format)] += 1
        sizes[f"{image.width}x{image.height}"] += 1
        n_bytes += path.stat().st_size
    return {
        "number": formats.total(),
        "megabytes": round(n_bytes / 1e6, 1),
        "formats": dict(formats.most_common()),
        "sizes": dict(sizes.most_common()),
    }


def _per_patient(
    images: dict[PatientFolder, list[Path]], table: pd.DataFrame
) -> dict[str, list[int]]:
    """Least, median and largest number of images of a patient, by set and by class."""
    label_of = dict(zip(table["patient"], table["label"], strict=True))
    numbers: dict[str, list[int]] = {}
    for folder, paths in images.items():
        groups = ["all", SETS[folder.part]]
        groups += [
            name for label, name in _CLASSES.items() if label_of.get(folder.patient) == label
        ]
        for group in groups:
            numbers.setdefault(group, []).append(len(paths))
    return {
        group: [min(found), int(np.median(found)), max(found)] for group, found in numbers.items()
    }

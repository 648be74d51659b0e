"""Check a download and the sets of single cells that a run on it would read."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lymphokit.cohort import blood_cells, labelled_cells
from lymphokit.cohort.raw import RawChoice, locate_download, unpack
from lymphokit.config import Config
from lymphokit.desk.fault_meanings import meaning
from lymphokit.desk.inventory import take_inventory
from lymphokit.errors import CohortError, Fault, describe, visible
from lymphokit.imaging.cell_set_checks import check_blood_cells, check_labelled_cells
from lymphokit.imaging.check import Cohort, check_cohort

_PACKED: Mapping[str, Any] = {
    "tables": [],
    "images": {"number": 0},
    "notes": [],
    "labelled_cells": None,
    "blood_cells": None,
}  # of a zip that cannot be unpacked


@dataclass(frozen=True)
class Checked:
    """What a download holds, by name, and its faults.

    The numbers of `labelled_cells` and `blood_cells` are None where the set is not there or faulty.
    """

    found: Mapping[str, Any]
    faults: tuple[Fault, ...]

    def plain(self) -> dict[str, Any]:
        """Everything as plain data, each fault with its meaning."""
        faults = [{**vars(fault), "meaning": meaning(fault.finding)} for fault in self.faults]
        return {**self.found, "faults": faults}

    def lines(self) -> Iterator[str]:
        """What was counted, as lines for people."""
        found = self.found
        yield f"{found['source']}: {', '.join(found['tables']) or 'no clinical table'}"
        yield from found["notes"]
        if found["images"]["number"]:
            yield from _patient_lines(found)
        for name in ("labelled_cells", "blood_cells"):
            if found[name] is not None:
                yield f"{found[name]:,} {name.replace('_', ' ')}"
        if not self.faults:
            yield "no fault found"

    def fault_text(self) -> str:
        """The faults by patient, what they mean, and what to do; empty without a fault."""
        if not self.faults:
            return ""
        meanings = dict.fromkeys(meaning(fault.finding) for fault in self.faults)
        n = len(self.faults)
        head = f"{n:,} fault{'s' if n > 1 else ''}. What {'they mean' if n > 1 else 'it means'}:"
        return "\n".join([describe(self.faults), "", head, *(f"  {text}" for text in meanings)])


def check_download(raw: str, config: Config) -> Checked:
    """Count and check what a folder or zip holds, and the cell sets that a run reads with it.

    A zip that cannot be unpacked is a fault. Raises ConfigError for a path without a download.
    """
    source = locate_download(raw, Path())
    if source.is_dir():
        return _check_folder(source, source, config)
    with tempfile.TemporaryDirectory(prefix="lymphokit-") as folder:
        unpacked = Path(folder) / source.stem
        try:
            unpack(source, unpacked)
        except CohortError as error:
            return Checked({"source": str(source), **_PACKED}, error.faults)
        return _check_folder(unpacked, source, config)


def _check_folder(folder: Path, source: Path, config: Config) -> Checked:
    """Check a cohort and the sets of single cells beside `source`, the download it is from."""
    found: dict[str, Any] = {"source": str(source), **take_inventory(folder, config.cohort)}
    checks = {"cohort": lambda: _cohort(folder, config), **_cell_set_checks(source, config)}
    faults: list[Fault] = []
    results: dict[str, Any] = dict.fromkeys(checks)
    for name, check in checks.items():
        try:
            results[name] = check()
        except CohortError as error:
            faults += error.faults
    cohort = results.pop("cohort")
    notes = list(cohort.notes) if cohort else []
    skipped = len(cohort.skipped) if cohort else 0
    cells = found["images"]["number"] - skipped
    counts = {"cells": cells, "images_skipped": skipped, "notes": notes}
    return Checked({**found, **results, **counts}, tuple(faults))


def _patient_lines(found: Mapping[str, Any]) -> Iterator[str]:
    images, numbers = found["images"], found["images_per_patient"]
    labelled, tumoral = found["labelled_patients"], found["tumoral_patients"]
    yield (
        f"{labelled} labelled patients ({tumoral} tumoral, {labelled - tumoral} reactive), "
        f"{found['patients_to_predict']} to predict; folders: "
        + (", ".join(f"{n} in {name}" for name, n in found["folders"].items()) or "none")
    )
    kinds = [f"{n:,} {each}" for part in ("formats", "sizes") for each, n in images[part].items()]
    yield f"{images['number']:,} images, {images['megabytes']:,} MB: {', '.join(kinds[:12])}"
    if found["images_skipped"]:
        yield f"{found['images_skipped']} images cannot be used and are skipped"
    groups = [
        f"{name} {least} to {most} (median {middle})"
        for name, (least, middle, most) in numbers.items()
    ]
    yield visible(f"images a patient: {', '.join(groups)}")


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


def _cell_set_checks(source: Path, config: Config) -> dict[str, Callable[[], Any]]:
    """Checks of both sets of single cells; each gives their number, None without the set."""
    choice = RawChoice("", source, source.is_file(), "")
    labelled = labelled_cells.locate(config.labelled_cells, choice, Path())
    blood = blood_cells.locate(config.blood_cells.folder, choice, Path())
    return {
        "labelled_cells": lambda: labelled and check_cell_set(labelled, config, labelled=True),
        "blood_cells": lambda: blood and check_cell_set(blood, config, labelled=False),
    }


def check_cell_set(folder: Path, config: Config, *, labelled: bool) -> int:
    """The number of labelled cells in a folder, or of blood cells.

    Raises CohortError where the set has faults.
    """
    if labelled:
        return check_labelled_cells(folder, config.pseudo_label.model_dump())
    return check_blood_cells(folder, config.blood_cells.validation)

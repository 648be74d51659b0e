"""Every error a person can meet, each with the finding and the remedy in its message."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class LymphokitError(Exception):
    """Base of all errors that lymphokit raises on purpose."""


class ConfigError(LymphokitError):
    """A key or value of the configuration cannot be used."""


class WeightsError(LymphokitError):
    """Pretrained weights cannot be reached or are not the ones that were named."""


class BankError(LymphokitError):
    """A feature bank on disk does not belong to the cohort it is read for."""


class ImageError(LymphokitError):
    """An image file cannot be used; the message is the finding alone, without the file's name."""


class EmptyBagError(LymphokitError):
    """A bag holds no cell."""


class NotFittedError(LymphokitError):
    """A model was asked to predict before it was fitted."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a cohort: whose it is, what was found, what mends it.

    patient is the id, or the name of the file where it is no one patient's. A fault of an image
    also names the `image` and says how many images the patient has.
    """

    patient: str
    finding: str
    remedy: str
    image: str = ""
    n_images: int = 0


class CohortError(LymphokitError):
    """All faults of a cohort at once, grouped by patient."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(describe(self.faults))


def describe(faults: Iterable[Fault], most_per_patient: int = 10, most_patients: int = 50) -> str:
    """The faults as text: a paragraph a patient, a line a finding, every remedy once at the end."""
    by_patient: dict[str, list[Fault]] = {}
    remedies: dict[str, None] = {}
    for fault in faults:
        by_patient.setdefault(fault.patient, []).append(fault)
        remedies[fault.remedy] = None
    lines = []
    for patient in list(by_patient)[:most_patients]:
        lines += _paragraph(patient, by_patient[patient], most_per_patient)
    if len(by_patient) > most_patients:
        lines.append(f"... and the faults of {len(by_patient) - most_patients} more patients")
    return "\n".join([*lines, *remedies])


def _paragraph(patient: str, faults: Sequence[Fault], most: int) -> list[str]:
    """What is wrong with a patient: the table and folder first, then the images."""
    own = [fault.finding for fault in faults if not fault.image]
    images = [fault for fault in faults if fault.image]
    lines = []
    if len(own) == 1:
        lines.append(f"{patient}: {own[0]}")
    elif own:
        lines += [f"{patient}: {len(own)} faults", *_first(own, most)]
    if images:
        width = max(len(fault.image) for fault in images)
        found = [f"{fault.image:<{width}}  {fault.finding}" for fault in images]
        lines.append(f"{patient}: {len(images)} of {images[0].n_images} images cannot be used")
        lines += _first(found, most)
    return lines


def _first(findings: Sequence[str], most: int) -> list[str]:
    """The findings, indented; how many more there are, beyond so many."""
    lines = [f"  {finding}" for finding in findings[:most]]
    if len(findings) > most:
        lines.append(f"  ... and {len(findings) - most} more")
    return lines

"""Errors shown to users; each message names the finding and the remedy."""

import tempfile
import traceback
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class LymphokitError(Exception):
    """Base of all errors that lymphokit raises deliberately."""


class ConfigError(LymphokitError):
    """A key or value of the configuration cannot be used."""


class WeightsError(LymphokitError):
    """Pretrained weights cannot be downloaded or are not the expected ones."""


class BankError(LymphokitError):
    """A feature bank on disk belongs to another cohort."""


class ImageError(LymphokitError):
    """An image file cannot be used; the message is the finding, without the name of the file."""


class EmptyBagError(LymphokitError):
    """A bag holds no cell."""


class NotFittedError(LymphokitError):
    """A model predicts before it is fitted."""


@dataclass(frozen=True)
class Fault:
    """One fault of a cohort: patient, finding, remedy.

    patient: the id, or the name of a file that concerns all patients. A fault of an image also has
    the name of the `image` and the number of images of the patient.
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
    """Format faults: a paragraph per patient, a line per finding, each remedy once at the end."""
    by_patient: dict[str, list[Fault]] = {}
    remedies: dict[str, None] = {}
    for fault in faults:
        by_patient.setdefault(fault.patient, []).append(fault)
        remedies[fault.remedy] = None
    lines: list[str] = []
    for patient in list(by_patient)[:most_patients]:
        lines += _paragraph(patient, by_patient[patient], most_per_patient)
    if len(by_patient) > most_patients:
        lines.append(f"... and the faults of {len(by_patient) - most_patients} more patients")
    return "\n".join(visible(line) for line in [*lines, *remedies])


def explain(error: BaseException, log: str = "") -> str:
    """What a user is shown: the message of a LymphokitError, else a sentence and the log's place.

    log: the file that has the traceback; by default a new one in the folder for temporary files.
    """
    if isinstance(error, LymphokitError):
        return str(error)
    finding = f"unexpected {type(error).__name__}, which lymphokit should have prevented"
    return f"{finding}; please report it with the log, {log or _log_of(error)}"


@contextmanager
def explained_as(kind: type[Exception]) -> Iterator[None]:
    """Inside, any error becomes one of this kind, with the message that a user is shown."""
    try:
        yield
    except Exception as error:
        raise kind(explain(error)) from error


def _log_of(error: BaseException) -> str:
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="lymphokit-", suffix=".log", delete=False, errors="backslashreplace"
        ) as log:
            log.writelines(traceback.format_exception(error))
    except OSError as cause:
        return f"which could not be written ({cause.strerror}): {error}"
    return log.name


def quoted(text: str, most: int = 80) -> str:
    """The text in quotes, of a longer one the beginning."""
    return repr(text if len(text) <= most else f"{text[:most]}...")


def visible(text: str) -> str:
    """The text with its invisible characters, and accents stored apart, as Python escapes them."""
    is_composed = unicodedata.is_normalized("NFC", text)
    return "".join(each if _is_seen(each, is_composed) else _escaped(each) for each in text)


def _is_seen(character: str, is_composed: bool) -> bool:
    kind = unicodedata.category(character)
    if kind.startswith("M"):  # an accent; decomposed, it looks like the composed letter
        return is_composed
    return character == " " or kind[0] not in "CZ"


def _escaped(character: str) -> str:
    return ascii(character)[1:-1]


def _paragraph(patient: str, faults: Sequence[Fault], most: int) -> list[str]:
    """Format the faults of a patient: those of tables and folders first, then the images."""
    general = [fault.finding for fault in faults if not fault.image]
    images = [fault for fault in faults if fault.image]
    lines = []
    if len(general) == 1:
        lines.append(f"{patient}: {general[0]}")
    elif general:
        lines += [f"{patient}: {len(general)} faults", *_first(general, most)]
    if images:
        width = max(len(fault.image) for fault in images)
        found = [f"{fault.image:<{width}}  {fault.finding}" for fault in images]
        lines.append(f"{patient}: {len(images)} of {images[0].n_images} images cannot be used")
        lines += _first(found, most)
    return lines


def _first(findings: Sequence[str], most: int) -> list[str]:
    """Indent the first findings and count the others."""
    lines = [f"  {finding}" for finding in findings[:most]]
    if len(findings) > most:
        lines.append(f"  ... and {len(findings) - most} more")
    return lines

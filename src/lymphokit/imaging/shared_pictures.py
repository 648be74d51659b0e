"""The same picture in the folders of two patients: a leak, or a label that contradicts another."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lymphokit.errors import Fault

_REMEDY = (
    "remove one of the two from the raw data, or list the pair under audit.known_duplicates in "
    "config.yaml with the reason"
)


def shared_picture_faults(
    bags: Iterable[tuple[str, Mapping[bytes, str]]], known: Sequence[Mapping[str, Any]]
) -> list[Fault]:
    """A fault for each picture that an earlier patient has, too; equal pixels only.

    bags: patient, and the image of each digest of pixels. known: `audit.known_duplicates`, pairs
    of `patient/image` that a person accepted. The audit at the end also finds similar pictures.
    """
    accepted = {frozenset(pair["images"]) for pair in known}
    first: dict[bytes, tuple[str, str]] = {}
    faults = []
    for patient, images in bags:
        for digest, image in images.items():
            other, its_image = first.setdefault(digest, (patient, image))
            pair = frozenset([f"{patient}/{image}", f"{other}/{its_image}"])
            if other != patient and pair not in accepted:
                finding = f"holds the pixels of {its_image} of {other}: the same picture twice"
                faults.append(Fault(patient, finding, _REMEDY, image, len(images)))
    return faults

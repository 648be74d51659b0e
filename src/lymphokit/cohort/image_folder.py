"""One policy for every folder of images: those of patients, of labelled cells, of blood cells.

What an operating system left behind is ignored. Everything else is an image or a fault: nothing is
skipped in silence. Standard library only: the Snakefile lists folders each time it is read.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lymphokit.cohort.archive import IMAGE_SUFFIXES, is_hidden
from lymphokit.cohort.layout import natural_order
from lymphokit.errors import Fault
from lymphokit.folders import is_folder, is_regular, is_there

DOCUMENT_SUFFIXES = frozenset({".txt", ".md", ".csv", ".pdf", ".html", ".json"})


@dataclass(frozen=True)
class ImageFolder:
    """The entries of a folder: names of images, and (name, finding) of every other entry.

    Both are in natural order. An image may still prove unreadable once it is decoded.
    """

    images: tuple[str, ...]
    faults: tuple[tuple[str, str], ...]

    @property
    def n_entries(self) -> int:
        """The number of images and faults together."""
        return len(self.images) + len(self.faults)


def list_images(folder: Path) -> ImageFolder:
    """List a folder of images; links to files are followed."""
    try:
        names = visible_entries(folder)
    except OSError as error:
        return ImageFolder((), ((".", f"cannot be read: {error.strerror}"),))
    twice = same_after_normalisation(names)
    found = {name: _finding(folder / name) or twice.get(name) for name in names}
    return ImageFolder(
        tuple(name for name, finding in found.items() if finding is None),
        tuple((name, finding) for name, finding in found.items() if finding is not None),
    )


def single_cell_faults(folder: Path, listed: ImageFolder) -> list[Fault]:
    """The faults of a listed folder that is to hold images of single cells, and nothing else."""
    remedy = "keep nothing but images of single cells there"
    return [
        Fault(str(folder), finding, remedy, name, listed.n_entries)
        for name, finding in listed.faults
    ]


def visible_entries(folder: Path) -> list[str]:
    """The names in a folder, without those an operating system made, in natural order."""
    return natural_order((each.name for each in folder.iterdir() if not is_hidden(each.name)), str)


def misplaced_files(folder: Path) -> list[str]:
    """Entries beside folders of images that are neither folders nor documents, such as images."""
    return [
        name
        for name in visible_entries(folder)
        if not is_folder(folder / name) and Path(name).suffix.lower() not in DOCUMENT_SUFFIXES
    ]


def folders_with_images(folder: Path) -> list[str]:
    """The folders in a folder that hold an image."""
    names = [name for name in visible_entries(folder) if is_folder(folder / name)]
    return [name for name in names if list_images(folder / name).images]


def normalised(name: str) -> str:
    """A name in Unicode's composed form: macOS decomposes accents, other systems do not."""
    return unicodedata.normalize("NFC", name)


def _finding(entry: Path) -> str | None:
    """Why an entry cannot be an image, without opening it; None where it may be one."""
    if not _is_text(entry.name):
        return "has a name that is no text: rename it"
    if entry.is_symlink() and not is_there(entry):
        return "is a link that leads nowhere"
    if is_folder(entry):
        return "is a folder"
    if not is_regular(entry):  # a pipe or device, which would block or never end
        return "is no regular file"
    if entry.suffix.lower() not in IMAGE_SUFFIXES:
        return f"is not named as an image: {', '.join(sorted(IMAGE_SUFFIXES))}"
    return None


def _is_text(name: str) -> bool:
    """Whether a name can be written to a table: bytes that are no UTF-8 become surrogates."""
    return not any("\ud800" <= each <= "\udfff" for each in name)


def same_after_normalisation(names: Iterable[str]) -> dict[str, str]:
    """The finding of each name that equals an earlier one once both are normalised."""
    first: dict[str, str] = {}
    found = {}
    for name in names:
        earlier = first.setdefault(normalised(name), name)
        if earlier != name:
            found[name] = f"has the name of {earlier} after Unicode normalisation"
    return found

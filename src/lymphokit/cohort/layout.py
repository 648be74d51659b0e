"""Kaggle's layout of the raw data: two sets of patient folders, their tables, a sample submission.

clinical_annotation.csv       or, in its place, the tables of the two sets
sample_submission.csv
trainset/trainset_true.csv    trainset/<ID>/*.jpg
testset/testset_data.csv      testset/<ID>/*.jpg
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from natsort import natsort_keygen

from lymphokit.cohort.archive import IMAGE_SUFFIXES, is_hidden
from lymphokit.cohort.download_search import SET_TABLES, TABLE, is_named_as_table
from lymphokit.cohort.raw import find_home, tables_in
from lymphokit.errors import Fault
from lymphokit.files import read_regular
from lymphokit.folders import broken_entries, is_folder, is_regular, paths_in

Part = Literal["train", "test"]
SETS: dict[Part, str] = {"train": "trainset", "test": "testset"}
SAMPLE = "sample_submission.csv"
_MOST_BYTES = 2**20  # of a table that is compared; the competition's has 10 kB

Item = TypeVar("Item")
_natural_key = natsort_keygen()


def is_submission_header(names: Sequence[str]) -> bool:
    """Whether a submission may start with these columns: the id, and the label under any name."""
    return len(names) == 2 and names[0].lower() == "id" and bool(names[1])


def natural_order(items: Iterable[Item], text: Callable[[Item], str]) -> list[Item]:
    """Sort items by their text, P2 before P10; equal numbers (P1, P01) by plain text.

    The result does not depend on the order of the items.
    """
    return sorted(items, key=lambda item: (_natural_key(text(item)), text(item)))


@dataclass(frozen=True)
class PatientFolder:
    """The folder of one patient's images, and the set it lies in."""

    patient: str
    part: Part
    path: Path


@dataclass(frozen=True)
class Layout:
    """Tables, patient folders in natural order, and the columns of a submission.

    submission_header is empty where it is unknown; `faults` then has the reason. others: tables of
    the same download that are not used, since `tables` has their rows. sample_ids: the patients in
    the sample submission.
    """

    tables: tuple[Path, ...]
    folders: tuple[PatientFolder, ...]
    submission_header: tuple[str, ...]
    faults: tuple[Fault, ...]
    others: tuple[Path, ...] = ()
    sample_ids: tuple[str, ...] = ()


def read_layout(root: Path) -> Layout:
    """Find the tables and the patients' folders below root, or below the only folder in it.

    Whatever is missing is listed in the faults; nothing is raised.
    """
    home = find_home(root)
    faults: list[Fault] = []
    tables = tuple(tables_in(home))
    if not tables:
        finding = f"is neither at {home / TABLE} nor split in two as {' and '.join(SET_TABLES)}"
        remedy = f"put {TABLE} and the folders trainset and testset where raw in config.yaml points"
        faults.append(Fault(TABLE, finding, remedy))
    folders: list[PatientFolder] = []
    for part in SETS:
        found, wrong = _folders_of(home, part)
        folders += found
        faults += wrong
    if tables or folders:  # a folder that is no download may be the whole disk
        faults += [*_broken_links(home), *_loose_images(root, home), *_second_tables(home)]
    header, ids, wrong = _sample_submission(home / SAMPLE)
    ordered = natural_order(folders, lambda folder: folder.patient)
    set_tables = (home / name for name in SET_TABLES)
    others = tuple(path for path in set_tables if is_regular(path) and path not in tables)
    return Layout(tables, tuple(ordered), header, (*faults, *wrong), others, ids)


def _broken_links(home: Path) -> list[Fault]:
    """Links without a target, read or not; those among a patient's images are faults of images."""
    of_link = "restore what the link leads to, or remove the link"
    of_file = "give yourself the permission to read it, or remove it"
    return [
        Fault(entry.name, entry.finding, of_link if entry.path.is_symlink() else of_file)
        for entry in broken_entries(home, is_hidden)
        if entry.path.parent.parent not in {home / name for name in SETS.values()}
    ]


def _loose_images(root: Path, home: Path) -> list[Fault]:
    """Images beside the sets, or beside the folder that wraps all."""
    remedy = "move each image into the folder of its patient, or remove it"
    return [
        Fault(folder.name, f"holds {path.name}, which is in no patient's folder", remedy)
        for folder in dict.fromkeys((root.absolute(), home.absolute()))
        for path in paths_in(folder)
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not is_hidden(path.name)
        and not is_folder(path)
    ]


def _second_tables(home: Path) -> list[Fault]:
    """Tables beside those of the download, such as `clinical_annotation (1).csv`, that differ."""
    known = {name: home / name for name in (TABLE, SAMPLE, *SET_TABLES)}
    contents = {_start_of(path) for path in known.values() if is_regular(path)}
    others = [
        path
        for folder in (home, *(home / name for name in SETS.values()))
        for path in paths_in(folder)
        if path.suffix.lower() == ".csv" and is_regular(path) and not is_hidden(path.name)
    ]
    remedy = "keep the table that is right under its name in the download, and remove the other"
    return [
        Fault(path.relative_to(home).as_posix(), "is a second table, with other content", remedy)
        for path in others
        if path not in known.values()
        and (is_named_as_table(path.name) or b"LYMPH_COUNT" in _start_of(path))
        and _start_of(path) not in contents
    ]


def _start_of(path: Path) -> bytes:
    """The bytes of a table; of a file far larger than any table, the first ones."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError:
        return b""


def _folders_of(home: Path, part: Part) -> tuple[list[PatientFolder], list[Fault]]:
    """The patients' folders of one set, and a fault for each other file."""
    folder = home / SETS[part]
    entries = [entry for entry in paths_in(folder) if not is_hidden(entry.name)]
    files = [entry for entry in entries if not is_folder(entry)]
    strays = [file.name for file in files if file.suffix.lower() != ".csv"]
    remedy = "move each file into the folder of its patient, or remove it"
    faults = [
        Fault(SETS[part], f"holds {name}, which is in no patient's folder", remedy)
        for name in natural_order(strays, str)
    ]
    return [PatientFolder(entry.name, part, entry) for entry in entries if is_folder(entry)], faults


def _sample_submission(
    sample: Path,
) -> tuple[tuple[str, ...], tuple[str, ...], list[Fault]]:
    """Read Kaggle's sample: the two column names of a submission, and the ids of its rows."""
    remedy = (
        f"copy {SAMPLE} from the download, or write its first line: ID,LABEL in the 2024 edition, "
        "Id,Predicted in the 2021 edition"
    )
    if not is_regular(sample):
        return (), (), [Fault(SAMPLE, f"is not in {sample.parent}", remedy)]
    try:
        file = io.StringIO(read_regular(sample).decode("utf-8-sig", "replace"), newline="")
        lines = [[cell.strip() for cell in cells] for cells in csv.reader(file)]
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        return (), (), [Fault(SAMPLE, f"cannot be read as a table: {reason}", remedy)]
    header = tuple(lines[0]) if lines else ()
    if not is_submission_header(header):
        finding = f"starts with {','.join(header)!r}, which is no header of two columns from ID on"
        return (), (), [Fault(SAMPLE, finding, remedy)]
    return header, tuple(cells[0] for cells in lines[1:] if cells and cells[0]), []

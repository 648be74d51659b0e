"""Find what looks like the competition's download in other places than the expected one.

A run without a download uses the simulated cohort. It must not do so beside a download that is
unpacked flat, renamed by a browser, wrapped once more, or one folder up or down.
Standard library only, like `raw`.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from lymphokit.cohort.archive import is_hidden
from lymphokit.folders import is_folder, is_regular, is_there, paths_in

TABLE = "clinical_annotation.csv"
SET_TABLES = ("trainset/trainset_true.csv", "testset/testset_data.csv")
LANDMARKS = frozenset({TABLE, "trainset", "testset"})
SIMULATED_ID = re.compile(r"SIM\d{3,}", re.ASCII)
SIMULATED_NOTE = "SIMULATED.txt"

# Names of the download and of its parts, with those of copies: `NAME (1).zip`, `NAME.zip.part`.
_WHOLE = re.compile(r"dlmi|lymphocytosis", re.IGNORECASE)
_PART = re.compile(
    r"(trainset|testset)(?![a-z])|clinical.?annotation|sample.?submission", re.IGNORECASE
)
# What people write about the competition; a table counts if it is named as one of the download.
_WRITTEN = frozenset(
    {".csv", ".md", ".txt", ".pdf", ".html", ".docx", ".ipynb", ".py", ".json", ".yaml", ".yml"}
)
_DEPTH = 4  # folders below data: data/raw/downloads/kaggle/NAME.zip
_MOST_BYTES = 2**20  # of a table that is looked into; the competition's has 10 kB
_MOST_INNER_BYTES = 2**31  # of a zip within a zip, which is unpacked to be looked into
_UNREADABLE = (zipfile.BadZipFile, OSError, RuntimeError, ValueError, EOFError)


def lookalikes(root: Path) -> list[Path]:
    """Files and folders below root/data, some levels deep, and beside it, like the download.

    By their name, also where it is a dangling link; by what they hold, also in a zip. Not what
    lies in another that is found, nor a simulated cohort.
    """
    data = root / "data"
    beside = [path for path in _entries(root) if path != data and _is_named_like_it(path.name)]
    return beside + _search(data, _DEPTH, frozenset({data, data / "raw"}))


def _is_named_like_it(name: str) -> bool:
    is_whole = _WHOLE.search(name) and PurePosixPath(name).suffix.lower() not in _WRITTEN
    return bool(is_whole or _PART.match(name))


def is_named_as_table(name: str) -> bool:
    """Whether a file is named as a table of the download, or as a copy of one."""
    return bool(_PART.match(name))


def _search(path: Path, depth: int, known: frozenset[Path]) -> list[Path]:
    """The paths from `path` on that look like the download; `known` have a name of the kit."""
    if path not in known and _is_named_like_it(path.name):
        return [path]
    if path in known and path.is_symlink() and not is_there(path):
        return [path]  # to a disk that is not there
    if not is_folder(path):
        return [path] if _zip_holds_download(path) and not is_simulated(path) else []
    if any(is_there(path / name) for name in LANDMARKS):
        return [] if is_simulated(path) else [path]
    inner = _entries(path) if depth else []
    return [found for entry in inner for found in _search(entry, depth - 1, known)]


def _zip_holds_download(path: Path) -> bool:
    """Whether a zip has the download's tables or sets, or a zip that is it, at any depth."""
    if path.suffix.lower() != ".zip" or not is_regular(path):
        return False
    try:
        with zipfile.ZipFile(path) as file:
            return _holds_download(file, inner_zips=True)
    except _UNREADABLE:
        return False


def _holds_download(file: zipfile.ZipFile, *, inner_zips: bool) -> bool:
    names = [PurePosixPath(name.replace("\\", "/")) for name in file.namelist()]
    if any(LANDMARKS & set(name.parts) for name in names):
        return True
    zips = [
        info
        for name, info in zip(names, file.infolist(), strict=True)
        if name.suffix.lower() == ".zip"
    ]
    if any(_is_named_like_it(PurePosixPath(info.filename).name) for info in zips):
        return True
    return inner_zips and any(_inner_holds_download(file, info) for info in zips)


def _inner_holds_download(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    if info.file_size > _MOST_INNER_BYTES:
        return False
    try:
        with file.open(info) as member, zipfile.ZipFile(member) as inner:
            return _holds_download(inner, inner_zips=False)
    except _UNREADABLE:
        return False


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, by name and without hidden files; nothing where it cannot be read."""
    return [path for path in paths_in(folder) if not is_hidden(path.name)]


def is_simulated(source: Path) -> bool:
    """Whether a folder or zip holds a simulated cohort: its note, or patients SIM001, ..."""
    tables = list(_tables_of_zip(source) if is_regular(source) else _tables_of_folder(source))
    if SIMULATED_NOTE in (name for name, _ in tables):
        return True
    ids = [name for _, text in tables for name in _ids(text)]
    return bool(ids) and all(SIMULATED_ID.fullmatch(name) for name in ids)


def _tables_of_folder(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and text of the tables, and of the note, in a folder or in folders directly in it."""
    for home in (folder, *_entries(folder)):
        for name in (SIMULATED_NOTE, TABLE, *SET_TABLES):
            if is_regular(home / name):  # a pipe would never end
                with suppress(OSError), (home / name).open("rb") as file:
                    yield name, file.read(_MOST_BYTES).decode("utf-8-sig", "replace")


def _tables_of_zip(path: Path) -> Iterator[tuple[str, str]]:
    """Name and text of the tables, and of the note, in a zip."""
    wanted = {PurePosixPath(name).name: name for name in (SIMULATED_NOTE, TABLE, *SET_TABLES)}
    try:
        with zipfile.ZipFile(path) as file:
            for info in file.infolist():
                if name := wanted.get(PurePosixPath(info.filename).name):
                    with file.open(info) as member:
                        yield name, member.read(_MOST_BYTES).decode("utf-8-sig", "replace")
    except _UNREADABLE:
        return


def _ids(text: str) -> Iterator[str]:
    """The column ID of a table; nothing where it has none."""
    try:
        for row in csv.DictReader(io.StringIO(text)):
            if row.get("ID"):
                yield row["ID"].strip()
    except csv.Error:
        return

"""Read zip files of unknown origin: names, sizes and methods in them may be made to do harm.

Standard library only, like `raw`.
"""

import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

from lymphokit.errors import CohortError, Fault, quoted
from lymphokit.folders import is_there

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp"}
)
KEPT = IMAGE_SUFFIXES | {".csv"}
MOST_MEMBERS = 100_000  # the competition's zip holds some 8,000
MOST_BYTES = 20 * 1024**3  # unpacked; the competition is 0.1 GB, and 1 GB as uncompressed TIFF
MOST_RATIO = 200  # of unpacked to zipped bytes: images have 1, tables 10, bombs 1,000
_MOST_OF_NAME, _MOST_OF_PATH = 255, 1000  # bytes, and characters below the folder of results
_CHUNK = 1024**2
# Dot files (Unix, macOS), __MACOSX, Icon with a carriage return (macOS, in the forms that other
# file systems give it), Thumbs.db, desktop.ini and system folders (Windows), streams such as
# 1.jpg:Zone.Identifier (Windows; WSL writes the colon as U+F03A), @eaDir and its like (NAS).
_HIDDEN = re.compile(
    r"\.|(__MACOSX|icon[\r\uf00d_?]?|lost\+found)$|(eh)?thumbs(_vista)?\.db([:\uf03a].*)?$"
    r"|(desktop\.ini|\$RECYCLE\.BIN|System Volume Information)$|~\$"
    r"|.*[:\uf03a._]?Zone\.Identifier([:\uf03a]\$DATA)?$|.*\.\w{2,4}[:\uf03a].+$"
    r"|(@eaDir|#recycle|@Recycle|@__thumb|@tmp|#snapshot)$",
    re.IGNORECASE,
)
# Absolute, `..`, or a Windows drive. A drive is refused in the middle, too: it would lead the path
# once the wrapping folder is dropped.
_OUTSIDE = re.compile(r"^/|(^|/)(\.\.(/|$)|[a-z]:)", re.IGNORECASE)
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted, or a method that zipfile does not implement
    ValueError,
    struct.error,
)
_DOWNLOAD_AGAIN = (
    "download the zip again, or unzip it yourself and set raw in config.yaml to the folder"
)
_HARMFUL = "do not use this zip: download it again from where the data is published"


def is_hidden(name: str) -> bool:
    """Whether an operating system, not a person, made this file or folder."""
    return _HIDDEN.match(name) is not None


@dataclass
class Archive:
    """An open zip whose member names are safe.

    members: path and entry of each table and image, without a folder that wraps them all;
    ignored: names of the other members; bytes_left: how much may still be unpacked.
    """

    path: Path
    file: zipfile.ZipFile
    members: list[tuple[str, zipfile.ZipInfo]]
    ignored: tuple[str, ...]
    bytes_left: int

    def chunks(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Unpack one member in chunks.

        Raises CohortError where the member cannot be read, or the zip has unpacked to too much.
        """
        try:
            with self.file.open(info) as member:
                while chunk := member.read(_CHUNK):
                    self.bytes_left -= len(chunk)  # counted here: sizes in the headers may lie
                    if self.bytes_left < 0:
                        limit = _most_bytes(self.path)
                        _refuse(self.path, f"is a zip bomb: unpacks to more than {limit:,} bytes")
                    yield chunk
        except _UNREADABLE as error:
            finding = f"is damaged: {quoted(info.filename)} cannot be unpacked ({error})"
            _refuse(self.path, finding, _DOWNLOAD_AGAIN)


@contextmanager
def open_archive(zip_file: Path, landmarks: frozenset[str]) -> Iterator[Archive]:
    """Open a zip and check the name of every member; landmarks are the names at its top.

    Raises CohortError where the zip is damaged, has too many members, or has one that is a link,
    leads outside the folder it is unpacked to, or is packed by an unusual method.
    """
    try:
        file = zipfile.ZipFile(zip_file)
    except _UNREADABLE as error:
        _refuse(zip_file, f"is damaged or not a zip ({error})", _DOWNLOAD_AGAIN)
    with file:
        infos = file.infolist()
        if not infos:
            _refuse(zip_file, "is an empty zip", _DOWNLOAD_AGAIN)
        if len(infos) > MOST_MEMBERS:
            finding = f"is a zip bomb: {len(infos):,} members, at most {MOST_MEMBERS:,} expected"
            _refuse(zip_file, finding)
        members, ignored = _select(zip_file, infos, landmarks)
        members = _without_wrapper(members, landmarks)
        yield Archive(zip_file, file, members, ignored, _most_bytes(zip_file))


def extract(zip_file: Path, into: Path, landmarks: frozenset[str]) -> tuple[str, ...]:
    """Unpack tables and images to the folder `into`; see `raw.unpack`."""
    draft = into.with_name(f".{into.name}.unpacking")
    shutil.rmtree(draft, ignore_errors=True)  # left by a killed run
    draft.mkdir(parents=True)
    try:
        with open_archive(zip_file, landmarks) as archive:
            for name, info in archive.members:
                _write_member(archive, name, info, draft)
    except BaseException:
        shutil.rmtree(draft)
        raise
    _replace(into, draft)
    return archive.ignored


def _refuse(zip_file: Path, finding: str, remedy: str = _HARMFUL) -> NoReturn:
    raise CohortError([Fault(zip_file.name, finding, remedy)])


def _most_bytes(zip_file: Path) -> int:
    return min(MOST_BYTES, MOST_RATIO * zip_file.stat().st_size)


def _select(
    zip_file: Path, infos: Iterable[zipfile.ZipInfo], landmarks: frozenset[str]
) -> tuple[list[tuple[str, zipfile.ZipInfo]], tuple[str, ...]]:
    """Tables, images and all files in the sets by path, and the names of other members.

    A file in a set that is no image is unpacked too: the check of the cohort then reports it.
    Hidden files are in neither list.
    """
    members, ignored = [], []
    for info in infos:
        path = _safe_path(zip_file, info)
        if info.filename.endswith("/") or any(is_hidden(part) for part in path.parts):
            continue
        if path.suffix.lower() not in KEPT and landmarks.isdisjoint(path.parts[:-1]):
            ignored.append(info.filename)
            continue
        # Other methods may return far more than one chunk at a time, uncounted.
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            finding = f"is not packed by the usual method, deflate ({quoted(info.filename)})"
            _refuse(zip_file, finding, _DOWNLOAD_AGAIN)
        members.append((str(path), info))
    return members, tuple(ignored)


def _safe_path(zip_file: Path, info: zipfile.ZipInfo) -> PurePosixPath:
    """The member's path, which stays below the folder it is joined to."""
    name = info.filename.replace("\\", "/")  # some zips made on Windows
    if _OUTSIDE.search(name):
        _refuse(zip_file, f"has a member that leads out of its folder: {quoted(info.filename)}")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        _refuse(
            zip_file, f"has a member that is a link or device, not a file: {quoted(info.filename)}"
        )
    path = PurePosixPath(name)
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    if longest > _MOST_OF_NAME or len(name) > _MOST_OF_PATH:
        finding = f"has a member whose name no file system can hold: {quoted(info.filename)}"
        _refuse(zip_file, finding)
    return path


def _without_wrapper(
    members: list[tuple[str, zipfile.ZipInfo]], landmarks: frozenset[str]
) -> list[tuple[str, zipfile.ZipInfo]]:
    """The members without the one folder that holds them all, where there is such a folder."""
    tops = {name.partition("/")[0] for name, _ in members}
    if len(tops) != 1 or tops & landmarks:
        return members
    inside = [(name.partition("/")[2], info) for name, info in members]
    return members if any(name == "" for name, _ in inside) else inside


def _write_member(archive: Archive, name: str, info: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    except (FileExistsError, NotADirectoryError):
        _refuse(archive.path, f"holds {quoted(name)} twice, or both as a file and as a folder")
    with file:
        file.writelines(archive.chunks(info))


def _replace(folder: Path, draft: Path) -> None:
    """Rename the draft to `folder`; the former folder is removed once the draft is in place."""
    former = folder.with_name(f".{folder.name}.former")
    shutil.rmtree(former, ignore_errors=True)
    if is_there(folder):
        folder.rename(former)
    draft.rename(folder)
    shutil.rmtree(former, ignore_errors=True)

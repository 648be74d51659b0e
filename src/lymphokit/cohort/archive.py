"""Zip files that come from elsewhere: read without trusting a word of what they say.

Standard library only, as `raw` is.
"""

import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

from lymphokit.errors import CohortError, Fault

KEPT = frozenset({".csv", ".jpg", ".jpeg", ".png", ".tif", ".tiff"})
MOST_MEMBERS = 100_000  # the competition's zip holds some 8,000
MOST_BYTES = 20 * 1024**3  # unpacked; the competition is 0.1 GB, and 1 GB as uncompressed TIFF
MOST_RATIO = 200  # of unpacked to zipped bytes: images come to 1, tables to 10, bombs to 1,000
_CHUNK = 1024**2
_HIDDEN = re.compile(r"\.|__MACOSX$|(thumbs\.db|desktop\.ini)$", re.IGNORECASE)
_DRIVE = re.compile(r"(^|/)[a-z]:", re.IGNORECASE)
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    ValueError,
    struct.error,
)
_GET_ANEW = "download the zip again, or unzip it yourself and set raw in config.yaml to the folder"
_BEWARE = "do not use this zip: download it again from where the data is published"


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one that systems leave behind, such as .DS_Store or Thumbs.db."""
    return _HIDDEN.match(name) is not None


def _refuse(zip_file: Path, finding: str, remedy: str = _BEWARE) -> NoReturn:
    raise CohortError([Fault(zip_file.name, finding, remedy)])


@dataclass
class _Allowance:
    """How many bytes may come out of a zip, and how many have."""

    zip_file: Path
    limit: int
    taken: int = 0

    def take(self, n_bytes: int) -> None:
        """Count bytes that came out. Raises CohortError beyond the limit."""
        self.taken += n_bytes
        if self.taken > self.limit:
            _refuse(self.zip_file, f"is a zip bomb: it unpacks to more than {self.limit:,} bytes")


@dataclass(frozen=True)
class Opened:
    """An open zip whose names have been checked: member by path, wrapping folder dropped."""

    path: Path
    file: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]
    ignored: tuple[str, ...]
    allowance: _Allowance

    def names(self) -> list[str]:
        """Paths of the tables and images."""
        return list(self.members)

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of one member, a piece at a time.

        What is counted is what comes out: the sizes in the zip's headers may lie.
        Raises CohortError where the member is damaged or the zip has unpacked to too much.
        """
        info = self.members[name]
        try:
            with self.file.open(info) as member:
                while chunk := member.read(_CHUNK):
                    self.allowance.take(len(chunk))
                    yield chunk
        except _DAMAGE as error:
            finding = f"is damaged: {info.filename} cannot be unpacked ({error})"
            _refuse(self.path, finding, _GET_ANEW)


@contextmanager
def opened(zip_file: Path, landmarks: frozenset[str]) -> Iterator[Opened]:
    """Open a zip and check the name of every member; landmarks are what lies at its top.

    Raises CohortError where the zip is damaged, encrypted, or has a member that could be written
    outside the folder it is unpacked to, or twice to the same place.
    """
    try:
        file = zipfile.ZipFile(zip_file)
    except _DAMAGE as error:
        _refuse(zip_file, f"is damaged or not a zip ({error})", _GET_ANEW)
    with file:
        members, ignored = _sorted_out(zip_file, file.infolist())
        limit = min(MOST_BYTES, MOST_RATIO * zip_file.stat().st_size)
        allowance = _Allowance(zip_file, limit)
        yield Opened(zip_file, file, _unwrapped(members, landmarks), ignored, allowance)


def _sorted_out(
    zip_file: Path, infos: list[zipfile.ZipInfo]
) -> tuple[dict[str, zipfile.ZipInfo], tuple[str, ...]]:
    """Tables and images by path, and the names of other members; hidden ones are not named."""
    if len(infos) > MOST_MEMBERS:
        _refuse(
            zip_file, f"is a zip bomb: {len(infos):,} members, at most {MOST_MEMBERS:,} expected"
        )
    members: dict[str, zipfile.ZipInfo] = {}
    ignored = []
    for info in infos:
        path = _safe_path(zip_file, info)
        if info.filename.endswith("/") or any(is_hidden(part) for part in path.parts):
            continue
        if path.suffix.lower() not in KEPT:
            ignored.append(info.filename)
            continue
        _check_packing(zip_file, info)
        if str(path) in members:
            _refuse(zip_file, f"holds {path} twice")
        members[str(path)] = info
    _check_no_file_is_a_folder(zip_file, members)
    return members, tuple(ignored)


def _safe_path(zip_file: Path, info: zipfile.ZipInfo) -> PurePosixPath:
    """The member's path, which stays below the folder it is joined to."""
    name = info.filename.replace("\\", "/")  # some zips made on Windows
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or _DRIVE.search(name):
        _refuse(zip_file, f"has a member that leads out of its folder: {info.filename!r}")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        _refuse(zip_file, f"has a member that is a link or device, not a file: {info.filename!r}")
    return path


def _check_packing(zip_file: Path, info: zipfile.ZipInfo) -> None:
    """Refuse what cannot be read, and methods that unpack more at once than they are asked for."""
    remedy = "unzip it yourself, and set raw in config.yaml to the folder"
    if info.flag_bits & 0x1:
        _refuse(zip_file, f"is encrypted ({info.filename})", f"with its password, {remedy}")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        _refuse(zip_file, f"is not packed by the usual method, deflate ({info.filename})", remedy)


def _check_no_file_is_a_folder(zip_file: Path, members: dict[str, zipfile.ZipInfo]) -> None:
    folders = {str(parent) for name in members for parent in PurePosixPath(name).parents}
    for name in sorted(folders & members.keys()):
        _refuse(zip_file, f"has {name} both as a file and as a folder")


def _unwrapped(
    members: dict[str, zipfile.ZipInfo], landmarks: frozenset[str]
) -> dict[str, zipfile.ZipInfo]:
    """The members without the one folder that holds them all, where there is such a folder."""
    tops = {PurePosixPath(name).parts[0] for name in members}
    if len(tops) != 1 or tops & landmarks:
        return members
    unwrapped = {name.partition("/")[2]: info for name, info in members.items()}
    return members if "" in unwrapped else unwrapped


def extract(zip_file: Path, into: Path, landmarks: frozenset[str]) -> tuple[str, ...]:
    """Unpack tables and images to the folder `into`; see `raw.unpack`."""
    draft = into.with_name(f".{into.name}.unpacking")
    _remove(draft)  # what a killed run left
    draft.mkdir(parents=True)
    try:
        with opened(zip_file, landmarks) as zipped:
            for name in zipped.names():
                target = draft / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as file:
                    file.writelines(zipped.chunks(name))
            ignored = zipped.ignored
    except BaseException:
        _remove(draft)
        raise
    _take_place(draft, into)
    return ignored


def _take_place(draft: Path, into: Path) -> None:
    """Give the draft the name `into`; what had it goes only when the draft is in place."""
    former = into.with_name(f".{into.name}.former")
    _remove(former)
    if into.exists():
        into.rename(former)
    draft.rename(into)
    _remove(former)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)

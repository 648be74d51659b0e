"""Walk a folder as a reader sees it: through links, each folder once, broken links by name."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Entry:
    """A file or folder below a folder, by its path there.

    kind: `again` is a folder that was listed before under another name, `broken` a link without a
    target, or what may not be read. finding: which folder it is, or what is wrong with it.
    """

    name: str
    path: Path
    kind: Literal["file", "folder", "again", "broken"]
    finding: str = ""


def entries_below(
    folder: Path, ignored: Callable[[str], bool] = lambda _: False
) -> Iterator[Entry]:
    """All files and folders below a folder, sorted by name in each folder, with links followed.

    ignored: whether a file or folder of this name is left out. A folder that several links lead
    to, or that holds a link to itself, is walked once.
    """
    return _walk(folder, folder, ignored, {})


def broken_entries(folder: Path, ignored: Callable[[str], bool]) -> list[Entry]:
    """The links without a target, and what may not be read, below a folder."""
    return [entry for entry in entries_below(folder, ignored) if entry.kind == "broken"]


def is_folder(path: Path) -> bool:
    """As `Path.is_dir`, and False where the path may not be looked at."""
    return os.path.isdir(path)  # noqa: PTH112  pathlib raises PermissionError


def is_regular(path: Path) -> bool:
    """Whether there is a file, no pipe or device; False where the path may not be looked at."""
    return os.path.isfile(path)  # noqa: PTH113


def is_there(path: Path) -> bool:
    """As `Path.exists`, and False where the path may not be looked at."""
    return os.path.exists(path)  # noqa: PTH110


def paths_in(folder: Path) -> list[Path]:
    """What is in a folder, sorted by name; nothing where it is none or may not be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _walk(
    folder: Path,
    root: Path,
    ignored: Callable[[str], bool],
    seen: dict[tuple[int, int], str],
) -> Iterator[Entry]:
    name = folder.relative_to(root).as_posix()
    try:
        status = folder.stat()
        paths = sorted(folder.iterdir())
    except OSError as error:
        yield Entry(name, folder, "broken", f"cannot be read: {error.strerror}")
        return
    place = (status.st_dev, status.st_ino)
    if place in seen:  # else a link to a folder above it would be followed for ever
        yield Entry(name, folder, "again", f"is the folder {seen[place]}")
        return
    seen[place] = name
    yield Entry(name, folder, "folder")
    for path in (path for path in paths if not ignored(path.name)):
        if is_folder(path):
            yield from _walk(path, root, ignored, seen)
        else:
            finding = _finding(path)
            kind: Literal["file", "broken"] = "broken" if finding else "file"
            yield Entry(path.relative_to(root).as_posix(), path, kind, finding)


def _finding(path: Path) -> str:
    """Why a file cannot be read; empty where it can."""
    try:
        path.stat()
    except OSError as error:
        if path.is_symlink():
            return f"is a link to {path.readlink()}, which is missing"
        return f"cannot be read: {error.strerror}"
    return "" if os.access(path, os.R_OK) else "cannot be read: permission denied"

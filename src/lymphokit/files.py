"""Paths that people write, and files written whole.

A reader, or a process killed meanwhile, never leaves or sees half a file.
"""

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

from lymphokit.errors import ConfigError, LymphokitError

MOST_BYTES = 256 * 1024**2  # of a file that is read whole: no table or image comes near it


def user_path(text: str, key: str) -> Path:
    """The path in a setting, with `~` replaced by the home folder.

    Raises ConfigError, naming the setting by its `key`, for the home of an unknown user, and for a
    path that the file system cannot hold: too long, or with a null character.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{key}: {text!r} starts with the home of an unknown user") from error
    try:
        path.exists()  # raises where the name is too long, and is False for a null character
        if "\0" in text:
            raise ValueError("it holds a null character")
        path.resolve()  # raises RuntimeError for a link that leads to itself
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{key}: {text!r} is no path here: {reason}") from error
    return path


def input_path(text: str, key: str) -> Path:
    """The path of an input of the workflow; see `user_path`.

    Raises ConfigError for braces too: Snakemake would take them for a wildcard.
    """
    path = user_path(text, key)
    if set("{}") & set(text):
        raise ConfigError(
            f"{key}: {text!r} has braces, which Snakemake takes for a wildcard: rename the folder, "
            "or make a link to it without braces and name the link"
        )
    return path


def read_regular(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a file of at most `most` bytes.

    Raises OSError, with the finding as its `strerror`, for what is missing, no regular file (the
    reader of a pipe or device would wait or never end), too large, or may not be read.
    """
    try:
        if path.exists() and not path.is_file():
            kind = "is a folder" if path.is_dir() else "is a pipe, socket or device, and no file"
            raise OSError(errno.EINVAL, kind)
        with path.open("rb") as file:
            content = file.read(most + 1)
    except ValueError as error:  # a null character in the path
        raise OSError(errno.EINVAL, str(error)) from error
    if len(content) > most:
        raise OSError(errno.EFBIG, f"has more than {most:,} bytes")
    return content


def read_json(path: Path, *keys: str) -> Any:
    """The content of a JSON file that the workflow wrote; with `keys`, a mapping that has them.

    Raises LymphokitError where it is missing, no JSON, or holds something else.
    """
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if keys and not (isinstance(content, dict) and content.keys() >= set(keys)):
        raise _damaged(path)
    return content


def _damaged(path: Path) -> LymphokitError:
    finding = "is missing or damaged: delete it, and the next run makes it again"
    return LymphokitError(f"{path} {finding}")


def write_json(path: Path, content: Any) -> None:
    """Write plain data as the kit's JSON: two spaces of indentation, a newline at the end."""
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file's content at once; the file keeps its mode.

    Two processes on one machine may write the same path: their temporary files differ.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave the new name without its content
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

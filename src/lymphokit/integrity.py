"""Digests of the files that jobs write, checked before another job reads them.

Beside each output lies a record, `.digests/<name>.json`: the sha256 of the output, that of each
input it was made from, and the rule. A file whose status is that of the record is not read again
before the machine restarts: a crash may leave a file its size and dates, and take its content.
"""

import os
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import psutil

from lymphokit.errors import LymphokitError
from lymphokit.files import read_json, write_json
from lymphokit.folders import entries_below, is_folder, is_regular
from lymphokit.provenance import digest_of_lines, file_sha256, file_status

FOLDER = ".digests"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NOT_OUTPUT = (FOLDER, ".snakemake_timestamp")  # in a folder that a rule makes


class DamagedFileError(LymphokitError):
    """A file has another content than the job that made it wrote."""


@dataclass(frozen=True)
class Record:
    """What is known of an output.

    sha256: of the content that the job wrote; status: size, dates and place of the file, and the
    start of the machine, when that content was last seen; inputs: the sha256 of each input by its
    path, None where it had no record.
    """

    sha256: str
    rule: str
    status: str
    inputs: Mapping[str, str | None] = field(default_factory=dict)


def write_records(outputs: Iterable[str], rule: str, inputs: Mapping[str, str | None]) -> None:
    """Move the outputs of a job from memory to the disk, and record their digests."""
    for path in (Path(output) for output in outputs):
        if path.exists():  # Snakemake names outputs that are missing
            _flush(path)
            status = _status(path)
            _write(path, Record(content_sha256(path), rule, status, inputs))


def verify(inputs: Iterable[str]) -> dict[str, str | None]:
    """The sha256 of each input by its path, None where it has no record.

    Raises DamagedFileError, naming all, where the content of some is not that of their record.
    """
    findings: dict[Path, str] = {}
    found = {path: _verify(Path(path), findings) for path in inputs}
    if findings:
        lines = [f"{path} {text}" for path, text in findings.items()]
        accept = " ".join(str(record_path(path)) for path in findings)
        raise DamagedFileError(
            "\n".join([*lines, f"{remedy(*findings)}; or accept your change: delete {accept}"])
        )
    return found


def _verify(path: Path, findings: dict[Path, str]) -> str | None:
    """The sha256 of an input; where it is another than in its record, this is added."""
    record = read_record(path)
    if record is None or not path.exists():
        return None
    if not (is_folder(path) or is_regular(path)):
        findings[path] = "is a pipe, socket or device, and no file"
        return None
    status = _status(path)
    if status != record.status:
        found = content_sha256(path)
        if found != record.sha256:
            findings[path] = finding(record, found)
            return None
        with suppress(OSError):  # a folder that cannot be written only costs time
            _write(path, Record(found, record.rule, status, record.inputs))
    return record.sha256


def finding(record: Record, found: str) -> str:
    """Say that a content is not that of its record."""
    return (
        f"is damaged, or was changed after the rule {record.rule} wrote it (sha256 {found[:12]} in "
        f"place of {record.sha256[:12]})"
    )


def remedy(*paths: Path) -> str:
    """The command that makes files again."""
    names = shlex.join(str(path) for path in paths)
    return f"type `snakemake --force {names}` with the other options of your run, then start again"


def record_path(path: Path) -> Path:
    """Where the record of an output is."""
    return path.parent / FOLDER / f"{path.name}.json"


def read_record(path: Path) -> Record | None:
    """The record of an output; None where there is none, as for what no job wrote.

    Raises LymphokitError where the record is damaged.
    """
    file = record_path(path)
    if not file.exists():
        return None
    content = read_json(file)
    try:
        record = Record(**content)
        texts = (record.sha256, record.rule, record.status, *record.inputs)
        if not all(isinstance(text, str) for text in texts) or not isinstance(record.inputs, dict):
            raise TypeError(content)
    except TypeError as error:
        raise LymphokitError(
            f"{file} is no record of a digest: delete it, and start again"
        ) from error
    return record


def _write(path: Path, record: Record) -> None:
    file = record_path(path)
    file.parent.mkdir(exist_ok=True)
    write_json(file, asdict(record))


def content_sha256(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files below a folder."""
    if not path.is_dir():
        return file_sha256(path)
    return digest_of_lines(f"{name}\0{file_sha256(file)}" for name, file in _files(path))


def _status(path: Path) -> str:
    """Place, size and dates of a file, or of all files of a folder, since this start."""
    if not path.is_dir():
        return f"{_boot()}:{file_status(path)}"
    lines = (f"{name}\0{file_status(file)}" for name, file in _files(path))
    return f"{_boot()}:{digest_of_lines(lines)}"


def _files(folder: Path) -> Iterable[tuple[str, Path]]:
    entries = entries_below(folder, lambda name: name in _NOT_OUTPUT)
    return ((entry.name, entry.path) for entry in entries if entry.kind == "file")


@cache
def _boot() -> str:
    """What tells one start of the machine from another."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return str(int(psutil.boot_time()))


def _flush(path: Path) -> None:
    """Have the system write a file to the disk; without, a power cut may leave it with zeros."""
    if path.is_dir():
        os.sync()  # one call for thousands of files
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

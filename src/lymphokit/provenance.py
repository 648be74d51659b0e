"""Provenance of a result: digests of files, settings and code, and the git commit.

Snakemake reruns a rule when its params change. A digest of the code that a rule uses, among its
params, therefore makes an edit rerun the rules that use it and no others.
"""

import ast
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lymphokit.folders import entries_below

PACKAGE = "lymphokit"
SOURCE = Path(__file__).parents[1]
_LARGEST = 64 * 1024**2  # bytes of a file that a folder's digest reads
_CPU_INFO = Path("/proc/cpuinfo")
_UNITS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")  # the widest first
_LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
_SHORT = 12  # hexadecimal digits of a short digest
Remember = Callable[[str, Callable[[], str]], str]  # (key, compute) -> what compute returns


def file_sha256(path: Path) -> str:
    """SHA-256 of the bytes of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_status(path: Path) -> str:
    """Place, size and dates of a file, links followed: any write to it changes this text.

    A program can set the time of modification; the file system alone sets the time of change.
    """
    status = path.stat()
    place = f"{status.st_dev}:{status.st_ino}:{status.st_size}"
    return f"{place}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def settings_digest(settings: Any) -> str:
    """Short digest of settings that JSON can represent; the order of keys does not matter."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_SHORT]


def commit(folder: Path) -> str:
    """Commit checked out in `folder`, with `-dirty` after local changes; `none` without git."""
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=12").strip() or "none"


def changed_code(folder: Path) -> list[str]:
    """Files that differ from the commit checked out in `folder`, without those of settings.

    Settings are kept beside a submission, so a change of theirs alone loses nothing.
    """
    changed = _git(folder, "diff", "--name-only", "--relative", "-z", "HEAD").split("\0")
    return [
        name
        for name in changed
        if name and name != "config.yaml" and not name.startswith("config/")
    ]


def _git(folder: Path, *arguments: str) -> str:
    """What git prints; nothing where it fails or is not installed, as where an archive runs."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError:
        return ""
    return result.stdout


def machine(gpu: bool) -> str:
    """What networks were computed on: the processor, its widest unit for them, a GPU or none.

    Sums are rounded in another order on another machine: see docs/trust.md for how far results
    differ. The unit is that of /proc/cpuinfo, or the lower one that a user set.
    """
    processor, flags = platform.processor() or platform.machine(), set[str]()
    if _CPU_INFO.is_file():
        rows = [line.partition(":") for line in _CPU_INFO.read_text(errors="replace").splitlines()]
        about = {name.strip(): value.strip() for name, _, value in reversed(rows)}
        processor = about.get("model name", processor)
        flags = set(about.get("flags", "").split())
    unit = next((name for name in _UNITS if name in flags), "")
    limits = [f"{name}={os.environ[name]}" for name in _LIMITS if name in os.environ]
    return " ".join(filter(None, (processor, unit, "GPU" if gpu else "no GPU", *limits)))


def _recomputed(_: str, compute: Callable[[], str]) -> str:
    return compute()


@cache  # a workflow asks for the same digest in every fold
def code_digest(script: Path, *modules: str | Path, remember: Remember = _recomputed) -> str:
    """Digest of a script, of these modules, and of all modules of the package that they import.

    script: path of a Python file; modules: dotted names or files that the script loads by name, as
    the registry loads its models. Comments, docstrings and layout do not count, so editing them
    reruns nothing. Imports are followed recursively, including those inside functions.
    remember: keeps what was read from a file by its content, such as `DigestCache.remember`: to
    parse the package takes a third of a start.
    Raises FileNotFoundError for a missing module.
    """
    digest = hashlib.sha256()
    entries = [script.resolve(), *(_file_named(module) for module in modules)]
    for path in sorted(_reached_from(entries, remember)):
        digest.update(path.name.encode())
        digest.update(_parsed(path, remember)[1].encode())
    return digest.hexdigest()[:_SHORT]


def _file_named(module: str | Path) -> Path:
    path = module if isinstance(module, Path) else _file_of(module)
    if path is None:
        raise FileNotFoundError(f"no module {module} in {SOURCE}")
    return path.resolve()


def _reached_from(entries: list[Path], remember: Remember) -> set[Path]:
    reached: set[Path] = set()
    waiting = list(entries)
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting.extend(_parsed(path, remember)[0])
    return reached


def _names_imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _parsed(path: Path, remember: Remember) -> tuple[tuple[Path, ...], str]:
    """The files of the package that a file imports, and the digest of its code."""
    code = path.read_bytes()
    key = f"code {_this_parser()} {hashlib.sha256(code).hexdigest()}"
    digest, *names = remember(key, lambda: " ".join(_outline(code, path))).split()
    return tuple(file for name in names if (file := _file_of(name))), digest


@cache
def _this_parser() -> str:
    """What an outline depends on beside the code: Python's version and the functions below."""
    return f"{platform.python_version()} {file_sha256(Path(__file__))}"


def _outline(code: bytes, path: Path) -> tuple[str, ...]:
    """The digest of code without docstrings, then the names that it imports from the package."""
    tree = ast.parse(code, str(path))
    names = {name for name in _names_imported(tree) if name.startswith(f"{PACKAGE}.")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_docstring(part)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), *sorted(names)


def _file_of(name: str) -> Path | None:
    stem = SOURCE.joinpath(*name.split("."))
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def folder_digest(
    folder: Path,
    sha256: Callable[[Path], str] = file_sha256,
    ignored: Callable[[str], bool] = lambda _: False,
) -> str:
    """Short digest of the names and contents of all files below a folder, links followed.

    sha256: gives the digest of a file, such as that of a `DigestCache`; ignored: whether a file or
    folder of this name is left out. Dates do not count, except of files larger than any image or
    table, such as an archive left beside them, which are not read. A link without a target raises
    nothing here: the check of the folder names it.
    """
    contents = (
        (entry, _content(entry.path, sha256) if entry.kind == "file" else entry.finding)
        for entry in entries_below(folder, ignored)
    )
    lines = (f"{entry.name}\0{entry.kind}\0{content}" for entry, content in contents)
    return digest_of_lines(lines)[:_SHORT]


def digest_of_lines(lines: Iterable[str]) -> str:
    """SHA-256 of lines of text, which may hold names of files that are no UTF-8."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _content(path: Path, sha256: Callable[[Path], str]) -> str:
    if not path.is_file():  # a pipe or socket, which would block its reader
        return "not a file"
    try:
        status = path.stat()
        if status.st_size > _LARGEST:
            return f"{status.st_size} bytes of {status.st_mtime_ns} and {status.st_ctime_ns}"
        return sha256(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"

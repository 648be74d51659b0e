"""The raw data of a run: find it, give each cohort a results folder, and unpack Kaggle's zip.

Standard library only: the Snakefile calls `locate` each time it is read.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lymphokit.cohort import archive
from lymphokit.cohort.download_search import (
    LANDMARKS,
    SET_TABLES,
    TABLE,
    is_simulated,
    lookalikes,
)
from lymphokit.errors import CohortError, ConfigError, LymphokitError
from lymphokit.files import input_path, read_json, read_regular, write_json
from lymphokit.folders import is_folder, is_regular, is_there, paths_in

COMPETITION = "dlmi-lymphocytosis-classification"
DOWNLOAD = Path("data") / "raw" / COMPETITION
SIMULATED = "demo"
# Sets of single cells in the raw folder of the simulated cohort.
LABELLED = "labelled_cells"
BLOOD = "blood_cells"

RECORD = "source.json"  # in results/<cohort>: where the results come from
_SIMULATED_SOURCE = "the simulated cohort"
_NOT_REAL = "its patients are simulated (SIM001, ...): no result is one of real patients"
_SET_RAW = (
    f"set raw in config.yaml to the path of the folder or zip, put it at {DOWNLOAD.as_posix()} or "
    f"{DOWNLOAD.as_posix()}.zip, or set `raw: demo` to use the simulated cohort"
)


@dataclass(frozen=True)
class RawChoice:
    """The raw data of a run: the cohort's name in results/, and the folder or zip it comes from.

    source is None for the simulated cohort; `because` is the reason for the choice, as a clause.
    """

    cohort: str
    source: Path | None
    is_zip: bool
    because: str

    def sentence(self) -> str:
        """One line: which data is used, why, and how to use other data."""
        data = "the simulated cohort" if self.source is None else str(self.source)
        return f"raw data: {data}, {self.because}"


def locate(raw: str, root: Path) -> RawChoice:
    """Find the data that the setting `raw` selects; `root` is the workflow's working folder.

    `auto` is root/data/raw/<competition>, folder before zip, or else the simulated cohort; `demo`
    is the simulated cohort; anything else is a path, absolute or from `root`.
    Raises ConfigError where a path leads to neither a folder nor a zip, or has braces; for `auto`,
    where something in or beside root/data looks like the download and cannot be used as it lies.
    """
    raw = str(raw)  # not validated yet: YAML may have made it a number
    if raw == "demo":
        because = "as `raw: demo` selects it; `raw: auto` or `raw: <folder or zip>` uses a download"
        return RawChoice(SIMULATED, None, False, because)
    if raw == "auto":
        return _auto(root)
    source = locate_download(raw, root)
    because = f"as `raw: {raw}` selects it; `raw: demo` uses the simulated cohort"
    return _choice(source, f"{because}; {_NOT_REAL}" if is_simulated(source) else because)


def locate_download(raw: str, root: Path) -> Path:
    """The folder or zip at a path, absolute or from `root`.

    Raises ConfigError where the path leads to neither, or has braces.
    """
    source = root / input_path(raw, "raw")
    if not raw.strip() or not (is_folder(source) or _is_zip(source)):
        raise ConfigError(
            f"raw: {raw!r} leads to no data: {_found_at(source)} at {source.absolute()}, where a "
            "folder or a .zip is expected; raw takes auto, demo, or the path of a folder or zip"
        )
    if is_folder(source) and not os.access(source, os.R_OK | os.X_OK):
        raise ConfigError(f"raw: {source.absolute()} may not be read: give yourself the permission")
    return source


def _found_at(source: Path) -> str:
    if source.is_symlink() and not is_there(source):
        return f"there is a link to {source.readlink()}, which is missing,"
    return "there is another file" if is_there(source) else "there is nothing"


def _auto(root: Path) -> RawChoice:
    """The competition's download at its default path, else the simulated cohort."""
    folder = root / DOWNLOAD
    for source in (folder, folder.with_name(f"{COMPETITION}.zip")):
        if is_folder(source) or _is_zip(source):
            _require_download(source)
            because = "as it is there and raw is auto; `raw: demo` uses the simulated cohort"
            return _choice(source, because)
    if found := lookalikes(root):
        raise ConfigError(
            f"raw: auto finds no folder and no .zip at {folder.absolute()}, but the "
            f"download may be {', '.join(str(path.absolute()) for path in found)}; {_SET_RAW}"
        )
    because = (
        f"as there is neither a folder nor a .zip at {DOWNLOAD.as_posix()}; put Kaggle's download "
        "there, or set raw in config.yaml to its path"
    )
    return RawChoice(SIMULATED, None, False, because)


def _require_download(source: Path) -> None:
    """Refuse what lies at the default path and is no download.

    Raises ConfigError where a folder has no table and no set (an empty folder, another zip or
    folder in it), a zip holds another zip, or the patients are simulated.
    """
    if is_simulated(source):
        raise ConfigError(f"raw: auto: {source.absolute()}: {_NOT_REAL}; {_SET_RAW}")
    if is_folder(source):
        home = find_home(source)
        if any(is_there(home / name) for name in LANDMARKS):
            return
        inside = ", ".join([entry.name for entry in paths_in(source)[:5]]) or "nothing"
    elif _is_download_or_damaged(source):
        return
    else:
        inside = "another zip, or other files"
    raise ConfigError(
        f"raw: auto: {source.absolute()} has none of {', '.join(sorted(LANDMARKS))}: it holds "
        f"{inside}; unpack what is inside, or {_SET_RAW}"
    )


def _is_download_or_damaged(zip_file: Path) -> bool:
    """Whether a zip has tables or sets, or cannot be read, which `claim` reports."""
    try:
        with archive.open_archive(zip_file, LANDMARKS) as zipped:
            tops = {name.partition("/")[0] for name, _ in zipped.members}
    except CohortError:
        return True
    return bool(tops & LANDMARKS)


def _is_zip(source: Path) -> bool:
    return is_regular(source) and source.suffix.lower() == ".zip"


def _choice(source: Path, because: str) -> RawChoice:
    is_zip = is_regular(source)
    named = source.resolve()
    return RawChoice(_slug(named.stem if is_zip else named.name), source, is_zip, because)


def _slug(name: str) -> str:
    """The name in lower-case ASCII letters, digits and hyphens, for paths and file names."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "cohort"


def locate_cells(
    setting: str, choice: RawChoice, root: Path, *, key: str, published: str, simulated: str
) -> Path | None:
    """Find the folder of single cells that a setting selects; None where there is none.

    `auto` is the folder `simulated` of the simulated cohort, or for a download the folder
    `published` in data/raw or beside the raw data; `none` is none; anything else is a path,
    absolute or from `root`. The folder of the simulated cohort may not exist yet.
    Raises ConfigError, naming the setting by its `key`, where a path leads to no folder.
    """
    if setting == "none":
        return None
    if setting != "auto":
        folder = root / input_path(setting, key)
        if not is_folder(folder):
            raise ConfigError(
                f"{key}: {setting!r} is no folder: looked at {folder.absolute()}; "
                f"unpack {published} there, or set {key} in config.yaml to its path, auto or none"
            )
        return folder
    if choice.source is None:
        return root / "results" / choice.cohort / "raw" / simulated
    places = (root / "data" / "raw" / published, choice.source.parent / published)
    return next((folder for folder in places if is_folder(folder)), None)


def claim(choice: RawChoice, results: Path) -> None:
    """Reserve results/<cohort> for this cohort, so that two cohorts never share a folder.

    Records the resolved path of the source in source.json; the sha256 of the clinical table is
    added by `record_table` once the table was read. The same path (its table was corrected) or the
    same table (the download was moved) is the same cohort.
    Raises ConfigError where both differ or the record is unreadable, CohortError for a bad zip.
    """
    record = results / choice.cohort / RECORD
    known = _recorded(record)
    path = _path_of(choice)
    if known.get("path") == path:
        return
    if known and not (_nothing_read(known, record.parent) or _same_table(known, choice)):
        raise ConfigError(
            f"{record.parent} holds the results of another cohort: they came from "
            f"{known['path']}, and raw is now {path}; rename the new folder or zip (its "
            f"name is the cohort's), or move or delete {record.parent}"
        )
    if choice.is_zip:  # a damaged one must not claim a folder
        _table_digest(choice)
    record.parent.mkdir(parents=True, exist_ok=True)
    write_json(record, {"path": path, "sha256": known.get("sha256")})


def record_table(record: Path, sha256: str | None) -> None:
    """Add to source.json the sha256 of the clinical table that the results come from.

    A record of the simulated cohort stays: no other cohort may take its place by its table.
    """
    known = _recorded(record)
    if known and known["path"] != _SIMULATED_SOURCE and known["sha256"] != sha256:
        write_json(record, {**known, "sha256": sha256})


def table_digest(raw: Path) -> str | None:
    """The sha256 of the clinical table, or the tables, in a folder of raw data; None without."""
    return _digest(read_regular(table) for table in tables_in(find_home(raw)))


def _path_of(choice: RawChoice) -> str:
    return _SIMULATED_SOURCE if choice.source is None else str(choice.source.resolve())


def _nothing_read(known: dict[str, str | None], results: Path) -> bool:
    """Whether a download claimed the folder of results, and no table of it was ever read."""
    unread = known["sha256"] is None and known["path"] != _SIMULATED_SOURCE
    return unread and not is_there(results / "cohort")


def _same_table(known: dict[str, str | None], choice: RawChoice) -> bool:
    return known["sha256"] is not None and known["sha256"] == _table_digest(choice)


def _table_digest(choice: RawChoice) -> str | None:
    """The sha256 of the tables of a folder or zip; None where there is none."""
    if choice.source is None:
        return None
    if not choice.is_zip:
        return table_digest(choice.source)
    with archive.open_archive(choice.source, LANDMARKS) as zipped:
        members = dict(zipped.members)
        names = tables_among(members)
        return _digest(chunk for name in names for chunk in zipped.chunks(members[name]))


def _digest(chunks: Iterable[bytes]) -> str | None:
    """The sha256 of the tables one after the other, None where they are empty."""
    digest = hashlib.sha256()
    size = 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest() if size else None


def _recorded(record: Path) -> dict[str, str | None]:
    """The content of source.json, empty where there is no file."""
    if not is_there(record):
        return {}
    try:
        known = read_json(record, "path", "sha256")
        return {"path": str(known["path"]), "sha256": known["sha256"]}
    except LymphokitError as error:
        raise ConfigError(
            f"{record} does not name the cohort of these results; delete it to give "
            f"{record.parent} to the cohort in use, or move the folder away"
        ) from error


def tables_among(names: Iterable[str]) -> list[str]:
    """The clinical table among these paths or, in its place, the tables of the two sets."""
    present = set(names)
    if TABLE in present:
        return [TABLE]
    return [name for name in SET_TABLES if name in present]


def tables_in(home: Path) -> list[Path]:
    """The clinical table of a folder or, in its place, the tables of the two sets."""
    names = [name for name in (TABLE, *SET_TABLES) if is_regular(home / name)]
    return [home / name for name in tables_among(names)]


def find_home(root: Path) -> Path:
    """The folder that holds the tables and sets: root, or the one folder that wraps them in it."""
    if any(is_there(root / name) for name in LANDMARKS):
        return root
    inside = [
        folder
        for folder in paths_in(root)
        if is_folder(folder) and any(is_there(folder / name) for name in LANDMARKS)
    ]
    return inside[0] if len(inside) == 1 else root


def is_download(root: Path) -> bool:
    """Whether a folder, or the one that it wraps, holds a table or a set of the download."""
    return any((find_home(root) / name).exists() for name in LANDMARKS)


def unpack(zip_file: Path, into: Path) -> tuple[str, ...]:
    """Unpack the tables and images of Kaggle's zip to the folder `into`, safely and completely.

    A folder that wraps everything is dropped. Unpacks to a hidden folder next to `into` and renames
    it at the end: a run killed half way leaves the former content.
    Returns the names of the members that are neither tables nor images.
    Raises CohortError where the zip is damaged, encrypted or harmful.
    """
    return archive.extract(zip_file, into, LANDMARKS)

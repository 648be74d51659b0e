"""Fetch the competition's data and the sets of single cells to where a run finds them."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lymphokit.cohort import archive, blood_cells, labelled_cells
from lymphokit.cohort.download_search import LANDMARKS
from lymphokit.cohort.raw import COMPETITION, DOWNLOAD, find_home, is_download
from lymphokit.config import Config
from lymphokit.desk.download_check import check_cell_set, check_download
from lymphokit.errors import CohortError, LymphokitError
from lymphokit.folders import is_folder, is_regular, is_there, paths_in
from lymphokit.leaderboard.kaggle_client import Kaggle
from lymphokit.progress import say

What = Literal["competition", "labelled-cells", "blood-cells"]
_RAW = DOWNLOAD.parent


class FetchError(LymphokitError):
    """What was downloaded cannot be placed; nothing that was there was changed."""


@dataclass(frozen=True)
class Fetched:
    """Where the data is, whether it was there before, and what its check counted and found."""

    folder: Path
    was_there: bool
    lines: tuple[str, ...]
    faults: str

    @property
    def next_step(self) -> str:
        """What to type, or to set for the data of another competition, once it is in place."""
        is_found = self.folder.stem in (DOWNLOAD.name, labelled_cells.ALL_IDB2, blood_cells.PBC)
        return "lymphokit plan" if is_found else f"set `raw: {self.folder}` in config.yaml"


def fetch(what: What, config: Config, root: Path) -> Fetched:
    """Download, check and place one set of data below root/data/raw; a killed fetch goes on.

    What is there already is checked, and never replaced.
    Raises KaggleError where Kaggle cannot be used, FetchError where something else is in the place
    or in the zip, CohortError for a damaged zip. Faults of the data do not keep it from its place.
    """
    name = str(getattr(config.kaggle, what.replace("-", "_")))
    target = root / _place(what, name)
    zipped = target.with_name(f"{target.name}.zip")
    if what == "competition" and is_regular(zipped) and not is_there(target):
        target = zipped  # a run uses it as it is
    was_there = _is_taken(target)
    if not was_there:
        _place_download(what, name, target)
    return Fetched(target, was_there, *_check(what, target, config))


def _place(what: What, name: str) -> Path:
    """The folder in which a run finds the data; another competition has one of its name."""
    if what == "competition":
        return DOWNLOAD if name == COMPETITION else _RAW / name
    return _RAW / (labelled_cells.ALL_IDB2 if what == "labelled-cells" else blood_cells.PBC)


def _is_taken(target: Path) -> bool:
    """Whether data is in the place. Raises FetchError where something else is."""
    if target.is_symlink() and not is_there(target):
        raise FetchError(f"{target} is a link to what is missing: remove the link")
    is_zip = target.suffix == ".zip"
    if is_there(target) and not (is_folder(target) or is_zip):
        raise FetchError(f"{target} is a file, and the data's folder belongs there: move it away")
    return is_zip or bool(paths_in(target))  # an empty folder is no data


def _place_download(what: What, name: str, target: Path) -> None:
    """Download to a hidden folder beside the place, unpack there, and rename it into place."""
    draft = target.with_name(f".{target.name}.fetching")
    unpacked = draft / "unpacked"
    try:
        zipped = _download(what, name, draft / name.replace("/", "-"))
        say(f"unpacking {zipped.name}, {zipped.stat().st_size / 1e6:,.0f} MB")
        _unpack(what, zipped, unpacked)
        _found(what, unpacked, name).rename(target)  # refused by a folder that has content
    except OSError as error:
        place = error.filename or target
        raise FetchError(f"cannot write {place}: {error.strerror}; nothing was replaced") from error
    shutil.rmtree(draft, ignore_errors=True)


def _download(what: What, name: str, folder: Path) -> Path:
    kaggle = Kaggle()
    folder.mkdir(parents=True, exist_ok=True)
    load = kaggle.download_competition if what == "competition" else kaggle.download_dataset
    return load(name, folder)


def _unpack(what: What, zipped: Path, into: Path) -> None:
    """Unpack tables and images, safely; a damaged zip is removed, so that it is fetched anew."""
    try:
        archive.extract(zipped, into, LANDMARKS if what == "competition" else frozenset())
    except CohortError:
        shutil.rmtree(zipped.parent)
        raise


def _found(what: What, unpacked: Path, name: str) -> Path:
    """The folder of the data in what was unpacked. Raises FetchError where it is not in it."""
    if what == "competition":
        if not is_download(unpacked):
            raise _unexpected(name, unpacked, f"none of {', '.join(sorted(LANDMARKS))}")
        return find_home(unpacked)
    is_labelled = what == "labelled-cells"
    lists = labelled_cells.list_cells if is_labelled else blood_cells.list_cells
    published = labelled_cells.ALL_IDB2 if is_labelled else blood_cells.PBC
    found = list(_usable(unpacked, lists))
    named = [each for each in found if _is_named(each.relative_to(unpacked), published)]
    if len(chosen := named or found) != 1:
        some = ", ".join(str(each.relative_to(unpacked)) for each in chosen) or "none"
        raise _unexpected(name, unpacked, f"{some} as a folder like {published}, one expected")
    return chosen[0]


def _unexpected(name: str, unpacked: Path, finding: str) -> FetchError:
    inside = ", ".join(each.name for each in paths_in(unpacked)[:5]) or "no table or image"
    return FetchError(
        f"the zip of {name} has {finding}; it holds {inside}. Correct its name under `kaggle` in "
        f"config.yaml, or move a folder of {unpacked.absolute()} into place"
    )


def _usable(folder: Path, list_cells: Callable[[Path], Any]) -> Iterator[Path]:
    """The uppermost folders that hold a set of single cells without a fault."""
    try:
        list_cells(folder)
    except CohortError:
        for inside in filter(is_folder, paths_in(folder)):
            yield from _usable(inside, list_cells)
    else:
        yield folder


def _is_named(path: Path, published: str) -> bool:
    plain = [part.lower().replace("-", "_").replace(" ", "_") for part in path.parts]
    return published.lower() in plain


def _check(what: What, folder: Path, config: Config) -> tuple[tuple[str, ...], str]:
    """The kit's check of the data: what was counted, and the faults."""
    if what == "competition":
        checked = check_download(str(folder), config)
        return tuple(checked.lines()), checked.fault_text()
    try:
        n = check_cell_set(folder, config, labelled=what == "labelled-cells")
    except CohortError as error:
        return (), str(error)
    return (f"{n:,} {what.replace('-', ' ')}: no fault found",), ""

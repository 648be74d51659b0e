"""A folder is walked through its links; the walk ends, and broken links have a finding."""

import os
from pathlib import Path

import pytest

from lymphokit.folders import broken_entries, entries_below


def names(folder: Path, kind: str) -> list[str]:
    return [entry.name for entry in entries_below(folder) if entry.kind == kind]


def visible(_: str) -> bool:
    return False


def test_files_behind_links_are_listed_by_their_path_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "store" / "deep").mkdir(parents=True)
    (tmp_path / "store" / "deep" / "1.jpg").write_text("1")
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "P1").symlink_to(tmp_path / "store")
    (folder / "2.jpg").symlink_to(tmp_path / "store" / "deep" / "1.jpg")
    assert names(folder, "file") == ["2.jpg", "P1/deep/1.jpg"]


@pytest.mark.parametrize("target", [".", "..", "inside"])
def test_the_walk_ends_where_a_folder_is_linked_in_itself(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "raw"
    (folder / "inside").mkdir(parents=True)
    (folder / "inside" / "1.jpg").write_text("1")
    (folder / "inside" / "loop").symlink_to(folder / target)
    assert [name for name in names(folder, "file") if name.endswith("1.jpg")] != []
    assert broken_entries(folder, visible) == []


@pytest.mark.parametrize("target", ["gone", "itself"])
def test_a_link_that_leads_nowhere_is_broken_and_names_its_target(
    tmp_path: Path, target: str
) -> None:
    (tmp_path / "itself").symlink_to(target)
    (entry,) = broken_entries(tmp_path, visible)
    assert (entry.name, target in entry.finding) == ("itself", True)


def test_ignored_names_are_left_out_with_all_below_them(tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "1").symlink_to("gone")
    (tmp_path / ".lock").symlink_to("gone")
    assert broken_entries(tmp_path, lambda name: name.startswith(".")) == []


def test_a_pipe_is_listed_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert names(tmp_path, "file") == ["pipe"]

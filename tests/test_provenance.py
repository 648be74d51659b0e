"""Digests change with the meaning of the code and with nothing else."""

import ast
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lymphokit import provenance
from lymphokit.digest_cache import DigestCache


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two modules, the first importing the second inside a function."""
    folder = tmp_path / "lymphokit"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text(
        '"""One."""\ndef first():\n    from lymphokit.two import second\n    return second()\n'
    )
    (folder / "two.py").write_text("def second():\n    return 2\n")
    (folder / "other.py").write_text("VALUE = 1\n")
    (tmp_path / "script.py").write_text("import lymphokit.one\n")
    monkeypatch.setattr(provenance, "SOURCE", tmp_path)
    return folder


def digest(package: Path, *modules: str, **options: Any) -> str:
    provenance._parsed.cache_clear()
    provenance.code_digest.cache_clear()
    return provenance.code_digest(package.parent / "script.py", *modules, **options)


def test_an_edit_two_imports_away_changes_the_digest(package: Path) -> None:
    before = digest(package)
    (package / "two.py").write_text("def second():\n    return 3\n")
    assert digest(package) != before


def test_comments_docstrings_and_layout_do_not_change_the_digest(package: Path) -> None:
    before = digest(package)
    (package / "two.py").write_text('def second():\n    """Two."""\n\n    # why\n    return (2)\n')
    assert digest(package) == before


def test_a_module_that_is_not_imported_counts_only_if_named(package: Path) -> None:
    before, named = digest(package), digest(package, "lymphokit.other")
    (package / "other.py").write_text("VALUE = 2\n")
    assert digest(package) == before
    assert digest(package, "lymphokit.other") != named


def test_remembered_code_has_the_digest_of_parsed_code(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, cache = package / "two.py", DigestCache(package.parent / "digests.json")
    versions = ("def second():\n    return 2\n", "import lymphokit.other\n")
    parsed = []
    for code in versions:
        file.write_text(code)
        parsed.append(digest(package))
        assert digest(package, remember=cache.remember) == parsed[-1]
    monkeypatch.setattr(ast, "parse", None)
    for code, expected in zip(versions, parsed, strict=True):
        file.write_text(code)
        assert digest(package, remember=cache.remember) == expected


def test_a_missing_module_is_an_error(package: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"lymphokit\.gone"):
        digest(package, "lymphokit.gone")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder with a file, a link to a file, a link to a folder, a link without a target."""
    store = tmp_path / "store"
    (store / "P1").mkdir(parents=True)
    for name in ("P1/1.jpg", "2.jpg"):
        (store / name).write_text("one")
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "3.jpg").write_text("one")
    (folder / "2.jpg").symlink_to(store / "2.jpg")
    (folder / "P1").symlink_to(store / "P1")
    (folder / "later").symlink_to(store / "later")
    (folder / "loop").symlink_to(folder)
    return folder


def replace_keeping_size_and_date(file: Path) -> None:
    status = file.stat()
    file.write_text("two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file": lambda raw: replace_keeping_size_and_date(raw / "3.jpg"),
    "the target of a link": lambda raw: replace_keeping_size_and_date(raw.parent / "store/2.jpg"),
    "a file in a linked folder": lambda raw: replace_keeping_size_and_date(
        raw.parent / "store/P1/1.jpg"
    ),
    "a name": lambda raw: (raw / "3.jpg").rename(raw / "4.jpg"),
    "a new file in a linked folder": lambda raw: (raw / "P1/2.jpg").write_text("one"),
    "a target that was missing": lambda raw: (raw.parent / "store/later").write_text("one"),
    "a target that goes": lambda raw: (raw.parent / "store/2.jpg").unlink(),
    "an empty folder": lambda raw: (raw / "P2").mkdir(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_folder_digest_sees_every_change_through_links(
    raw: Path, change: Callable[[Path], object]
) -> None:
    before = provenance.folder_digest(raw)
    change(raw)
    assert provenance.folder_digest(raw) != before


def test_new_dates_and_ignored_files_do_not_change_a_folder_digest(raw: Path) -> None:
    def digest() -> str:
        return provenance.folder_digest(raw, ignored=lambda name: name.startswith("."))

    before = digest()
    os.utime(raw / "3.jpg", (1.0, 1.0))
    os.utime(raw / "2.jpg", (1.0, 1.0))
    (raw / ".DS_Store").write_text("hidden")
    assert digest() == before


def test_a_file_larger_than_any_image_is_not_read_but_counts(tmp_path: Path) -> None:
    def refuse(path: Path) -> str:
        raise AssertionError(f"{path} was read")

    with (tmp_path / "backup.zip").open("wb") as file:
        file.truncate(200 * 1024**2)  # takes no space
    before = provenance.folder_digest(tmp_path, refuse)
    os.utime(tmp_path / "backup.zip", (1.0, 1.0))
    assert provenance.folder_digest(tmp_path, refuse) != before


def test_the_order_of_keys_does_not_change_a_settings_digest() -> None:
    assert provenance.settings_digest({"a": 1, "b": 2}) == provenance.settings_digest(
        {"b": 2, "a": 1}
    )


def test_a_machine_is_named_by_processor_unit_and_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("model name\t: A CPU\nflags\t\t: fpu avx2 avx512f\n\nmodel name\t: Another\n")
    monkeypatch.setattr(provenance, "_CPU_INFO", info)
    for name in provenance._LIMITS:
        monkeypatch.delenv(name, raising=False)
    assert provenance.machine(gpu=False) == "A CPU avx512f no GPU"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert provenance.machine(gpu=True) == "A CPU avx512f GPU ONEDNN_MAX_CPU_ISA=AVX2"
    monkeypatch.setattr(provenance, "_CPU_INFO", tmp_path / "none")
    assert provenance.machine(gpu=False).split()[-3:-1] == ["no", "GPU"]

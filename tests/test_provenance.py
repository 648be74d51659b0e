"""Digests change with the meaning of the code and with nothing else."""

from pathlib import Path

import pytest

from lymphokit import provenance


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


def digest(package: Path, *modules: str) -> str:
    provenance._normalised_source.cache_clear()
    provenance._imported_by.cache_clear()
    return provenance.code_digest(package.parent / "script.py", *modules)


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


def test_a_missing_module_is_an_error(package: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"lymphokit\.gone"):
        digest(package, "lymphokit.gone")


def test_a_folder_digest_sees_a_changed_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    before = provenance.folder_digest(tmp_path)
    (tmp_path / "a").write_text("22")
    assert provenance.folder_digest(tmp_path) != before


def test_the_order_of_keys_does_not_change_a_settings_digest() -> None:
    assert provenance.settings_digest({"a": 1, "b": 2}) == provenance.settings_digest(
        {"b": 2, "a": 1}
    )

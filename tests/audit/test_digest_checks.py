"""Each file behind a submission is compared with the digest of the job that wrote it."""

import os
from pathlib import Path

import pytest

from lymphokit.audit.digest_checks import check_digests
from lymphokit.audit.findings import AuditFileError, passed_checks
from lymphokit.files import write_json
from lymphokit.integrity import record_path, verify, write_records

CHAIN = ["pixels.npy", "bank.npy", "predictions.csv", "decisions.csv"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four files, each made from the one before; the first from a download."""
    monkeypatch.chdir(tmp_path)
    home = Path("results/demo")
    home.mkdir(parents=True)
    before = "download.zip"
    for name in CHAIN:
        write(home / name, f"content of {name}", [before])
        before = str(home / name)
    return home


def write(path: Path, text: str, inputs: list[str]) -> None:
    path.write_text(text)
    write_records([str(path)], f"rule of {path.name}", verify(inputs))


def check(home: Path):
    return check_digests([str(home / CHAIN[-1])], home)


def test_files_as_they_were_written_pass_and_are_counted(home: Path) -> None:
    found = check(home)
    assert found.faults == ()
    assert found.compared.startswith("4 files ")


@pytest.mark.parametrize("name", CHAIN)
def test_a_change_anywhere_in_the_chain_is_found(home: Path, name: str) -> None:
    before = (home / name).stat()
    (home / name).write_text(f"c0ntent of {name}")
    os.utime(home / name, ns=(before.st_atime_ns, before.st_mtime_ns))
    (fault,) = check(home).faults
    assert fault.patient == str(home / name)
    assert str(home / name) in fault.remedy


def test_all_changes_are_found_at_once(home: Path) -> None:
    for name in CHAIN:
        (home / name).write_bytes(b"")
    assert {fault.patient for fault in check(home).faults} == {str(home / name) for name in CHAIN}


def test_a_file_made_from_another_content_than_there_is_now_is_found(home: Path) -> None:
    write(home / "bank.npy", "another bank", [str(home / "pixels.npy")])
    (fault,) = check(home).faults
    assert fault.patient == str(home / "predictions.csv")
    assert str(home / "bank.npy") in fault.finding


def test_the_same_content_made_again_is_no_finding(home: Path) -> None:
    write(home / "bank.npy", "content of bank.npy", [str(home / "pixels.npy")])
    assert check(home).faults == ()


def test_files_without_a_digest_are_counted_and_files_of_people_are_not(home: Path) -> None:
    record_path(home / "pixels.npy").unlink()
    found = check(home)
    assert found.faults == ()
    assert "1 without a digest" in found.compared


def test_a_file_deleted_since_is_counted(home: Path) -> None:
    (home / "pixels.npy").unlink()
    found = check(home)
    assert found.faults == ()
    assert "1 deleted" in found.compared


PASSED = {"check": "folds", "passed": True, "compared": "2 folds", "findings": []}


def test_checks_that_passed_are_given(tmp_path: Path) -> None:
    write_json(tmp_path / "leaks.json", {"checks": [PASSED], "known_duplicates": []})
    assert passed_checks(tmp_path / "leaks.json") == [PASSED]


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "leak!", "\0\0\0", "null", "[]", "{}", '"text"', '{"checks": null}'),
        *('{"checks": []}', '{"checks": {}}', '{"checks": [1]}', '{"checks": [{}]}'),
        '{"checks": [{"check": "folds", "passed": false, "findings": []}]}',
        '{"checks": [{"check": "folds", "passed": "yes", "findings": []}]}',
        '{"checks": [{"check": "folds", "passed": true, "findings": [{"patient": "P1"}]}]}',
        '{"checks": [{"check": "folds", "passed": true}]}',
    ],
)
def test_checks_that_failed_or_cannot_be_read_are_refused_by_file(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "leaks.json").write_text(content)
    with pytest.raises(AuditFileError, match=r"leaks\.json"):
        passed_checks(tmp_path / "leaks.json")


def test_missing_checks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditFileError):
        passed_checks(tmp_path / "leaks.json")

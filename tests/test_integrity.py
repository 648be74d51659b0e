"""A file that is not as its job wrote it is named before another job reads it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lymphokit import integrity
from lymphokit.errors import LymphokitError
from lymphokit.integrity import DamagedFileError, read_record, record_path, verify, write_records
from lymphokit.job import failure_in, job
from lymphokit.provenance import file_sha256

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A bank that a job wrote."""
    path = tmp_path / "bank.npy"
    np.save(path, np.arange(1, 20_001, dtype=np.float32).reshape(100, 200))
    write_records([str(path)], "encode", {})
    return path


def zero_tail(path: Path) -> None:
    """The second half is zero, as after a crash before the system wrote it."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_it(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    other.replace(path)


DAMAGES = [zero_tail, truncate, flip_a_bit, empty, replace_it]


@pytest.mark.parametrize("keeps_date", [True, False])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_named_with_the_command(
    bank: Path, damage: Callable[[Path], None], keeps_date: bool
) -> None:
    before = bank.stat()
    damage(bank)
    if keeps_date:
        os.utime(bank, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DamagedFileError) as refusal:
        verify([str(bank)])
    assert f"snakemake --force {bank}" in str(refusal.value)
    assert "encode" in str(refusal.value)


def test_a_file_as_it_was_written_is_read_once_only(
    bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = file_sha256(bank)
    monkeypatch.setattr(integrity, "content_sha256", lambda _: pytest.fail("it was read"))
    assert verify([str(bank)]) == {str(bank): expected}


@pytest.mark.parametrize("change", ["touched", "copied", "another start of the machine"])
def test_another_status_alone_is_no_damage_and_is_read_once(
    bank: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    if change == "touched":
        bank.touch()
    elif change == "copied":
        shutil.copytree(bank.parent, bank.parent.parent / "copied")
        bank = bank.parent.parent / "copied" / bank.name
    else:
        monkeypatch.setattr(integrity, "_boot", lambda: "later")
    verify([str(bank)])
    monkeypatch.setattr(integrity, "content_sha256", lambda _: pytest.fail("it was read again"))
    verify([str(bank)])


def test_after_a_restart_a_file_with_its_old_status_and_another_content_is_named(
    bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may leave size and dates on the disk, and not the content."""
    written = read_record(bank)
    assert written is not None
    record_path(bank).write_text(json.dumps({**vars(written), "sha256": "0" * 64}))
    verify([str(bank)])  # the same start: nothing can have been lost
    monkeypatch.setattr(integrity, "_boot", lambda: "later")
    with pytest.raises(DamagedFileError):
        verify([str(bank)])


@pytest.mark.parametrize("change", ["changed", "added", "removed", "renamed", "zero"])
def test_a_folder_counts_with_the_names_and_contents_of_its_files(
    tmp_path: Path, change: str
) -> None:
    raw = tmp_path / "raw"
    (raw / "P1").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (raw / "P1" / name).write_bytes(name.encode() * 100)
    write_records([str(raw)], "unpack", {})
    (raw / ".snakemake_timestamp").touch()  # which Snakemake adds after the job
    verify([str(raw)])
    image = raw / "P1" / "a.png"
    if change == "changed":
        image.write_bytes(b"b" * 500)
    elif change == "added":
        (raw / "P1" / "c.png").write_bytes(b"c")
    elif change == "removed":
        image.unlink()
    elif change == "renamed":
        image.rename(raw / "P1" / "d.png")
    else:
        zero_tail(image)
    with pytest.raises(DamagedFileError, match="raw is damaged"):
        verify([str(raw)])


def test_what_no_job_wrote_is_accepted_as_unknown(tmp_path: Path) -> None:
    (tmp_path / "given.csv").write_text("x\n")
    names = [str(tmp_path / name) for name in ("given.csv", "missing.csv")]
    assert verify(names) == dict.fromkeys(names)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\0" * 300, b"[]", b"3", b"{}", b'{"sha256": 1}', b'{"a": "b"}']
)
def test_a_damaged_record_is_named(bank: Path, content: bytes) -> None:
    record_path(bank).write_bytes(content)
    with pytest.raises(LymphokitError, match=r"\.digests/bank\.npy\.json"):
        verify([str(bank)])


def test_a_record_that_cannot_be_renewed_only_costs_time(
    bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "denied")

    bank.touch()
    monkeypatch.setattr(integrity, "_write", refuse)
    assert verify([str(bank)]) == {str(bank): file_sha256(bank)}


@dataclass
class Task:
    """As Snakemake hands it to a script."""

    folder: Path
    rule: str = "fit"
    params: dict[str, Any] = field(default_factory=dict)
    input: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)

    @property
    def log(self) -> list[str]:
        return [str(self.folder / "job.log")]


@pytest.fixture
def task(bank: Path) -> Task:
    return Task(bank.parent, input=[str(bank)], output=[str(bank.parent / "predictions.csv")])


def test_a_job_records_its_outputs_and_what_they_were_made_from(task: Task, bank: Path) -> None:
    with job(task):
        Path(task.output[0]).write_text("patient\n")
    record = read_record(Path(task.output[0]))
    assert record is not None
    assert record.sha256 == file_sha256(Path(task.output[0]))
    assert record.inputs == {str(bank): file_sha256(bank)}
    assert record.rule == "fit"


def test_no_body_runs_on_a_damaged_input(task: Task, bank: Path) -> None:
    zero_tail(bank)
    with pytest.raises(SystemExit), job(task):
        pytest.fail("the body ran")
    assert str(bank) in (task.folder / "job.log").read_text()


@pytest.mark.parametrize(
    "script", sorted((ROOT / "workflow/scripts").glob("*.py")), ids=lambda path: path.stem
)
def test_every_script_checks_its_inputs_except_the_audit_that_reports_them(script: Path) -> None:
    (call,) = (line for line in script.read_text().splitlines() if line.startswith("with job("))
    is_unverified = "verified=False" in call
    assert call.startswith("with job(snakemake")
    assert is_unverified == (script.stem == "leaks")


def test_no_rule_makes_a_file_without_a_script() -> None:
    for chapter in (ROOT / "workflow/rules").glob("*.smk"):
        assert not re.search(r"^ +(run|shell):", chapter.read_text(), re.M)


def test_a_job_that_fails_records_nothing(task: Task) -> None:
    Path(task.output[0]).write_text("patient\n")
    with pytest.raises(SystemExit), job(task):
        raise ZeroDivisionError
    assert read_record(Path(task.output[0])) is None


@pytest.mark.parametrize(("error", "code"), [(LymphokitError("finding"), 1), (KeyError("a"), 70)])
def test_an_error_in_a_job_is_one_sentence_and_its_traceback_in_the_log(
    task: Task, error: Exception, code: int
) -> None:
    with pytest.raises(SystemExit) as ended, job(task):
        raise error
    assert ended.value.code == code
    shown = failure_in(Path(task.log[0]))
    assert "Traceback" not in shown
    assert ("finding" if code == 1 else task.log[0]) in shown
    assert "Traceback" in Path(task.log[0]).read_text()


def test_an_output_made_again_has_the_record_of_its_last_content(task: Task) -> None:
    for text in ("one", "two"):
        with job(replace(task)):
            Path(task.output[0]).write_text(text)
    verify(task.output)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_job_computes_with_the_threads_of_its_rule_whatever_it_is_granted(
    task: Task, threads: int
) -> None:
    before = torch.get_num_threads()
    with job(replace(task, params={"threads": threads}, output=[])) as given:
        assert given == threads == torch.get_num_threads()
    torch.set_num_threads(before)


LATE = """
import json, os, sys
from types import SimpleNamespace
from lymphokit.job import job
with job(SimpleNamespace(rule="fit", params={"threads": 2}, log=["log"], input=[], output=[])):
    import torch
    from threadpoolctl import threadpool_info
    threads = json.dumps([torch.get_num_threads(), *(p["num_threads"] for p in threadpool_info())])
print(threads)  # inside, it would be in the log
"""


def test_libraries_imported_inside_a_job_have_its_threads_too(tmp_path: Path) -> None:
    """Snakemake sets these variables to the one core that it grants."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, "-c", LATE],
        cwd=tmp_path,
        env=os.environ | dict.fromkeys(names, "1"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(done.stdout)) == {2}

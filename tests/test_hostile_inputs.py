"""Damaged and crafted inputs end in errors of ours; `make torture` tries many more."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lymphokit import config
from lymphokit.cohort import raw
from lymphokit.cohort.clinical_table import COLUMNS, read_clinical
from lymphokit.errors import LymphokitError
from lymphokit.features.bank import open_bank
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.leaderboard.compare import compare
from lymphokit.provenance import folder_digest
from lymphokit.submission.csv_files import SubmissionError, read_submission
from lymphokit.submission.ledger import LedgerError, read_ledger
from tests.hostile.mutations import VALUES, png_bomb
from tests.hostile.readers import (
    N_CELLS,
    READERS,
    clinical_rows,
    picture,
    read_download,
    write_download,
    write_features,
    write_submissions,
)

ROOT = Path(__file__).parents[1]
EACH = 12
SLOW = {"autoencoder", "safetensors", "pth"}  # they import torch
# The same values in every run: `make torture` is where new ones are tried.
QUICK = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
DAY = date(2025, 7, 1)


def test_no_reader_fails_hangs_or_eats_memory_on_a_sample_of_hostile_files() -> None:
    names = [name for name in READERS if name not in SLOW]
    command = [sys.executable, "-m", "tests.hostile.run", "--each", str(EACH), "--only", *names]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(rf"^all +{EACH * len(names)} ", ended.stdout, re.MULTILINE), ended.stdout


@QUICK
@given(
    rows=st.lists(st.tuples(*[st.sampled_from(VALUES) | st.text(max_size=12)] * 5), max_size=5),
    sound=st.booleans(),
)
def test_any_text_in_the_clinical_table_is_a_value_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], sound: bool
) -> None:
    path = tmp_path_factory.mktemp("clinic") / "clinical_annotation.csv"
    text = clinical_rows() if sound else ",".join(COLUMNS) + "\n"
    path.write_bytes((text + "\n".join(map(",".join, rows))).encode(errors="surrogateescape"))
    table, faults = read_clinical([path], DAY)
    assert table["patient"].is_unique
    assert all(fault.patient and fault.finding and fault.remedy for fault in faults)


SIMPLE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANYTHING = st.recursive(
    SIMPLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def message_of(read: Callable[[], object], otherwise: str) -> str:
    """The message of an error of ours, where `read` ends in one."""
    try:
        read()
    except LymphokitError as error:
        return str(error)
    return otherwise


DEFAULTS = config.read_yaml(ROOT / "config.yaml")
PLACES = [
    *((block,) for block in DEFAULTS),
    *((block, key) for block, keys in DEFAULTS.items() if isinstance(keys, dict) for key in keys),
]


@QUICK
@given(place=st.sampled_from(PLACES), value=ANYTHING)
def test_any_value_of_a_setting_is_used_or_an_error_that_names_it(
    place: tuple[str, ...], value: Any
) -> None:
    changed = {**DEFAULTS, place[0]: value}
    if len(place) == 2:
        changed[place[0]] = {**DEFAULTS[place[0]], place[1]: value}
    assert place[-1] in message_of(lambda: config.validate(changed), place[-1])


def test_a_small_file_of_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(bomb := png_bomb())
    assert len(bomb) < 600_000
    with pytest.raises(LymphokitError, match=r"1\.png .*6000x6000"):
        ImageFiles(tmp_path, ["1.png"], None)[np.array([0])]


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("kept", [0.3, 0.62, 0.95])
def test_a_tiff_whose_end_was_never_written_is_refused(
    tmp_path: Path, compression: str | None, kept: float
) -> None:
    picture(0, 64).save(tmp_path / "1.tif", compression=compression)
    data = (tmp_path / "1.tif").read_bytes()
    n = int(kept * len(data))
    (tmp_path / "1.tif").write_bytes(data[:n] + bytes(len(data) - n))
    with pytest.raises(LymphokitError, match=r"1\.tif"):
        ImageFiles(tmp_path, ["1.tif"], None)[np.array([0])]


def test_black_rows_at_the_end_of_a_tiff_are_no_damage(tmp_path: Path) -> None:
    image = picture(0, 64)
    image.paste((0, 0, 0), (0, 40, 64, 64))
    image.save(tmp_path / "1.tif")
    pixels = ImageFiles(tmp_path, ["1.tif"], None)[np.array([0])][0]
    np.testing.assert_array_equal(pixels, np.asarray(image))


@pytest.mark.parametrize("name", ["trainset/P1/" + "n" * 260 + ".jpg", "trainset/" + "é" * 130])
def test_a_name_in_a_zip_that_no_file_system_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, b"x")
    with pytest.raises(LymphokitError, match=r"download\.zip"):
        raw.unpack(path, tmp_path / "into")
    assert [each.name for each in tmp_path.iterdir()] == ["download.zip"]


def test_an_empty_zip_is_refused(tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "download.zip", "w").close()
    with pytest.raises(LymphokitError, match=r"download\.zip: .*empty"):
        raw.claim(raw.locate(str(tmp_path / "download.zip"), Path()), tmp_path / "results")


@pytest.mark.parametrize("name", ["clinical_annotation.csv", "SIMULATED.txt", "trainset/P2/9.jpg"])
def test_a_pipe_in_a_download_is_not_waited_for(tmp_path: Path, name: str) -> None:
    write_download(tmp_path)
    path = tmp_path / "raw" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert path.stem in message_of(lambda: read_download(tmp_path), path.stem)


@pytest.mark.parametrize("place", [".", "trainset", "trainset/P2"])
def test_the_lock_of_an_editor_is_no_part_of_a_download(tmp_path: Path, place: str) -> None:
    write_download(tmp_path)
    before = folder_digest(tmp_path / "raw", ignored=lambda name: name.startswith("."))
    (tmp_path / "raw" / place / ".#table.csv").symlink_to("somebody@host.1234:1700000000")
    read_download(tmp_path)
    after = folder_digest(tmp_path / "raw", ignored=lambda name: name.startswith("."))
    assert before == after


def faults_of(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "clinical_annotation.csv").write_text(text)
    _, faults = read_clinical([tmp_path / "clinical_annotation.csv"], DAY)
    return [f"{fault.patient} {fault.finding}" for fault in faults]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "<NA>", "a\x07b", "p" * 300])
def test_what_cannot_be_an_id_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    rows = f"{clinical_rows()}{name},1,M,1/17/1950,9\n"
    assert any("line 8 ID" in fault for fault in faults_of(tmp_path, rows))


def test_a_row_repeated_thousands_of_times_is_one_short_fault(tmp_path: Path) -> None:
    rows = clinical_rows() + "P1,-1,M,1/17/1950,5.5\n" * 8000
    (fault,) = (each for each in faults_of(tmp_path, rows) if "rows" in each)
    assert fault.startswith("P1 has 8,001 rows")
    assert len(fault) < 300


@pytest.mark.parametrize("length", [2000, 140_000])
def test_a_field_of_thousands_of_characters_is_no_value(tmp_path: Path, length: int) -> None:
    rows = f"{clinical_rows()}P9,1,M,1/17/1950,{'1' * length}\n"
    (fault,) = faults_of(tmp_path, rows)
    assert "clinical_annotation.csv" in fault
    (tmp_path / "a.csv").write_text(f"ID,LABEL\nP1,{'1' * 140_000}\n")
    with pytest.raises(SubmissionError, match=r"a\.csv"):
        read_submission(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["=cmd", "@x", "p" * 300])
def test_a_submission_has_no_formula_for_an_id(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text(f"ID,LABEL\nP1,0\n{name},1\n")
    with pytest.raises(SubmissionError, match=r"a\.csv"):
        read_submission(tmp_path / "a.csv")


def test_a_ledger_of_many_rows_is_read_and_one_damaged_row_of_it_named(tmp_path: Path) -> None:
    write_submissions(tmp_path)
    header, row, _ = (tmp_path / "ledger.csv").read_text().splitlines()
    (tmp_path / "ledger.csv").write_text("\n".join([header, *[row] * 20_000]))
    assert len(read_ledger(tmp_path / "ledger.csv")) == 20_000
    damaged = row.replace("0.750000", "7.5", 1)
    (tmp_path / "ledger.csv").write_text("\n".join([header, *[row] * 20_000, damaged]))
    with pytest.raises(LedgerError, match=r"ledger\.csv: oof_balanced_accuracy of a\.csv"):
        read_ledger(tmp_path / "ledger.csv")


def test_more_patients_than_can_be_enumerated_are_refused_by_a_comparison(tmp_path: Path) -> None:
    for name, factor in (("a", 1), ("b", 3)):
        rows = [f"P{number},{number * factor // 2 % 2}" for number in range(5000)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["ID,LABEL", *rows]))
    with pytest.raises(LymphokitError, match="5,000 patients"):
        compare([tmp_path / "a.csv", tmp_path / "b.csv"], 0.5)


BANKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "1-D": lambda bank: bank[:, 0],
    "3-D": lambda bank: bank[..., None],
    "text": lambda bank: bank.astype("U8"),
    "complex": lambda bank: bank.astype(complex),
    "NaN": lambda bank: np.where(np.arange(bank.size).reshape(bank.shape) == 5, np.nan, bank),
    "infinite": lambda bank: bank * np.inf,
    "no feature": lambda bank: bank[:, :0],
    "fewer cells": lambda bank: bank[1:],
    "records": lambda bank: np.zeros(len(bank), "f4,i8"),
}


@pytest.mark.parametrize("change", BANKS.values(), ids=BANKS)
def test_a_bank_holds_finite_features_of_all_cells_and_nothing_else(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    write_features(tmp_path)
    bank = np.load(tmp_path / "bank.npy")
    open_bank(tmp_path / "bank.npy", N_CELLS)
    np.save(tmp_path / "bank.npy", change(bank).astype(change(bank).dtype))
    with pytest.raises(LymphokitError, match=r"bank\.npy"):
        open_bank(tmp_path / "bank.npy", N_CELLS)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"source": 5, "fitted_on": null}', "[" * 9**5]
)
def test_a_bank_has_metadata(tmp_path: Path, content: str) -> None:
    write_features(tmp_path)
    (tmp_path / "bank.json").write_text(content)
    with pytest.raises(LymphokitError, match=r"bank\.json"):
        open_bank(tmp_path / "bank.npy", N_CELLS)

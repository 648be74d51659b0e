"""The command line: output, exit codes, import time."""

import importlib.metadata
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import yaml
from PIL import Image

from lymphokit.cli import APP, main
from lymphokit.config import merge, read_yaml
from lymphokit.provenance import file_sha256
from lymphokit.submission.ledger import COLUMNS
from tests.submission.runs import decided, with_folder

ROOT = Path(__file__).parents[1]
SMALL = {
    "training_patients": 10,
    "test_patients": 2,
    "cells": [1, 2],
    "labelled_cells": 2,
    "cells_per_blood_type": 0,
}


@pytest.fixture
def config(tmp_path: Path) -> str:
    """config.yaml with the smallest possible cohort."""
    path = tmp_path / "config.yaml"
    path.write_text(_small_config())
    return str(path)


@cache
def _small_config() -> str:
    return str(yaml.safe_dump(merge(read_yaml(ROOT / "config.yaml"), {"simulate": SMALL})))


def test_a_simulated_cohort_passes_the_check(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = tmp_path / "drawn"
    assert main(["simulate", str(cohort), "--seed", "1", "--config", config]) == 0
    assert main(["check", str(cohort), "--config", config]) == 0
    assert "10 labelled patients" in capsys.readouterr().out


def test_a_damaged_image_is_reported_by_patient_and_file(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = tmp_path / "drawn"
    main(["simulate", str(cohort), "--config", config])
    image = next((cohort / "trainset").glob("*/*.jpg"))
    image.write_bytes(image.read_bytes()[:500])
    assert main(["check", str(cohort), "--config", config]) == 1
    message = capsys.readouterr().err
    assert image.parent.name in message
    assert f"{image.name}  truncated JPEG" in message


def test_a_zip_is_checked_as_the_folder_in_it(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = tmp_path / 'it\'s {50%} "drawn"'
    main(["simulate", str(cohort), "--seed", "1", "--config", config])
    shutil.make_archive(str(tmp_path / "down load"), "zip", cohort)
    assert main(["check", str(tmp_path / "down load.zip"), "--config", config]) == 0
    assert "10 labelled patients" in capsys.readouterr().out


def write_cells(folder: Path, *names: str, side: int = 8) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(crc32(name.encode())).integers(0, 256, (side, side, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)


def test_the_sets_of_single_cells_are_checked_with_the_cohort_and_all_faults_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort, labelled, blood = tmp_path / "drawn", tmp_path / "ALL_IDB2", tmp_path / "blood"
    write_cells(labelled, *(f"Im{number:03d}_{number % 2}.tif" for number in range(4)))
    write_cells(blood, *(f"{kind}/{number}.png" for kind in ("ig", "blast") for number in (1, 2)))
    changes = {
        "simulate": SMALL,
        "blood_cells": {"folder": str(blood)},
        "pseudo_label": {"labelled_train": 2, "labelled_validation": 2},
    }
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(merge(read_yaml(ROOT / "config.yaml"), changes)))
    main(["simulate", str(cohort), "--config", str(config)])
    assert main(["check", str(cohort), "--config", str(config)]) == 0
    printed = capsys.readouterr().out
    assert "4 labelled cells" in printed
    assert "4 blood cells" in printed
    write_cells(labelled, "Im007_1.tif", side=700)
    (blood / "blast" / "3.png").write_bytes((blood / "ig" / "1.png").read_bytes())
    next((cohort / "trainset").glob("*/*.jpg")).write_bytes(b"")
    assert main(["check", str(cohort), "--config", str(config)]) == 1
    message = capsys.readouterr().err
    assert "Im007_1.tif  is 700x700" in message
    assert "ig/1.png  holds the bytes of blast/3.png (blast)" in message
    assert "is empty (0 bytes)" in message


def make_nothing(_: Path) -> None: ...


ODD_ONE = "the odd one"  # stands for it in a command line
THINGS: dict[str, Callable[[Path], object]] = {
    "missing": make_nothing,
    "table.csv": lambda path: path.write_text("ID,LABEL\n"),
    "broken.zip": lambda path: path.write_bytes(b"PK\x03\x04 and no more"),
    "empty.zip": lambda path: path.touch(),
    "empty": lambda path: path.mkdir(),
    "dangling": lambda path: path.symlink_to("gone"),
    "loop": lambda path: path.symlink_to("loop"),
    "x" * 300: make_nothing,
}


@pytest.mark.parametrize(("name", "make"), THINGS.items(), ids=lambda item: str(item)[:20])
def test_what_is_no_download_is_refused_by_its_path_with_a_remedy(
    tmp_path: Path,
    config: str,
    capsys: pytest.CaptureFixture[str],
    name: str,
    make: Callable[[Path], object],
) -> None:
    make(tmp_path / name)
    assert main(["check", str(tmp_path / name), "--config", config]) == 1
    message = capsys.readouterr().err
    assert name in message
    assert any(word in message for word in ("raw", "download"))


@pytest.mark.parametrize("path", ["demo", "auto"])
def test_a_check_of_the_simulated_cohort_wants_its_path(
    tmp_path: Path,
    config: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check", path, "--config", config]) == 1
    assert str(tmp_path / path) in capsys.readouterr().err.replace("\n", "")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"- a", b"", b"a: 1\na: 2"])
def test_a_damaged_configuration_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "damaged.yaml"
    path.write_bytes(content)
    assert main(["check", str(tmp_path), "--config", str(path)]) == 1
    assert path.name in capsys.readouterr().err


def test_a_folder_in_place_of_a_configuration_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path), "--config", str(tmp_path)]) == 1
    assert "--config" in capsys.readouterr().err


def test_simulate_refuses_an_existing_folder(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", str(tmp_path), "--config", config]) == 1
    assert str(tmp_path) in capsys.readouterr().err.replace("\n", "")


@pytest.mark.parametrize("name", ["file/inside", "x" * 300])
def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "file").touch()
    assert main(["simulate", str(tmp_path / name), "--config", config]) == 1
    assert name in capsys.readouterr().err


def test_a_folder_in_place_of_a_ledger_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["board", str(tmp_path)]) == 1
    assert tmp_path.name in capsys.readouterr().err


def test_the_doctor_shows_the_data_that_would_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "raw data:" in capsys.readouterr().out


def test_a_missing_configuration_names_the_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "gone.yaml")
    assert main(["check", str(tmp_path), "--config", missing]) == 1
    assert "--config" in capsys.readouterr().err


def submissions(folder: Path) -> list[str]:
    """Write two files of six patients that differ on three, and a third of other patients."""
    folder.mkdir(exist_ok=True)
    contents = {"a": "111100", "b": "110111", "c": "111"}
    for name, labels in contents.items():
        rows = [f"P{number},{label}" for number, label in enumerate(labels)]
        (folder / f"{name}.csv").write_text("\n".join(["ID,LABEL", *rows]) + "\n")
    return [str(folder / f"{name}.csv") for name in contents]


def test_a_comparison_prints_its_conclusion_and_saves_a_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, _ = submissions(tmp_path)
    assert main(["compare", a, b, "--oof", "0.8"]) == 0
    output = capsys.readouterr().out
    assert "3 of 6 patients" in output.splitlines()[0]
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path / "compare.png") in output.replace("\n", "")


def test_the_figure_goes_to_the_path_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, _ = submissions(tmp_path)
    assert main(["compare", a, b, "--figure", str(tmp_path / "mine.png")]) == 0
    assert [path.name for path in tmp_path.glob("*.png")] == ["mine.png"]
    assert main(["compare", a, b, "--figure", str(tmp_path / "gone" / "x.png")]) == 1
    assert "--figure" in capsys.readouterr().err


def test_files_of_other_patients_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, c = submissions(tmp_path)
    assert main(["compare", a, b, c]) == 1
    message = capsys.readouterr().err
    assert "c.csv" in message
    assert "P3, P4, P5" in message


def test_the_ledger_among_the_files_is_skipped(tmp_path: Path) -> None:
    """As in `lymphokit compare submissions/*.csv`."""
    a, b, _ = submissions(tmp_path)
    ledger = tmp_path / "ledger.csv"
    ledger.write_text(",".join(COLUMNS) + "\n")
    assert main(["compare", a, b, str(ledger)]) == 0


@pytest.mark.parametrize("option", [("--oof", "85"), ("--public", "1.2")])
def test_a_number_out_of_range_is_refused_with_its_option(
    tmp_path: Path, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, _ = submissions(tmp_path)
    with pytest.raises(SystemExit):
        main(["compare", a, b, *option])
    assert option[0] in capsys.readouterr().err


def test_a_missing_ledger_names_the_command_that_writes_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["board", str(tmp_path / "ledger.csv")]) == 1
    assert "snakemake submission" in capsys.readouterr().err


def test_a_comparison_imports_nothing_slow(tmp_path: Path) -> None:
    a, b, _ = submissions(tmp_path)
    code = (
        "import sys; from lymphokit.cli import main; "
        f"main(['compare', {a!r}, {b!r}, '--oof', '0.8']); "
        "slow = {'torch', 'sklearn', 'scipy', 'pydantic', 'cv2'} & set(sys.modules); "
        "sys.exit(' '.join(slow) or 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def pipe(path: Path) -> None:
    os.mkfifo(path)


ODD: dict[str, Callable[[Path], object]] = {
    "": make_nothing,
    ".": make_nothing,
    "..": make_nothing,
    "missing": make_nothing,
    "[/x]": make_nothing,
    "[bold]file": lambda path: path.write_text("[/x]"),
    "folder.csv": lambda path: path.mkdir(),
    "folder.zip": lambda path: path.mkdir(),
    "empty.csv": lambda path: path.touch(),
    "binary.csv": lambda path: path.write_bytes(bytes(range(256)) * 9),
    "pipe.csv": pipe,
    "pipe.zip": pipe,
    "device.csv": lambda path: path.symlink_to("/dev/zero"),
    "nothing.zip": lambda path: path.symlink_to(os.devnull),
    "dangling.csv": lambda path: path.symlink_to("gone"),
    "loop": lambda path: path.symlink_to("loop"),
    "x" * 300: make_nothing,
    "null\0": make_nothing,
    "bytes\udcff": make_nothing,
    "turned\u202e": make_nothing,
    "two\nlines": make_nothing,
    "~nobody_here/x": make_nothing,
    "{brace}": make_nothing,
}
WHERE = {
    "check": ["check", ODD_ONE],
    "check --config": ["check", "b.csv", "--config", ODD_ONE],
    "simulate --config": ["simulate", "new", "--config", ODD_ONE],
    "compare": ["compare", ODD_ONE, "b.csv"],
    "compare second": ["compare", "a.csv", ODD_ONE],
    "board": ["board", ODD_ONE],
    "leaderboard": ["leaderboard", ODD_ONE, "--json"],
    "score": ["score", ODD_ONE, "0.5"],
    "rerun": ["rerun", ODD_ONE],
    "plan": ["plan", "--configfile", ODD_ONE],
}


@pytest.mark.parametrize("command", WHERE)
def test_any_path_that_cannot_be_used_is_an_error_of_ours_which_names_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    config: str,
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    submissions(tmp_path)
    for name, make in ODD.items():
        make(tmp_path / name)
    for name in ODD:
        code = main([name if part is ODD_ONE else part for part in WHERE[command]])
        message = capsys.readouterr().err
        assert (code, name) == (1, name), message
        assert "Traceback" not in message
        word = re.search(r"[a-z]*", name.lstrip("[/~{"))
        assert word
        assert word[0] in message


@pytest.mark.parametrize(
    "name", ["", ".", "/", "a.csv", "a.csv/inside", "loop", "null\0", "x" * 300]
)
def test_a_folder_that_cannot_be_new_is_refused_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    submissions(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    assert main(["simulate", name, "--config", config]) == 1


def test_brackets_in_a_path_are_no_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    a, b, _ = submissions(tmp_path)
    (tmp_path / "[").mkdir()
    assert main(["simulate", "[/x]", "--config", config]) == 0
    for file in (a, b):
        Path(file).write_text(Path(file).read_text().replace("P", "[/P]$_{$"))
    Path(a).rename("[/a].csv")
    assert main(["compare", "[/a].csv", b, "--figure", "[/compare].png"]) == 0
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("[/x]", "[/a].csv", "[/P]$_{$", "[/compare].png"))


def test_names_in_a_ledger_are_neither_markup_nor_formulas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    submissions(tmp_path)
    Path("[").mkdir()
    Path("a.csv").rename("[/a]$_{$.csv")
    name = {
        "file": "[/a]$_{$.csv",
        "cohort": "[/c]$_{$",
        "blend": "[/b]$_{$",
        "board_public": "0.1",
    }
    row = [name.get(column, "0.8" if column.startswith("oof") else "") for column in COLUMNS]
    Path("ledger.csv").write_text(f"{','.join(COLUMNS)}\n{','.join(row)}\n")
    assert main(["board", "ledger.csv"]) == 0
    printed = capsys.readouterr().out
    assert "[/a]$_{$.csv" in printed
    assert "[/c]$_{$" in printed
    assert Path("board.png").is_file()


NO_SHARE = ["nan", "inf", "-inf", "-1", "2", "1e400", "", "five", "0,5", "50%", "9" * 5000]


@pytest.mark.parametrize(
    "option",
    [
        ("compare", "--public"),
        ("compare", "--oof"),
        ("board", "--public"),
        ("simulate", "--signal"),
        ("leaderboard", "--public"),
        ("score", "--private"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("value", NO_SHARE, ids=lambda text: text[:8])
def test_what_is_no_share_is_refused_with_its_option(
    tmp_path: Path,
    config: str,
    capsys: pytest.CaptureFixture[str],
    option: tuple[str, str],
    value: str,
) -> None:
    command, name = option
    rest = {"compare": submissions(tmp_path)[:2], "board": [], "simulate": [str(tmp_path / "new")]}
    rest |= {"leaderboard": [], "score": rest["compare"][:1]}
    rest["simulate"] += ["--config", config]
    try:
        code = main([command, *rest[command], f"{name}={value}"])
    except SystemExit as ended:
        code = ended.code  # type: ignore[assignment]
    assert code in (1, 2)
    assert name.lstrip("-") in capsys.readouterr().err


@pytest.mark.parametrize("value", ["-1", "4294967296", "1.5", "nan", "", "9" * 5000])
def test_what_is_no_seed_is_refused(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    try:
        code = main(["simulate", str(tmp_path / "new"), "--config", config, f"--seed={value}"])
    except SystemExit as ended:
        code = ended.code  # type: ignore[assignment]
    assert code in (1, 2)
    assert "seed" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


ODD_LINES = [
    ["nonsense"],
    ["--nonsense"],
    [""],
    ["--"],
    ["-"],
    ["\0"],
    ["bytes\udcff"],
    ["two\nlines"],
    ["[/x]"],
    ["{brace}"],
    ["x" * 5000],
    ["doctor", "more"],
    ["doctor", "--json=maybe"],
    ["doctor", "--no-json"],
    ["check"],
    ["check", "a", "b"],
    ["check", "--config"],
    ["check", "a", "--config", "b", "--config", "c"],
    ["plan", "more"],
    ["plan", "--configfile"],
    ["simulate"],
    ["simulate", "a", "--seed"],
    ["simulate", "a", "--seed", "[1]"],
    ["compare", "--public"],
    ["compare", "--public", "--json"],
    ["compare", "--unknown", "a.csv"],
    ["compare", "--files", "a.csv"],
    ["compare", "--oof=0.5", "--oof=0.6", "a.csv", "b.csv"],
    ["board", "a", "b"],
    ["score"],
    ["score", "a.csv", "85.7"],
    ["score", "a.csv", "-0.1"],
    ["score", "a.csv", "0,857"],
    ["score", "a.csv", "0.5", "0.6"],
    ["score", "a.csv", "nan"],
    ["rerun"],
    ["rerun", "a", "b"],
    ["--install-completion", "--shell", "tcsh"],
]


@pytest.mark.parametrize("line", ODD_LINES, ids=lambda line: ascii(line)[1:30])
def test_a_bad_command_line_is_one_sentence_with_the_help_that_fits(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    named = line[0] if line[0] in (*COMMANDS, "--install-completion") else "lymphokit"
    assert f"{named} --help`" in printed.err


COMMANDS = (
    "doctor",
    "check",
    "plan",
    "simulate",
    "compare",
    "leaderboard",
    "board",
    "score",
    "rerun",
)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        (["comapre"], "compare"),
        (["leaderbord"], "leaderboard"),
        (["chekc", "x"], "check"),
        (["docter"], "doctor"),
        (["scor", "a", "0.5"], "score"),
        (["re-run", "a"], "rerun"),
        (["--verison"], "--version"),
        (["--hlep"], "--help"),
        (["compare", "--pubic", "0.5"], "--public"),
        (["compare", "--jsn"], "--json"),
        (["score", "a", "--privat", "0.5"], "--private"),
        (["check", "a", "--cofnig", "x"], "--config"),
    ],
    ids=lambda part: " ".join(part)[:20],
)
def test_a_typing_error_is_answered_with_what_was_meant(
    line: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(line)
    assert re.search(rf"Did you mean \W?{meant}\b", capsys.readouterr().err)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == importlib.metadata.version("lymphokit")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_examples_of_it_that_can_be_parsed(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    examples = re.findall(r"• lymphokit (.*?)(?=$| *\n\n| *\n •)", capsys.readouterr().out, re.S)
    assert examples
    for example in examples:
        words = shlex.split(example.partition("|")[0])
        assert words[0] in (command, "leaderboard")
        APP.parse_args(words, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert all(command in printed for command in COMMANDS)


def test_the_completion_of_a_shell_is_installed_below_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert main(["--install-completion", "--shell", "bash"]) == 0
    script = Path(capsys.readouterr().out.split(": ")[1].strip())
    assert script.is_relative_to(tmp_path)
    typed = (
        f"source {shlex.quote(str(script))}; COMP_WORDS=(lymphokit leader); COMP_CWORD=1; "
        "COMP_LINE='lymphokit leader'; $(complete -p lymphokit | sed 's/.*-F //; s/ .*//'); "
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["leaderboard"]
    monkeypatch.setenv("HOME", "/proc")
    assert main(["--install-completion", "--shell", "bash"]) == 1
    assert "HOME" in capsys.readouterr().err


def printed_json(capsys: pytest.CaptureFixture[str]) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)  # NaN is no JSON

    return json.loads(capsys.readouterr().out, parse_constant=refuse)


def test_json_of_doctor_has_a_verdict_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["doctor", "--json"])
    lines = {line["name"]: line for line in printed_json(capsys)}
    assert {"python", "torch", "torchvision", "GPU", "memory", "disk", "data"} <= set(lines)
    assert lines["python"]["found"] == platform.python_version()
    assert code == any(line["verdict"] == "fail" for line in lines.values())
    assert all(line["remedy"] for line in lines.values() if line["verdict"] == "note")


def test_json_of_a_check_counts_what_is_there_and_lists_faults(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = tmp_path / "drawn"
    main(["simulate", str(cohort), "--config", config])
    capsys.readouterr()
    assert main(["check", str(cohort), "--config", config, "--json"]) == 0
    found = printed_json(capsys)
    images = [*cohort.glob("trainset/*/*"), *cohort.glob("testset/*/*")]
    assert (found["labelled_patients"], found["patients_to_predict"]) == (10, 2)
    assert found["cells"] == len(images)
    assert found["faults"] == []
    image = next((cohort / "trainset").glob("*/*.jpg"))
    image.write_bytes(b"")
    assert main(["check", str(cohort), "--config", config, "--json"]) == 1
    (fault,) = printed_json(capsys)["faults"]
    assert (fault["patient"], fault["image"]) == (image.parent.name, image.name)


def test_json_of_a_comparison_is_what_is_printed_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, _ = submissions(tmp_path)
    assert main(["compare", a, b, "--json"]) == 0
    found = printed_json(capsys)
    assert [one["file"] for one in found["files"]] == [a, b]
    assert [one["patient"] for one in found["contested"]] == ["P2", "P4", "P5"]
    assert found["contested"][0] == {"patient": "P2", "A": 1, "B": 0}
    assert found["files"][0]["public_score"] is None
    assert found["figure"] == str(tmp_path / "compare.png")
    assert main(["compare", a, b]) == 0
    assert found["summary"] in capsys.readouterr().out


def recorded(folder: Path) -> list[str]:
    """Two submissions with their folders and rows in the ledger; they differ in one setting."""
    files = submissions(folder)[:2]
    for number, file in enumerate(map(Path, files)):
        values = dict.fromkeys(COLUMNS, "x") | {name: "0.8" for name in COLUMNS if "oof" in name}
        values |= {"oof_effective_sample_size": "60", "file": file.name, "cohort": "c"}
        values |= {"sha256": file_sha256(file), "board_public": "", "board_private": ""}
        ledger = folder / "ledger.csv"
        header = "" if ledger.exists() else ",".join(COLUMNS) + "\n"
        with ledger.open("a") as rows:
            rows.write(header + ",".join(values[name] for name in COLUMNS) + "\n")
        calls = [1, 1, 0, 0] if number else [1, 1, 0, 1]
        with_folder(file, decided([1, 1, 0, 0], calls), {"seed": number, "same": 1})
    return files


def test_compare_alone_takes_the_newest_two_and_tests_them_out_of_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path / "submissions")
    (tmp_path / "submissions" / "c.csv").unlink()
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "--json"]) == 0
    found = printed_json(capsys)
    assert [Path(one["file"]).name for one in found["files"]] == ["a.csv", "b.csv"]
    assert found["settings"] == {"seed": {"A": 0, "B": 1}}
    (paired,) = found["out_of_fold"]
    assert paired["n_patients"] == 4
    # One of two reactive patients is called tumoral by A alone.
    assert abs(paired["balanced_accuracy"]) == 0.25
    assert main(["compare", "submissions/*.csv"]) == 0  # as no shell expanded it
    printed = capsys.readouterr().out
    assert "seed" in printed
    assert "4 patients" in printed


def test_compare_alone_without_two_submissions_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare"]) == 1
    assert "snakemake submission" in capsys.readouterr().err


def test_a_score_is_entered_and_stands_on_the_leaderboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path / "submissions")
    monkeypatch.chdir(tmp_path)
    assert main(["score", "a", "0.857", "--private", "0.0"]) == 0
    capsys.readouterr()
    assert main(["leaderboard", "--json"]) == 0
    content = printed_json(capsys)
    public, private = content["boards"]
    assert [row["score"] for row in public["submissions"]] == [0.857, None]
    assert [row["outside"] for row in private["submissions"]] == [True, False]
    assert public["submissions"][0]["oof"] == 0.8
    assert public["submissions"][0]["low"] < 0.8 < public["submissions"][0]["high"]
    assert Path(content["figure"]).is_file()
    assert main(["leaderboard"]) == 0
    ours = capsys.readouterr().out
    assert main(["board"]) == 0
    assert capsys.readouterr().out == ours
    assert "0.86" in ours


def test_a_score_that_cannot_be_entered_is_refused_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path / "submissions")
    monkeypatch.chdir(tmp_path)
    ledger = Path("submissions/ledger.csv")
    before = ledger.read_bytes()
    for line, word in (
        (["score", "gone.csv", "0.5"], "gone.csv"),
        (["score", "submissions/c.csv", "0.5"], "c.csv"),
        (["score", "a"], "0.857"),
        (["score", "submissions/ledger.csv", "0.5"], "ledger.csv"),
    ):
        assert main(line) == 1
        message = capsys.readouterr().err
        assert word in message
        assert message.count("\n") == 1
    assert ledger.read_bytes() == before


def test_rerun_prints_a_command_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path / "submissions")
    monkeypatch.chdir(tmp_path)
    assert main(["rerun", "a"]) == 0
    command = capsys.readouterr().out
    assert command.count("\n") == 1
    assert command.strip().endswith("--configfile submissions/a/config.yaml")


def test_what_nobody_foresaw_ends_in_a_sentence_with_the_place_of_a_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise ZeroDivisionError("[/x] \udcff")

    monkeypatch.setattr("lymphokit.cli._doctor", fail)
    assert main(["doctor"]) == os.EX_SOFTWARE == 70
    message = capsys.readouterr().err
    assert "ZeroDivisionError" in message
    assert message.count("\n") == 1
    log = Path(message.split()[-1])
    assert "Traceback" in log.read_text()
    log.unlink()


def test_output_that_nobody_reads_to_the_end_is_no_error(tmp_path: Path) -> None:
    a, b, _ = submissions(tmp_path)
    command = [sys.executable, "-m", "lymphokit.cli", "compare", a, b]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""

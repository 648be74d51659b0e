"""Which settings differ between submissions, and the command that makes one again."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lymphokit import config
from lymphokit.desk.run_settings import differing_settings, rerun_command, settings_table
from lymphokit.errors import LymphokitError
from lymphokit.leaderboard.compare import compare
from lymphokit.provenance import changed_code, commit
from tests.leaderboard.test_compare import HALF, submission
from tests.submission.runs import SETTINGS, decided, with_folder

DECIDED = decided([1, 0, 1, 0], [1, 0, 0, 0])


def differing(folder: Path, *all_settings: dict[str, Any], commits: tuple[str, ...] = ()) -> Any:
    files = []
    for place, settings in enumerate(all_settings):
        csv = submission(folder / f"{place}.csv", {place})
        with_folder(csv, DECIDED, settings, commits[place] if commits else "0123456789ab")
        files.append(csv)
    return differing_settings(compare(files, HALF).candidates)


def test_only_what_differs_is_shown_by_its_dotted_key(tmp_path: Path) -> None:
    other = config.merge(SETTINGS, {"models": {"mi_svm": {"C": 0.5}, "pooled": {"pca": 4}}})
    found = differing(tmp_path, SETTINGS, other)
    assert found == {
        "models.mi_svm.C": {"A": 1.0, "B": 0.5},
        "models.pooled.pca": {"A": "(not there)", "B": 4},
    }
    assert settings_table(found).row_count == 2


def test_equal_settings_differ_in_nothing_and_other_code_in_its_commit(tmp_path: Path) -> None:
    same = {key: SETTINGS[key] for key in reversed(SETTINGS)}
    assert differing(tmp_path, SETTINGS, same) == {}
    found = differing(tmp_path, SETTINGS, same, SETTINGS, commits=("a", "b", "a"))
    assert found == {"commit": {"A": "a", "B": "b", "C": "a"}}


def test_commits_that_only_settings_changed_are_the_same_code(tmp_path: Path) -> None:
    files = [submission(tmp_path / f"{name}.csv") for name in "abc"]
    for file, commits, changed in zip(
        files, ("a", "a-dirty", "a-dirty"), ([], [], ["src/x.py"]), strict=True
    ):
        with_folder(file, DECIDED, commit=commits, changed_code=changed)
    found = differing_settings(compare(files, HALF).candidates)
    assert found == {"commit": {"A": "a", "B": "a", "C": "a-dirty"}}


@pytest.mark.parametrize(
    "values", [(True, 1), ("1", 1), ([1, 2], [2, 1]), (None, "None"), ({}, {"x": 1})]
)
def test_values_of_other_types_and_orders_differ(tmp_path: Path, values: tuple[Any, Any]) -> None:
    assert differing(tmp_path, *({"block": value} for value in values))


@pytest.mark.parametrize(
    "content", [b"", b"- a", b"a: [1", b"\xff", b"a: 1\na: 2", b"a: !!python/object:x.Y {}"]
)
def test_damaged_settings_are_named(tmp_path: Path, content: bytes) -> None:
    files = [submission(tmp_path / f"{name}.csv") for name in "ab"]
    for file in files:
        (with_folder(file, DECIDED) / "config.yaml").write_bytes(content)
    with pytest.raises(LymphokitError, match=r"config\.yaml"):
        differing_settings(compare(files, HALF).candidates)


def test_settings_that_multiply_by_references_end_in_an_error(tmp_path: Path) -> None:
    bomb = ["a0: &a0 {x: 1, y: 2}"]
    bomb += [f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}" for n in range(1, 40)]
    files = [submission(tmp_path / f"{name}.csv") for name in "ab"]
    for file in files:
        (with_folder(file, DECIDED) / "config.yaml").write_text("\n".join(bomb))
    with pytest.raises(LymphokitError, match=r"config\.yaml"):
        differing_settings(compare(files, HALF).candidates)


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit and a submission of it."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("submissions/\n")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SETTINGS))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    Path("submissions").mkdir()
    csv = submission(Path("submissions") / "a b.csv")
    with_folder(csv, DECIDED, commit=commit(tmp_path))
    return csv


def test_the_command_gives_the_settings_back(checkout: Path) -> None:
    command = rerun_command(checkout)
    assert command == "snakemake --cores all -R submit --configfile 'submissions/a b/config.yaml'"


def test_other_code_is_checked_out_first(checkout: Path) -> None:
    before = commit(Path())
    Path("more.py").touch()
    git(Path(), "add", "more.py")
    git(Path(), "commit", "--quiet", "--message", "two")
    assert rerun_command(checkout).startswith(f"git checkout {before} && snakemake ")
    git(Path(), "checkout", "--quiet", before)
    assert rerun_command(checkout).startswith("snakemake ")


def test_settings_changed_in_config_yaml_are_no_changed_code(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = config.merge(SETTINGS, {"seed": 8})
    Path("config.yaml").write_text(yaml.safe_dump(changed))
    revision = commit(Path())
    assert revision.endswith("-dirty")
    assert changed_code(Path()) == []
    with_folder(checkout, DECIDED, changed, commit=revision, changed_code=[])
    Path("config.yaml").write_text(yaml.safe_dump(SETTINGS))
    assert rerun_command(checkout).startswith("snakemake ")
    assert capsys.readouterr().err == ""


def test_what_no_command_brings_back_is_named(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = config.merge(SETTINGS, {"models": {"mine": {"pca": 2}}})
    Path("config.yaml").write_text(yaml.safe_dump(mine))
    Path(".gitignore").write_text("submissions/\nmore\n")
    assert changed_code(Path()) == [".gitignore"]
    assert rerun_command(checkout).startswith("snakemake ")
    told = capsys.readouterr().err
    assert "models.mine" in told
    assert ".gitignore" in told
    assert "no commit holds" not in told
    with_folder(checkout, DECIDED, mine, commit=commit(Path()), changed_code=["src/x.py"])
    git(Path(), "stash", "--quiet")
    rerun_command(checkout)
    assert "no commit holds, in src/x.py" in capsys.readouterr().err
    with_folder(checkout, DECIDED, commit=f"{commit(Path())}-dirty")
    rerun_command(checkout)
    assert "no commit holds" in capsys.readouterr().err


def test_without_git_the_command_has_no_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    csv = submission(Path("a.csv"))
    with_folder(csv, DECIDED, commit="none")
    assert rerun_command(csv) == "snakemake --cores all -R submit --configfile a/config.yaml"


def test_a_submission_without_a_folder_has_no_command(tmp_path: Path) -> None:
    csv = submission(tmp_path / "a.csv")
    with pytest.raises(LymphokitError, match=r"a\.csv has no folder"):
        rerun_command(csv)


def test_the_saved_settings_over_those_of_the_kit_are_the_saved_settings(tmp_path: Path) -> None:
    """As --configfile merges them: what a run had is what its repetition has."""
    root = Path(__file__).parents[2]
    files = [root / "config.yaml", root / "config" / "demo.yaml"]
    base = config.merge(*map(config.read_yaml, files))
    changed = {"seed": 5, "models": {"mi_svm": {"C": 0.5, "pca": 7}}}
    ran = config.validate(config.merge(base, changed))
    csv = submission(tmp_path / "a.csv")
    saved = config.read_yaml(with_folder(csv, DECIDED, ran) / "config.yaml")
    assert config.validate(config.merge(base, saved)) == ran

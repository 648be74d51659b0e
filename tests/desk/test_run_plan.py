"""What a run would do, as the Snakefile plans it."""

import json
import shutil
from pathlib import Path

import pytest

from lymphokit.desk.run_plan import describe_plan, plan_lines, read_plan
from lymphokit.errors import LymphokitError

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "workflow" / "tiny.yaml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the settings of the kit and no data."""
    shutil.copy(ROOT / "config.yaml", tmp_path)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path


def test_overlays_change_what_runs_and_each_model_runs_rests_or_is_switched_off(root: Path) -> None:
    everything, tiny = read_plan(root), read_plan(root, [TINY])
    assert everything.cohort == tiny.cohort == "demo"
    assert len(tiny.folds) == 2
    assert "pseudo_label_lgbm" in everything.models
    assert "pseudo_label_lgbm" not in tiny.models
    found = describe_plan(tiny, root)
    assert found["fits"] == 2 * len(found["models"])
    assert not set(found["models"]) & set(found["at_rest"])
    assert json.loads(json.dumps(found)) == found


def test_the_last_overlay_counts_also_for_the_data(root: Path) -> None:
    (root / "over.yaml").write_text("raw: nowhere\n")
    with pytest.raises(LymphokitError, match="nowhere"):
        read_plan(root, [root / "over.yaml"])
    (root / "again.yaml").write_text("raw: demo\n")
    assert read_plan(root, [root / "over.yaml", root / "again.yaml"]).cohort == "demo"


def test_models_without_weights_rest_with_the_reason(root: Path) -> None:
    (root / "over.yaml").write_text("backbones: {vgg19: {weights: gone.pth}}\n")
    found = describe_plan(read_plan(root, [root / "over.yaml"]), root)
    assert "gone.pth" in found["at_rest"]["pooled_vgg19"]
    (line,) = (line for line in plan_lines(found) if "gone.pth" in line)
    assert "pooled_vgg19" in line


def test_times_are_those_of_the_jobs_that_ran_here(root: Path) -> None:
    plan = read_plan(root, [TINY])
    assert describe_plan(plan, root)["jobs_measured"] == 0
    header = "s\th:m:s\tmax_rss\n"
    logs = root / "logs" / "demo" / "fold1"
    logs.mkdir(parents=True)
    (logs / "a.tsv").write_text(f"{header}90.5\t0:01:30\t1\n")
    (logs.parent / "b.tsv").write_text(f"{header}29.5\t0:00:29\t-\n")
    (logs.parent / "cut.tsv").write_text("s\th:m")
    (logs.parent / "odd.tsv").write_text(f"{header}NaN\t-\t-\n")
    (logs.parent / "bytes.tsv").write_bytes(b"\xff\x00s\n1")
    found = describe_plan(plan, root)
    assert (found["jobs_measured"], found["seconds_measured"]) == (2, 120.0)
    assert any("2.0 minutes" in line for line in plan_lines(found))


def test_without_config_yaml_the_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LymphokitError, match=str(tmp_path)):
        read_plan(tmp_path)

"""What a run would do, as the Snakefile plans it."""

import json
import shutil
from pathlib import Path

import pytest

from lymphokit.desk.forecast import forecast
from lymphokit.desk.job_costs import COSTS
from lymphokit.desk.run_plan import describe_plan, plan_lines, read_plan, switched_off
from lymphokit.errors import LymphokitError
from lymphokit.models.registry import kinds

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


def test_the_forecast_has_the_jobs_of_the_rules(root: Path) -> None:
    """By the names of benchmark tables, counted by hand from workflow/rules."""
    plan = read_plan(root, [TINY])
    jobs = {job.name: job for job in forecast(plan, {}).jobs}
    assert len(jobs) == len(forecast(plan, {}).jobs)
    n_rounds, n_folds = plan.last_round + 1, len(plan.folds)
    assert sum("/round" in name and name[-1].isdigit() for name in jobs) == n_rounds * n_folds
    assert all(f"fold{fold}/{model}" in jobs for fold in plan.folds for model in plan.models)
    for name in ("simulate", "check", "pixels", "fold2/blend", "submit", "audit", "stain_test"):
        assert name in jobs
    written = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    for name in jobs:
        if "fold" not in name and "_" not in name.replace("_figures", ""):
            assert f"/{name}.tsv" in written


def test_times_measured_before_take_the_place_of_constants(root: Path) -> None:
    plan = read_plan(root, [TINY])
    before = forecast(plan, {})
    after = forecast(plan, {"check": 1000.0})
    check = next(job.seconds for job in before.jobs if job.name == "check")
    assert after.seconds - before.seconds == pytest.approx((1000 - check) / before.cores)
    assert after.longest.name == "check"


def test_more_cells_rounds_and_larger_networks_take_longer(root: Path) -> None:
    def seconds(text: str) -> float:
        (root / "over.yaml").write_text(text)
        return forecast(read_plan(root, [root / "over.yaml"]), {}).seconds

    least = seconds("seed: 1\n")
    assert least < seconds("simulate: {cells: [80, 160]}\n")
    assert least < seconds("pseudo_label: {rounds: [{count: 60, add: 1}]}\n")
    assert least < seconds("folds: {k: 10}\n")
    assert least < seconds("autoencoder: {epochs: 50}\n")
    small = {"weights": "none", "stages": [-1], "pool": ["image"], "normalise": "none"}
    networks = [
        seconds(json.dumps({"backbones": {"cell_colour": {**small, "timm": name}}}))
        for name in ("resnet18", "resnet50", "vgg19")
    ]
    assert networks == sorted(networks)


@pytest.mark.parametrize("is_zip", [False, True])
def test_images_are_counted_by_their_names(root: Path, is_zip: bool) -> None:
    download = root / "data" / "raw" / "dlmi-lymphocytosis-classification"
    for number in range(5):
        path = download / "trainset" / f"P{number}" / "1.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * 10**6)
    (download / "clinical_annotation.csv").write_text("ID\n")
    (download / "picture.jpg").write_bytes(b"")
    if is_zip:
        shutil.make_archive(str(download), "zip", download)
        shutil.rmtree(download)
    coming = forecast(read_plan(root), {})
    assert coming.cells == 5
    assert ("unpack" in {job.name for job in coming.jobs}) == is_zip


def test_every_model_runs_rests_or_is_left_out_with_a_reason(root: Path) -> None:
    plan = read_plan(root)
    groups = [set(plan.models), set(plan.resting), set(switched_off(plan))]
    assert set().union(*groups) == set(plan.settings["models"])
    assert sum(map(len, groups)) == len(plan.settings["models"])


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_kind_of_model_has_its_measured_cost(kind: str) -> None:
    assert kind in COSTS


def test_without_config_yaml_the_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LymphokitError, match=str(tmp_path)):
        read_plan(tmp_path)

"""The plan of a run: which models run, which rest and why, and which files each reads."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

from lymphokit import config
from lymphokit.cohort.raw import RawChoice
from lymphokit.errors import ConfigError
from lymphokit.plan import ROUND_RULES, Plan, make_plan, require_checkout, resolve_auto
from lymphokit.studies.permutation import SHUFFLES

ROOT = Path(__file__).parents[1]
SIMULATED = RawChoice("demo", None, False, "because a test asks")


def plan_for(
    changes: dict[str, Any], source: RawChoice = SIMULATED, root: Path = Path("/nonexistent")
) -> Plan:
    """The plan of config.yaml with these changes."""
    settings = config.read_yaml(ROOT / "config.yaml")
    return make_plan(config.merge(settings, changes), source, list(settings["models"]), root)


@pytest.fixture(autouse=True)
def reachable_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """All weights can be had, whatever network this machine has."""
    monkeypatch.setattr("lymphokit.plan.missing_weights", lambda *_: None)


@pytest.fixture
def download(tmp_path: Path) -> RawChoice:
    """A download without labelled cells and blood cells beside it."""
    (tmp_path / "raw").mkdir()
    return RawChoice("real", tmp_path / "raw", False, "because a test asks")


def test_the_simulated_cohort_brings_its_cells_so_no_model_rests() -> None:
    plan = plan_for({})
    assert plan.resting == {}
    assert plan.raw == "results/demo/raw"
    assert plan.truth == "results/demo/truth"
    assert plan.labelled_cell_input() == plan.raw


def test_without_labelled_and_blood_cells_their_models_rest_and_the_plan_says_why(
    download: RawChoice, tmp_path: Path
) -> None:
    plan = plan_for({}, download, tmp_path)
    assert plan.resting["pseudo_label_xgb"] == plan.resting["round_zero_xgb"] == "no labelled cells"
    assert plan.resting["pooled_blood"] == "no blood cells"
    assert not set(plan.resting) & set(plan.approaches)
    assert plan.series == {}
    for read, folder in ((plan.labelled_cell_input, "ALL_IDB2"), (plan.blood_cell_input, "PBC")):
        with pytest.raises(ConfigError, match=folder):
            read()
    assert plan.raw == str(tmp_path / "raw")
    assert "rounds" not in plan.figures


def test_a_choice_with_one_candidate_left_is_no_choice(download: RawChoice, tmp_path: Path) -> None:
    plan = plan_for({"models": {"mi_svm_soft": {"enabled": False}}}, download, tmp_path)
    assert set(plan.choices) == {"chosen_blend", "chosen_model", "chosen_pooling"}


def test_the_main_job_fits_what_the_csv_needs_and_the_approaches_all() -> None:
    plan = plan_for({})
    assert "mi_svm_soft" not in plan.blended
    assert "mi_svm_soft" in plan.models  # a candidate of a choice
    outside = {"end_to_end", "one_class", "pooled_blood", "instance_cnn", "d_mil", "experts"}
    assert not outside & set(plan.models)
    assert outside < set(plan.approaches)
    assert "clinical" not in plan.blends["image_models"]
    assert "blood_cells" not in plan.figures
    assert {"blood_cells", "margins_one_class"} == set(plan.approach_figures)


def test_the_baseline_of_the_comparisons_is_always_fitted() -> None:
    changes = {"models": {"clinical": {"enabled": "scored"}}, "ensemble": {"choices": {"a": "all"}}}
    assert "clinical" in plan_for(changes).models


def test_a_network_whose_weights_cannot_be_had_rests_its_models_before_any_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "lymphokit.plan.missing_weights",
        lambda _, weights, *__: "offline" if weights == "auto" else None,
    )
    plan = plan_for({"models": {"pooled": {"features": "resnet50"}}})
    assert plan.resting["pooled"] == "backbone resnet50: offline"
    assert plan.resting["pseudo_label_xgb"] == "backbone vgg19: offline"
    assert any("pooled" in line and "resnet50" in line for line in plan.messages)
    with pytest.raises(ConfigError, match=r"submission\.blend: pooled rests"):
        plan_for(
            {"models": {"pooled": {"features": "resnet50"}}, "submission": {"blend": "pooled"}}
        )


@pytest.mark.parametrize(
    ("gpu", "train", "stain"), [(True, "all", "competition"), (False, "head", "labelled_cells")]
)
def test_auto_follows_the_machine(gpu: bool, train: str, stain: str) -> None:
    settings = config.validate(config.read_yaml(ROOT / "config.yaml"))
    resolved = resolve_auto(settings, gpu)
    assert (resolved["pseudo_label"]["train"], resolved["pseudo_label"]["stain"]) == (train, stain)
    assert resolved["instance_network"]["train"] == train
    explicit = config.merge(settings, {"pseudo_label": {"train": "all", "stain": "none"}})
    assert resolve_auto(explicit, gpu)["pseudo_label"]["train"] == "all"
    assert resolve_auto(explicit, gpu)["pseudo_label"]["stain"] == "none"


@pytest.mark.parametrize(
    ("folds", "number"),
    [({"k": 5}, 5), ({"k": 4, "repeats": 3}, 12), ({"scheme": "split", "repeats": 2}, 2)],
)
def test_folds_are_numbered_over_all_repeats(folds: dict[str, Any], number: int) -> None:
    assert list(plan_for({"folds": folds}).folds) == list(range(1, number + 1))


@pytest.mark.parametrize(
    ("model", "files"),
    [
        ("clinical", []),
        ("pooled", ["features/morphology.npy", "features/morphology.json"]),
        ("end_to_end", ["imaging/raw_128.npy"]),
        ("instance_cnn", [f"fold2/features/instance_network.{end}" for end in ("npy", "json")]),
    ],
)
def test_a_bank_fitted_with_labels_lies_in_its_fold(model: str, files: list[str]) -> None:
    assert plan_for({}).bank_files(model, 2) == files


def test_models_stand_in_the_order_of_config_and_new_ones_after_them() -> None:
    toy = f"{ROOT / 'tests/models/toy_model.py'}:mean_feature"
    block = {"kind": toy, "enabled": True, "features": "morphology", "column": 0}
    plan = plan_for({"models": {"toy": block, "clinical": {"C": 2.0}}})
    assert plan.models[0] == "clinical"
    assert plan.models[-1] == "toy"
    assert plan.block("toy")["kind"] == toy
    assert plan.kind("toy").file == ROOT / "tests/models/toy_model.py"


def test_a_backbone_finds_its_file_of_weights_beside_the_download(
    download: RawChoice, tmp_path: Path
) -> None:
    weights = tmp_path / "weights" / "net.safetensors"
    weights.parent.mkdir()
    weights.touch()
    changes = {"backbones": {"resnet18": {"weights": weights.name}}}
    plan = plan_for(changes, download, tmp_path)
    assert plan.backbone("resnet18")["weights"] == str(weights)
    assert plan.trunk("resnet18")["name"] == "resnet18.tv_in1k"
    assert plan.backbone("vgg19")["weights"] == "hub"


def test_round_r_reads_the_files_of_round_r_minus_1() -> None:
    class Wildcards:
        cohort, fold, round, series = "demo", "3", "7", "pseudo_label"

    plan = plan_for({"pseudo_label": {"train": "head", "stain": "labelled_cells"}})
    before = plan.round_before(Wildcards)
    assert before["added"] == "results/demo/fold3/pseudo_label/round6/added.csv"
    assert plan.learner_inputs(Wildcards)["bank"] == "results/demo/features/vgg19.npy"
    assert plan.sizes_until("7") == [2] * 5 + [5] * 2
    assert len(plan.sizes_until(None)) == plan.last_round == 23


class BagStart:
    """Wildcards of the rounds that start from bags beside those of `pseudo_label`."""

    cohort, fold, round, series = "demo", "3", "7", "bag_start"


@pytest.mark.parametrize("train", ["head", "all"])
def test_rounds_from_bags_read_nothing_of_labelled_cells(train: str) -> None:
    plan = plan_for({"pseudo_label": {"train": train, "stain": "labelled_cells"}})
    files = plan.learner_inputs(BagStart)
    assert not {"table", "about", "stain", "labelled_bank"} & set(files)
    assert not any("labelled" in path for path in files.values())
    assert not {"stain", "stain_per"} & set(plan.learning("bag_start"))
    assert plan.stain_of(BagStart) == []
    assert plan.drawn("bag_start") == 100
    assert plan.drawn("pseudo_label") is None
    before = plan.round_before(BagStart)
    assert before["scores"] == "results/demo/fold3/bag_start/round6/scores.npz"


def test_a_start_from_bags_needs_no_labelled_cells(download: RawChoice, tmp_path: Path) -> None:
    changes = {"pseudo_label": {"start": "bags"}}
    plan = plan_for(changes, download, tmp_path)
    assert {"pseudo_label_xgb", "round_zero_xgb"} <= set(plan.models)
    assert "bag_start_xgb" in plan.resting  # it would be pseudo_label_xgb again
    assert plan.series == {"pseudo_label": "bags"}
    assert plan.labelled_table == []
    assert not {"labelled_cells", "stain"} & set(plan.figures)
    assert {"rounds", "added_fold1"} <= set(plan.figures)
    galleries = [name for name in plan.figure_files if name.startswith("added")]
    assert galleries == ["added_fold1.jpg"]
    assert "rounds.png" in plan.figure_files
    assert not any("stain.json" in path for path in plan.pseudo_label_files)
    assert not any("labelled cells" in line for line in plan.messages)


def test_both_starts_stand_in_the_table_of_approaches(download: RawChoice, tmp_path: Path) -> None:
    plan = plan_for({})
    assert plan.series == {"pseudo_label": "labelled_cells"}
    assert {"pseudo_label_xgb", "bag_start_xgb"} <= set(plan.approaches)
    assert "bag_start_xgb" in plan_for({}, download, tmp_path).approaches
    enabled = plan_for({"models": {"bag_start_xgb": {"enabled": True}}})
    assert enabled.series == {"pseudo_label": "labelled_cells", "bag_start": "bags"}
    assert "results/demo/fold1/bag_start/lineage.json" in enabled.pseudo_label_files


@pytest.mark.parametrize(
    ("forced", "targets", "is_refused"),
    [
        (["pseudo_label"], [], True),
        (["round_zero", "pseudo_label"], ["submission"], True),
        (["results/real/fold1/pseudo_label/round1/added.csv"], [], True),
        (["fit"], [], False),
        ([], ["submission"], False),
        # The rounds from bags run there, and are rerun.
        (["pseudo_label"], ["approaches"], False),
        (["pseudo_label", "approaches"], [], False),
    ],
)
def test_a_rerun_of_rounds_that_no_model_reads_is_refused(
    forced: list[str], targets: list[str], is_refused: bool, download: RawChoice, tmp_path: Path
) -> None:
    refusal = plan_for({}, download, tmp_path).nothing_to_rerun(forced, targets)
    assert (refusal is not None) is is_refused
    if refusal:
        assert all(word in refusal for word in ("no labelled cells", "ALL_IDB2", "start to bags"))
    assert plan_for({}).nothing_to_rerun(forced, targets) is None
    from_bags = plan_for({"pseudo_label": {"start": "bags"}}, download, tmp_path)
    assert from_bags.nothing_to_rerun(forced, targets) is None


def test_a_rerun_without_weights_or_models_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    readers = ["xgb", "lgbm", "xgb_shares", "lgbm_shares"]
    off = {f"pseudo_label_{name}": {"enabled": False} for name in readers}
    off |= {"round_zero_xgb": {"enabled": False}}
    said = plan_for({"models": off}).nothing_to_rerun(["pseudo_label"], [])
    assert said is not None
    assert "no model reads" in said
    monkeypatch.setattr("lymphokit.plan.missing_weights", lambda *_: "offline")
    said = plan_for({}).nothing_to_rerun(["pseudo_label"], [])
    assert said is not None
    assert "backbone vgg19: offline" in said


def test_the_rules_whose_rerun_may_be_refused_are_those_of_the_chapter() -> None:
    text = (ROOT / "workflow/rules/pseudo_label.smk").read_text()
    rules = set(re.findall(r"^(?:use )?rule (?:\w+ as )?(\w+)", text, re.M))
    assert set(ROUND_RULES) == rules - {"starting_network", "starting_networks"}


def test_settings_that_no_submission_depends_on_are_left_out_of_its_digest() -> None:
    settings = plan_for({}).submission_settings
    assert "models" in settings
    assert "folds" in settings
    assert not {"calibration", "referral", "permutation", "cell_draws", "raw"} & set(settings)
    # Nor what only approaches outside the main job read.
    assert not {"blood_cells", "instance_network"} & set(settings)
    assert "end_to_end" not in settings["models"]
    assert list(settings["backbones"]) == ["vgg19", "cell_colour", "cell_only"]


def test_a_package_of_another_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make env"):
        require_checkout(tmp_path)
    require_checkout(ROOT)


def test_the_shuffles_are_those_that_test_something_about_the_permuted_models() -> None:
    assert plan_for({}).shuffles == SHUFFLES
    clinical, pooled = (
        plan_for({"permutation": {"models": [name]}}) for name in ("clinical", "pooled")
    )
    assert clinical.shuffles == ("labels",)
    assert pooled.shuffles == ("labels", "images", "images_of_size")


def test_braces_in_the_checkouts_path_are_refused() -> None:
    with pytest.raises(ConfigError, match="braces"):
        require_checkout(Path("/some/{place}"))


@pytest.mark.parametrize("place", ["~/mine.pth", "mine.pth", "beside"])
def test_another_file_of_weights_changes_the_settings_of_its_backbone(
    tmp_path: Path, download: RawChoice, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    folder = {"~/mine.pth": "home", "mine.pth": "data/weights", "beside": "weights"}[place]
    file = tmp_path / folder / "mine.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"one")
    name = "mine.pth" if place == "beside" else place
    plan = plan_for({"backbones": {"resnet50": {"weights": name, "sha256": None}}}, download)
    before = plan.trunk("resnet50")
    assert Path(before["weights"]).resolve() == file
    assert before["sha256"] == hashlib.sha256(b"one").hexdigest()
    file.write_bytes(b"two")
    os.utime(file, (1.0, 1.0))
    assert plan.trunk("resnet50") != before
    assert plan.backbone("resnet50")["sha256"] == hashlib.sha256(b"two").hexdigest()


@pytest.mark.parametrize("block", ["pseudo_label", "instance_network"])
def test_networks_compared_beside_the_main_job_write_no_new_submission(block: str) -> None:
    blended = {"models": {"instance_cnn": {"enabled": True}}}  # so that both blocks are read
    before = plan_for(blended).submission_settings
    assert plan_for({**blended, block: {"compare": ["resnet50"]}}).submission_settings == before
    assert plan_for({**blended, block: {"ridge": 0.5}}).submission_settings != before


def test_preprocessing_writes_no_new_submission() -> None:
    changed = plan_for({"preprocessing": {"mi_svm": "mi_svm_soft"}}).submission_settings
    assert changed == plan_for({}).submission_settings


def test_the_types_of_cells_are_shown_of_every_such_model_of_the_main_job() -> None:
    more = {**plan_for({}).block("cell_types"), "types": 16}
    plan = plan_for({"models": {"more_types": more}})
    assert {"cell_types_cell_types", "cell_types_more_types"} <= set(plan.figures)
    without = plan_for({"models": {"cell_types": {"enabled": False}}})
    assert "cell_types_cell_types" not in without.figures


def test_the_figures_of_the_report_belong_to_a_submission() -> None:
    assert {"age", "lymphocytes", "labelled_cells"} <= set(plan_for({}).figures)


def test_a_product_of_models_at_rest_is_refused_and_one_of_some_is_not() -> None:
    alone = {"bag_kernel": {"enabled": False}, "cell_types": {"enabled": False}}
    assert plan_for({"models": alone}).product == {
        "images": ["bag_kernel_cell_only", "bag_kernel_morphology"],
        "clinical": ["clinical"],
    }
    product = {"images": ["mi_svm_soft"], "clinical": "clinical"}
    overlay = {"ensemble": {"product": product}, "models": {"mi_svm_soft": {"enabled": False}}}
    with pytest.raises(ConfigError, match=r"submission.blend: product"):
        plan_for(overlay)
    plan = plan_for({**overlay, "submission": {"blend": "stack"}})
    assert plan.product["images"] == []
    assert plan.choices["chosen_blend"] == ["stack", "mean", "vote"]


def test_a_bank_needs_the_masks_that_its_settings_name() -> None:
    plan = plan_for({"backbones": {"resnet18": {"image": "segmented"}}})
    needed = {name: set(plan.cell_inputs(name)) for name in ("vgg19", "resnet18", "cell_colour")}
    both = {"raw", "cells"}
    assert needed["vgg19"] == both
    assert needed["resnet18"] == both | {"masks"}
    assert needed["cell_colour"] == both | {"cell_masks", "smear_colours"}


def test_a_network_on_normalised_cells_is_never_trained_whole() -> None:
    settings = config.read_yaml(ROOT / "config.yaml")
    of_cells = config.merge(settings, {"pseudo_label": {"network": "cell_colour"}})
    resolved = resolve_auto(config.validate(of_cells), gpu=True)["pseudo_label"]
    assert (resolved["train"], resolved["stain"]) == ("head", "none")
    with pytest.raises(ConfigError, match="head"):
        config.validate(config.merge(of_cells, {"pseudo_label": {"train": "all"}}))


@pytest.mark.parametrize("weights", ["~nobody-of-this-name/a.pth", "x" * 300, "null\0character"])
def test_a_path_of_weights_that_cannot_be_is_refused_though_no_model_reads_it(weights: str) -> None:
    with pytest.raises(ConfigError, match=r"backbones\.vgg19\.weights"):
        plan_for({"backbones": {"vgg19": {"weights": weights}}})


def test_the_stain_test_takes_the_described_models_of_the_product() -> None:
    images = ["pooled", "cell_types", "bag_kernel"]
    plan = plan_for({"ensemble": {"product": {"images": images, "clinical": "clinical"}}})
    assert plan.described == ["cell_types", "bag_kernel"]
    assert "stain_test" in plan.figures
    without = {"ensemble": {"product": {"images": ["pooled"], "clinical": "clinical"}}}
    plan = plan_for(without)
    assert (plan.described, plan.colourless) == ([], [])
    assert "stain_test" not in plan.figures


def test_a_model_that_sees_no_colour_is_scored_beside_the_stain_test() -> None:
    grey = config.read_yaml(ROOT / "config.yaml")["models"]["bag_kernel"]
    grey |= {"enabled": "scored", "features": "cell_grey"}
    assert "another_grey" in plan_for({"models": {"another_grey": grey}}).colourless
    assert "another_grey" not in plan_for({}).colourless

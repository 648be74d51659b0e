"""The rounds as rules: what reruns, what is refused, and both ways to train."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lymphokit.integrity import write_records
from tests.workflow.conftest import Checkout, names_planned
from tests.workflow.test_reruns import AFTER_THE_SCORES

# One worker for all of them, so that the finished checkout is made once.
pytestmark = pytest.mark.xdist_group("workflow")

ROUNDS = "results/demo/fold1/pseudo_label"
SNAKEMAKE_SAYS = ("Using workflow specific profile", "Config file")
SERIES = ("pseudo_label", "bag_start")


def test_rerunning_the_rounds_reruns_what_follows_and_no_features(finished: Checkout) -> None:
    assert finished.planned("-R", "pseudo_label") == {
        *("pseudo_label", "rounds", "gallery", "lineage", "last_phase"),
        *("pseudo_label_bank", "pseudo_label_xgb", "pseudo_label_lgbm_shares", "blend"),
        "bag_start_xgb",
        *("out_of_fold", "approaches", *AFTER_THE_SCORES),
    }


def test_both_starts_stand_in_one_table_of_scores(finished: Checkout) -> None:
    table = pd.read_csv(finished.folder / "results/demo/approaches.csv").set_index("model")
    assert table.loc[["pseudo_label_xgb", "bag_start_xgb"], "balanced_accuracy"].notna().all()
    rounds = finished.folder / "results/demo/fold1"
    starts = [json.loads((rounds / s / "lineage.json").read_text())["start"] for s in SERIES]
    assert starts == ["labelled_cells", "bags"]


def test_rounds_that_start_from_bags_end_with_a_csv_without_labelled_cells(
    copied: Checkout,
) -> None:
    before = len(copied.submissions())
    shutil.rmtree(copied.folder / "results/demo/labelled_cells")
    copied.configure("{labelled_cells: none, pseudo_label: {start: bags}}")
    copied.run("submission")
    home = copied.folder / "results/demo"
    assert len(copied.submissions()) == before + 1
    assert not (home / "labelled_cells").exists()
    lineage = json.loads((home / "fold1/pseudo_label/lineage.json").read_text())
    assert lineage["start"] == "bags"
    record = json.loads((home / "fold1/pseudo_label/last/record.json").read_text())
    assert {subset["labelled_accuracy"] for subset in record["subsets"]} == {None}
    assert pd.read_csv(home / "rounds.csv")["labelled_accuracy"].isna().all()
    checks = json.loads((home / "audit.json").read_text())["checks"]
    assert {check["check"]: check["passed"] for check in checks}["pseudo-labels"]
    for model in ("pseudo_label_xgb", "round_zero_xgb"):
        assert (home / f"fold1/{model}/predictions.csv").exists()
    assert copied.planned("-R", "gallery") >= {"gallery"}


@pytest.mark.parametrize("extra", [[], ["--dry-run"]])
def test_a_rerun_of_rounds_without_labelled_cells_stops_with_the_reason(
    finished: Checkout, extra: list[str]
) -> None:
    none = ["--config", "labelled_cells=none"]
    told = finished.refusal("submission", "-R", "pseudo_label", *extra, *none)
    first, *others = [line for line in told.splitlines() if not line.startswith(SNAKEMAKE_SAYS)]
    assert all(word in first for word in ("no labelled cells", "ALL_IDB2", "pseudo_label.start"))
    assert others == []


def test_without_labelled_cells_the_rounds_from_bags_are_still_an_approach(
    finished: Checkout,
) -> None:
    planned = finished.planned("--config", "labelled_cells=none")
    assert not {"pseudo_label", "pseudo_label_xgb", "round_zero_xgb"} & planned
    assert "approaches" in planned  # its table lacks the models at rest now
    rerun = finished.planned("-R", "pseudo_label", "--config", "labelled_cells=none")
    assert {"pseudo_label", "bag_start_xgb"} <= rerun


def test_a_round_beyond_the_last_is_refused(finished: Checkout) -> None:
    told = finished.refusal(f"{ROUNDS}/round4/added.csv", "--dry-run")
    assert "round 4: pseudo_label.rounds in config.yaml has 3 rounds" in told


def test_every_fold_ends_with_as_many_cells_as_configured(finished: Checkout) -> None:
    for fold in (1, 2):
        rounds = finished.folder / f"results/demo/fold{fold}/pseudo_label"
        added = pd.read_csv(rounds / "round3/added.csv")
        assert (added.groupby(["held_out", "label"]).size() == 4).all()
        assert set(added["held_out"]) == {-1, 0, 1}
        lineage = json.loads((rounds / "lineage.json").read_text())
        assert lineage["cells"] == {"-1": 8, "0": 8, "1": 8}


def test_tampered_pseudo_labels_fail_the_build(copied: Checkout) -> None:
    path = copied.folder / ROUNDS / "round3/added.csv"
    folds = pd.read_csv(copied.folder / "results/demo/folds.csv", dtype=str)
    stranger = folds.query("fold == '1' and part == 'validation'")["patient"].iloc[0]
    added = pd.read_csv(path, dtype={"patient": str})
    added.loc[0, "patient"] = stranger
    added.to_csv(path, index=False)
    write_records([str(path)], "pseudo_label", {})  # as if its job had chosen so
    told = copied.refusal("submission")
    assert f"{stranger} is a validation patient" in told


def test_a_folder_without_labels_in_its_names_is_refused_at_once(
    finished: Checkout, tmp_path: Path
) -> None:
    for number in range(20):
        (tmp_path / f"cell{number}.tif").touch()
    told = finished.refusal("submission", "--config", f"labelled_cells={tmp_path}")
    assert "cell0.tif has no label" in told
    assert "ImNNN_1.tif (a blast)" in told
    assert "Job stats" not in told


def test_a_download_without_labelled_cells_leaves_their_models_out(copied: Checkout) -> None:
    download = copied.folder / "download"
    shutil.copytree(copied.folder / "results/demo/raw", download)
    told = copied.run("submission", "--dry-run", "--config", f"raw={download}")
    assert "no labelled cells: the models that learn from them are left out" in told
    assert not {"pseudo_label", "pseudo_label_xgb"} & names_planned(told)


def test_training_every_weight_goes_through_a_full_round(copied: Checkout) -> None:
    copied.configure(
        """
        backbones:
          resnet18: {weights: none}
        pseudo_label:
          network: resnet18
          train: all
          stain: competition
          labelled_px: 32
          sgd: {epochs: 1, batch_size: 8}
        """
    )
    copied.run(f"{ROUNDS}/round1/added.csv")
    rounds = copied.folder / ROUNDS
    with np.load(rounds / "round1/scores.npz") as scores:
        n_cells = len(pd.read_csv(copied.folder / "results/demo/cohort/cells.csv"))
        assert scores["log_odds"].shape == (3, n_cells)
        assert np.isfinite(scores["log_odds"]).all()
        assert len(np.unique(scores["log_odds"][0])) > n_cells // 2
    added = pd.read_csv(rounds / "round1/added.csv")
    assert added.groupby(["held_out", "label"]).size().tolist() == [1] * 6
    record = json.loads((rounds / "round1/record.json").read_text())
    assert record["settings"]["train"] == "all"

"""What reruns after which change: nothing more than the change touches, and nothing less."""

import csv
import json
import os

import pytest

from lymphokit.cohort.raw import locate
from lymphokit.config import merge, read_yaml
from lymphokit.plan import make_plan
from lymphokit.provenance import settings_digest
from lymphokit.report.contents import optional_files
from tests.workflow.conftest import ROOT, Checkout

# One worker for all of them, so that the finished checkout is made once.
pytestmark = pytest.mark.xdist_group("workflow")

AFTER_THE_SCORES = {"comparison", "confounders", "calibration", "referral"}
AFTER_THE_SCORES |= {"leaks", "submit", "audit", "report"}
AFTER_A_MODEL = {"blend", "out_of_fold", "approaches", *AFTER_THE_SCORES}
BLENDS = ["vote", "mean", "stack", "product", "images"]
BLENDS += ["chosen_blend", "chosen_model", "chosen_pooling", "chosen_round"]
BLENDS += ["chosen_counts"]  # not chosen_c: one of its two models rests


def test_one_worker_runs_all_tests_of_the_workflow(request: pytest.FixtureRequest) -> None:
    # Else each worker would make the finished checkout for itself, without a word.
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@workflow")


def test_the_main_job_ends_with_a_csv_of_exactly_the_test_patients(finished: Checkout) -> None:
    (submission,) = finished.submissions()
    with submission.open() as file:
        rows = list(csv.reader(file))
    with (finished.folder / "results/demo/raw/clinical_annotation.csv").open() as file:
        test_patients = {row["ID"] for row in csv.DictReader(file) if row["LABEL"] == "-1"}
    assert rows[0] == ["ID", "LABEL"]
    assert sorted(row[0] for row in rows[1:]) == sorted(test_patients)
    assert {row[1] for row in rows[1:]} <= {"0", "1"}


def test_the_folder_of_the_csv_gives_back_the_settings_that_made_it(finished: Checkout) -> None:
    (submission,) = finished.submissions()
    folder = submission.with_suffix("")
    receipt = json.loads((folder / "receipt.json").read_text())
    assert receipt == json.loads((finished.folder / "results/demo/submission.json").read_text())
    assert (folder / "scores.csv").read_bytes() == (
        finished.folder / "results/demo/scores.csv"
    ).read_bytes()
    files = ["config.yaml", "config/demo.yaml", f"submissions/{folder.name}/config.yaml"]
    settings = merge(*(read_yaml(finished.folder / file) for file in files))
    assert settings["raw"] == "demo"
    source = locate("demo", finished.folder)
    again = make_plan(settings, source, tuple(settings["models"]), finished.folder)
    assert settings_digest(again.submission_settings) == receipt["config_digest"]


def test_the_out_of_fold_table_has_a_row_a_training_patient(finished: Checkout) -> None:
    with (finished.folder / "results/demo/oof.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 36
    models = ["clinical", "clinical_xgb", "mi_svm", "mi_svm_xgb", "d_mil_tuned"]
    models += ["pseudo_label_xgb", "pseudo_label_lgbm_shares", "round_zero_xgb"]
    models += ["bag_kernel", "bag_kernel_morphology", "cell_types", "pooled"]
    assert list(rows[0]) == ["patient", "label", *models, *BLENDS]
    assert all(0 <= float(row[model]) <= 1 for row in rows for model in models)


def test_a_second_run_has_nothing_to_do_and_writes_no_csv(finished: Checkout) -> None:
    before = finished.submissions()
    assert "Nothing to be done" in finished.run("submission")
    assert finished.submissions() == before


def test_the_report_shows_the_studies_and_the_cells_of_every_patient(finished: Checkout) -> None:
    page = finished.folder / "results/demo/report.html"
    assert 500_000 < page.stat().st_size < 8_000_000
    text = page.read_text()
    assert "results/demo/approaches.csv" in text
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    with (finished.folder / "results/demo/cohort/patients.csv").open() as file:
        patients = sorted(csv.DictReader(file), key=lambda row: row["part"] == "test")
    assert [card["id"] for card in data["patients"]] == [row["patient"] for row in patients]
    orders = {(each["model"], each["by"]) for each in data["rankings"]}
    assert {("d_mil_tuned", "attention"), ("bag_kernel", "cell score")} <= orders
    for card in data["patients"]:
        assert len(card["shown"]) == card["n_cells"]
        assert all(len(each["values"]) == card["n_cells"] for each in card["rankings"])
        assert ("fewest" in card["rankings"][0]) == (card["label"] >= 0)


def test_studies_rerun_nothing_but_the_report_which_shows_each_of_them(studied: Checkout) -> None:
    assert studied.main_job() == {"report"}
    home = studied.folder / "results/demo"
    shown = {str(path.relative_to(home)) for path in optional_files(home)}
    of_tables = ("ablation", "instance_comparison", "permutation", "preprocessing")
    of_figures = ("cell_draws", "spread", "starting_networks")
    assert shown >= {f"{name}/table.csv" for name in of_tables}
    assert shown >= {f"figures/{name}.png" for name in of_figures}


def test_changing_c_reruns_mi_svm_and_what_follows_from_it(finished: Checkout) -> None:
    change = "models={'mi_svm': {'C': 1.0}}"
    assert finished.planned("--config", change) == {"mi_svm", *AFTER_A_MODEL}


def test_editing_a_function_reruns_what_uses_it(edited: Checkout) -> None:
    edited.edit(
        "src/lymphokit/models/clinical.py",
        "import numpy as np\n",
        "import numpy as np\n\nEDITED = 1\n",
    )
    assert edited.planned() == {"clinical", "clinical_xgb", "stain_test", *AFTER_A_MODEL}


def test_editing_a_shared_function_reruns_all_that_use_it(edited: Checkout) -> None:
    edited.edit(
        "src/lymphokit/bags/projection.py",
        "import numpy as np\n",
        "import numpy as np\n\nEDITED = 1\n",
    )
    of_features = {"mi_svm", "mi_svm_xgb", "d_mil_tuned", "one_class", "margins", "end_to_end"}
    of_features |= {"bag_kernel", "bag_kernel_morphology", "cell_types"}
    of_features |= {"cell_types_figure", "stain_test"}
    assert edited.planned() == {*of_features, *AFTER_A_MODEL}


def test_editing_a_rules_script_reruns_that_rule(edited: Checkout) -> None:
    edited.edit(
        "workflow/scripts/folds.py", "write_table(folds", "EDITED = 1\n    write_table(folds"
    )
    assert "folds" in edited.planned()
    assert "autoencoder" not in edited.planned()


def test_editing_comments_and_docstrings_reruns_nothing(edited: Checkout) -> None:
    for path in ("src/lymphokit/bags/packed.py", "src/lymphokit/models/clinical.py"):
        file = edited.folder / path
        file.write_text(file.read_text().replace('"""', '"""Written anew. ', 1) + "\n# why\n")
    script = edited.folder / "workflow/scripts/fit.py"
    script.write_text("# written anew\n" + script.read_text())
    assert edited.planned() == set()


def test_a_model_outside_the_package_runs_through_to_the_score_table(copied: Checkout) -> None:
    (copied.folder / "my_model.py").write_text((ROOT / "tests/models/toy_model.py").read_text())
    copied.configure(
        """
        models:
          toy:
            kind: my_model.py:mean_feature
            enabled: true
            features: morphology
            column: 0
        """
    )
    copied.run("submission")
    with (copied.folder / "results/demo/scores.csv").open() as file:
        (row,) = (row for row in csv.DictReader(file) if row["model"] == "toy")
    assert 0 <= float(row["auc"]) <= 1
    # An edit of the file refits the model, and no other.
    copied.edit("my_model.py", "np.exp(-means)", "np.exp(-2 * means)")
    assert copied.planned() == {"toy", *AFTER_A_MODEL}


def test_the_table_of_approaches_has_the_models_that_no_csv_needs(finished: Checkout) -> None:
    with (finished.folder / "results/demo/approaches.csv").open() as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    for name in ("end_to_end", "one_class", "pooled_blood", "instance_cnn", "instance_cnn_xgb"):
        assert 0 <= float(rows[name]["balanced_accuracy"]) <= 1
    assert rows["pseudo_label_xgb"]["report_validation"] == "0.963"
    assert rows["d_mil"]["balanced_accuracy"] == ""  # rests in the demo
    assert (finished.folder / "results/demo/figures/margins_one_class.png").exists()

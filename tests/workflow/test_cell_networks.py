"""The naive baseline and the backbone trained on blood cells, as rules."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import Checkout, names_planned

# One worker for all of them, so that the finished checkout is made once.
pytestmark = pytest.mark.xdist_group("workflow")


def test_the_bank_of_blood_cells_names_the_weights_that_made_it(finished: Checkout) -> None:
    features = finished.folder / "results/demo/features"
    digest = hashlib.sha256((features / "blood_cells.safetensors").read_bytes()).hexdigest()
    assert digest in json.loads((features / "blood_cells.json").read_text())["source"]


def test_training_on_blood_cells_longer_reruns_its_network_and_what_follows(
    finished: Checkout,
) -> None:
    planned = finished.planned("--config", "blood_cells={'epochs': 2}")
    assert planned == {"blood_cell_network", "blood_cell_bank", "pooled_blood", "approaches"}


def test_a_ridge_reruns_the_heads_and_the_models_on_them(finished: Checkout) -> None:
    planned = finished.planned("--config", "instance_network={'ridge': 0.5}")
    assert planned == {"instance_head", "instance_cnn", "instance_cnn_xgb", "approaches"}


def test_a_folder_that_holds_no_types_is_refused_at_once(finished: Checkout) -> None:
    folder = finished.folder / "results/demo/raw/blood_cells/ig"
    told = finished.refusal("submission", "--config", f"blood_cells={{'folder': '{folder}'}}")
    assert "holds no folder of a type" in told
    assert "Job stats" not in told


def test_models_whose_cells_are_not_there_rest(copied: Checkout) -> None:
    raw = copied.folder / "results/demo/raw"
    copied.configure("backbones: {resnet18: {weights: none}}")  # needs no hub
    printed = copied.run("submission", "approaches", "--dry-run", "--config", f"raw={raw}")
    assert "no blood cells of known type: the models that need them are left out" in printed
    planned = names_planned(printed)
    assert "instance_cnn" in planned
    assert not {"blood_cell_network", "pooled_blood", "round_zero", "round_zero_xgb"} & planned


def test_a_whole_network_judges_every_cell_of_a_fold(copied: Checkout) -> None:
    copied.configure(
        """
        instance_network:
          network: tiny
          train: all
          px: 32
          sgd: {epochs: 1, batch_size: 8, precision: float32}
        """
    )
    bank = "results/demo/fold1/features/instance_network.npy"
    copied.run(bank)
    probabilities = np.load(copied.folder / bank)
    cells = pd.read_csv(copied.folder / "results/demo/cohort/cells.csv")
    assert probabilities.shape == (len(cells), 1)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert len(np.unique(probabilities)) > len(probabilities) // 2

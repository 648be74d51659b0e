"""The registry: every kind can be made, a wrong one names its neighbour, others can be added."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.config import read_yaml
from lymphokit.errors import ConfigError
from lymphokit.models.registry import create, kind_of, kinds, settings_of

ROOT = Path(__file__).parents[2]
MODELS = read_yaml(ROOT / "config.yaml")["models"]
TOY = f"{ROOT / 'tests' / 'models' / 'toy_model.py'}:mean_feature"
HEAVY = {"torch", "sklearn", "scipy", "pandas", "xgboost", "lightgbm", "matplotlib"}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_configuration_can_be_made(name: str) -> None:
    model = create(MODELS[name], seed=3)
    assert model.settings.model_dump() == MODELS[name]
    assert model.seed == 3


def test_every_kind_stands_in_the_configuration() -> None:
    assert {block["kind"] for block in MODELS.values()} == set(kinds())


@pytest.mark.parametrize("name", MODELS)
def test_a_model_names_a_bank_just_where_its_kind_reads_images(name: str) -> None:
    assert ("features" in MODELS[name]) == kind_of(MODELS[name]["kind"]).uses_images


def test_an_unknown_kind_names_its_nearest_neighbour() -> None:
    with pytest.raises(ConfigError, match="did you mean mi_svm_xgboost"):
        kind_of("misvm_xgb")


def test_a_setting_that_a_model_does_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="c"):
        create({"kind": "clinical_logistic", "enabled": True, "C": 1.0, "c": 1.0}, seed=0)


def test_settings_cannot_be_changed_after_they_were_checked() -> None:
    settings = settings_of(MODELS["clinical"])
    with pytest.raises(ValueError, match="frozen"):
        settings.C = 2.0  # type: ignore[attr-defined]


def test_the_settings_of_all_models_are_read_without_heavy_libraries() -> None:
    code = (
        "import sys; from lymphokit.models.registry import kinds; kinds(); "
        f"print(sorted({HEAVY} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_model_outside_the_package_is_named_by_its_file() -> None:
    block = {"kind": TOY, "enabled": True, "features": "morphology", "column": 1}
    bags = Bags.pack([np.array([[0.0, 1.0], [0.0, 3.0]]), np.array([[9.0, -2.0]])], ["A", "B"])
    clinical = Clinical(np.array([50.0, 60.0]), np.array([5.0, 9.0]))
    model = create(block, seed=0).fit(bags, np.array([1, 0]), clinical)
    expected = 1 / (1 + np.exp([-2.0, 2.0]))
    np.testing.assert_allclose(model.predict_proba(bags, clinical), expected)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.py"):
        kind_of("nowhere.py:toy")

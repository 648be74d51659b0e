"""The door to the models: every kind opens, a wrong one names its neighbour."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lymphokit.errors import ConfigError
from lymphokit.models.registry import KINDS, create, kind_of

ROOT = Path(__file__).parents[2]
MODELS = yaml.safe_load((ROOT / "config.yaml").read_text())["models"]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_configuration_can_be_made(name: str) -> None:
    block = MODELS[name]
    settings = {key: block[key] for key in block.keys() - {"kind", "enabled", "features"}}
    model = create(block["kind"], seed=3, **settings)
    assert {key: getattr(model, key) for key in settings} == settings
    assert getattr(model, "seed") == 3  # noqa: B009


def test_every_kind_stands_in_the_configuration() -> None:
    assert {block["kind"] for block in MODELS.values()} == set(KINDS)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_names_a_bank_just_where_its_kind_looks_at_images(name: str) -> None:
    assert ("features" in MODELS[name]) == kind_of(MODELS[name]["kind"]).uses_images


def test_an_unknown_kind_names_its_nearest_neighbour() -> None:
    with pytest.raises(ConfigError, match="did you mean mi_svm_xgboost"):
        create("misvm_xgb", seed=0)


def test_a_setting_that_a_model_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="c"):
        create("clinical_logistic", seed=0, c=1.0)


def test_asking_for_one_model_imports_no_other() -> None:
    code = (
        "import sys; from lymphokit.models.registry import create; "
        "create('clinical_logistic', seed=0, C=1.0); "
        "print([m for m in sys.modules if m.startswith('lymphokit.mil.')])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "src",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "lymphokit.models.clinical" in answer.stdout
    assert "lymphokit.deep_mil.d_mil" not in answer.stdout

"""Typos are told with their remedy; the schema and the pins do not drift."""

import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from lymphokit import config
from lymphokit.errors import ConfigError

ROOT = Path(__file__).parents[1]
OVERLAYS = sorted((ROOT / "config").glob("*.yaml"))


def defaults() -> dict[str, Any]:
    return config.read_yaml(ROOT / "config.yaml")


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_every_configuration_that_ships_is_valid(overlay: Path) -> None:
    checked = config.validate(config.merge(defaults(), config.read_yaml(overlay)))
    assert checked["folds"]["k"] >= 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"foldz": {}}, "foldz is unknown; did you mean folds?"),
        ({"folds": {"reapeats": 2}}, "folds.reapeats: reapeats is unknown; did you mean repeats?"),
        ({"models": {"mi_svm": {"restart": 1}}}, "models.mi_svm.restart: .*did you mean restarts?"),
        ({"models": {"mi_svm": {"pca": 0}}}, "models.mi_svm.pca: .*greater.*got 0"),
        ({"models": {"d_mil": {"features": "autoencoder_rew"}}}, "did you mean autoencoder_raw?"),
        ({"blood_cells": {"network": "resnet5"}}, "blood_cells.network: .*did you mean resnet50?"),
        ({"instance_network": {"network": "morphology"}}, "instance_network.network: morphology"),
        ({"submission": {"blend": "stak"}}, "did you mean stack?"),
        ({"cohort": {"ranges": {"lymph_count": [1000, 1]}}}, "lymph_count: .*not below 1"),
        ({"cohort": {"allow": ["LYMPHS"]}}, "cohort.allow.*LYMPH_COUNT"),
        ({"models": {"d_mil": {"aggregation": "maximum"}}}, "models.d_mil.aggregation: .*'max'"),
        ({"decision": {"threshold": "mid"}}, "decision.threshold: .*'midpoint'.*got 'mid'"),
        (
            {"decision": {"threshold": {"sensitivty": 0.9}}},
            "decision.threshold.sensitivty: .*did you mean sensitivity?",
        ),
        ({"decision": {"threshold": {"sensitivity": 1}}}, "threshold.sensitivity: .*less than 1"),
        ({"referral": {"costs": {"mised": 9}}}, "mised is unknown; did you mean missed?"),
        ({"ablation": {"model": "mi_svm"}}, "ablation.model: mi_svm is unknown; .*d_mil"),
        ({"audit": {"known_duplicates": [{"images": ["P1/a.jpg"], "reason": "x"}]}}, "audit.known"),
        (
            {"audit": {"known_duplicates": [{"images": ["P1/a.jpg", "P2/b.jpg"]}]}},
            "audit.known_duplicates.0.reason: Field required",
        ),
        (
            {"backbones": {"resnet50": {"timm": "timm/resnet50.tv_in1k"}}},
            "backbones.resnet50.timm: .*write resnet50.tv_in1k or hf-hub:timm/resnet50.tv_in1k",
        ),
        ({"permutation": {"models": ["pooledd"]}}, "permutation.models: .*did you mean pooled"),
        ({"permutation": {"models": ["d_mil"]}}, "d_mil is of kind d_mil, .*pooled_logistic"),
        (
            {"spread": {"models": ["pseudo_label_xgb"]}},
            "spread.models: pseudo_label_xgb is of kind",
        ),
        (
            {
                "models": {"pooled": {"features": "pseudo_label"}},
                "permutation": {"models": ["pooled"]},
            },
            "pooled reads pseudo_label, .* without labels",
        ),
        ({"models": {"vote": {"kind": "clinical_logistic", "enabled": True, "C": 1}}}, "vote"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        config.validate(config.merge(defaults(), change))


def test_a_threshold_may_be_a_wanted_sensitivity() -> None:
    wish = {"sensitivity": 0.95}
    checked = config.validate(config.merge(defaults(), {"decision": {"threshold": wish}}))
    assert checked["decision"]["threshold"] == wish


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        config.validate(config.merge(defaults(), {"folds": {"k": 1}, "decision": {"threshold": 2}}))
    assert "folds.k" in str(caught.value)
    assert "decision.threshold" in str(caught.value)


def test_the_published_schema_is_the_one_in_force() -> None:
    published = ROOT / "workflow" / "schemas" / "config.schema.json"
    assert published.read_text() == config.schema(), "run `make schema`"


@pytest.mark.parametrize("enabled", [True, "scored", False])
def test_a_missing_backend_is_named_before_any_job(
    monkeypatch: pytest.MonkeyPatch, enabled: Any
) -> None:
    monkeypatch.setitem(sys.modules, "misvm", None)
    change = {"models": {"mi_svm_soft": {"backend": "misvm", "enabled": enabled}}}
    changed = config.merge(defaults(), change)
    with (
        pytest.raises(ConfigError, match=r"models\.mi_svm_soft\.backend: .*pip install")
        if (enabled)
        else nullcontext()
    ):
        config.validate(changed)


def test_conda_users_get_the_pins_of_the_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {line.lower() for line in lines if "==" in line}
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    installed = next(part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    named = {line.lower() for line in installed if "==" in line}
    assert named <= pins
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {Requirement(text).name.lower() for text in wanted} == {
        line.partition("==")[0] for line in named
    }

"""Typos are told with their remedy; the schema and the pins do not drift."""

import json
import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from snakemake.cli import parse_config

from lymphokit import config
from lymphokit.errors import ConfigError

ROOT = Path(__file__).parents[1]
OVERLAYS = sorted((ROOT / "config").glob("*.yaml"))


def defaults() -> dict[str, Any]:
    return config.read_yaml(ROOT / "config.yaml")


SCHEMA = json.loads(config.schema())


def resolved(schema: Any) -> Any:
    return SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def parts(schema: Any, value: Any) -> Iterator[tuple[Any, Any]]:
    """The keys that a block or list may have, with their schemas."""
    yield from schema.get("properties", {}).items()
    of_any_name = [*schema.get("patternProperties", {}).values()]
    of_any_name += [part for part in [schema.get("additionalProperties")] if part]
    for part in of_any_name:
        yield from ((key, part) for key in value)
    yield from enumerate(schema.get("prefixItems", ()))
    if "items" in schema:
        yield 0, schema["items"]


def numbers(schema: Any, value: Any, at: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Every number that the schema allows: its place in a configuration, and its own schema."""
    schema = resolved(schema)
    given = value.get("kind") if isinstance(value, dict) else None
    for form in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        kind = resolved(form).get("properties", {}).get("kind", {}).get("const")
        if kind == given:
            yield from numbers(form, value, at)
    if schema.get("type") in ("integer", "number") and "const" not in schema:
        yield at, schema
    for key, part in parts(schema, value):
        try:
            below = value[key]
        except (KeyError, IndexError, TypeError):
            below = None
        yield from numbers(part, below, (*at, key))


DEFAULTS = defaults()
NUMBERS = list(numbers(SCHEMA, DEFAULTS))


def with_value(settings: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy of the settings in which the value stands at this place."""
    if not place:
        return value
    key, *rest = place
    if isinstance(key, int):
        items = list(settings or ()) or [None]
        items[key] = with_value(items[key], tuple(rest), value)
        return items
    settings = dict(settings) if isinstance(settings, dict) else {}
    return settings | {key: with_value(settings.get(key), tuple(rest), value)}


@pytest.mark.parametrize(
    ("place", "schema"), NUMBERS, ids=[".".join(map(str, place)) for place, _ in NUMBERS]
)
def test_every_number_has_a_range_and_what_lies_outside_is_refused(
    place: tuple[Any, ...], schema: dict[str, Any]
) -> None:
    lowest = schema.get("minimum", schema.get("exclusiveMinimum"))
    highest = schema.get("maximum", schema.get("exclusiveMaximum"))
    outside = [lowest - 1, highest + 1, 10**30, -(10**30), 1e300, True]
    for value in [*outside, float("inf"), float("-inf"), float("nan")]:
        with pytest.raises(ConfigError) as caught:
            config.validate(with_value(DEFAULTS, place, value))
        assert ".".join(map(str, place)) in str(caught.value)
        assert "function" not in str(caught.value)


def test_the_walk_over_the_schema_finds_the_numbers_of_every_block() -> None:
    found = {place for place, _ in NUMBERS}
    assert {
        ("seed",),
        ("folds", "age_edge_years"),
        ("simulate", "cells", 1),
        ("autoencoder", "variants", "raw"),
        ("backbones", "vgg19", "crop"),
        ("pseudo_label", "rounds", 0, "count"),
        ("pseudo_label", "sgd", "momentum"),
        ("decision", "threshold", "sensitivity"),
        ("calibration", "sensitivities", 0),
        ("models", "mi_svm_xgb", "cross_fit"),
        ("models", "d_mil", "hidden", 0),
        ("models", "one_class", "gamma"),
    } <= found
    assert {place[:2] for place, _ in NUMBERS} >= {
        ("models", name)
        for name, block in defaults()["models"].items()
        if block["kind"] != "bag_average"  # it has no number
    }


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ({"simulate": {"cells": [40, 16]}}, ["simulate.cells"]),
        ({"simulate": {"abnormal_share": [0.75, 0.2]}}, ["simulate.abnormal_share"]),
        ({"cohort": {"ranges": {"age_years": [120, 18]}}}, ["cohort.ranges.age_years"]),
        ({"cohort": {"image_size": 64}, "backbones": {"vgg19": {"crop": 96}}}, ["vgg19.crop"]),
        ({"simulate": {"tumoral_share": 0.001}}, ["simulate", "tumoral_share"]),
        ({"segmentation": {"dilation_px": 225}}, ["segmentation.dilation_px"]),
        (
            {"pseudo_label": {"train": "head", "stain": "auto", "labelled_px": 256}},
            ["pseudo_label.labelled_px"],
        ),
        ({"folds": {"k": 100, "repeats": 100}}, ["folds", "repeats"]),
        ({"pseudo_label": {"rounds": [{"count": 600, "add": 1}] * 2}}, ["pseudo_label.rounds"]),
        ({"pseudo_label": {"rounds": []}}, ["pseudo_label.rounds"]),
        ({"pseudo_label": {"compare": ["vgg19", "vgg19"]}}, ["pseudo_label.compare", "vgg19"]),
        ({"permutation": {"models": []}}, ["permutation.models"]),
        ({"spread": {"models": ["pooled", "pooled"]}}, ["spread.models", "pooled"]),
        ({"cell_draws": {"cells": [16, 16]}}, ["cell_draws.cells", "16"]),
        ({"cell_draws": {"cells": []}}, ["cell_draws.cells"]),
        ({"cell_draws": {"cells": [0]}}, ["cell_draws.cells.0"]),
        ({"cell_draws": {"cells": ["most"]}}, ["cell_draws.cells.0", "most"]),
        ({"cell_draws": {"draws": 1}}, ["cell_draws.draws"]),
        ({"calibration": {"sensitivities": []}}, ["calibration.sensitivities"]),
        ({"calibration": {"sensitivities": [0.9, 0.9]}}, ["calibration.sensitivities"]),
        ({"ensemble": {"choices": {"chosen_c": ["mi_svm", "mi_svm"]}}}, ["choices.chosen_c"]),
        ({"models": {"end_to_end": {"frozen_epochs": 60}}}, ["models.end_to_end", "frozen_epochs"]),
        ({"models": {"mi_svm_xgb": {"cross_fit": 1}}}, ["models.mi_svm_xgb.cross_fit"]),
        (
            {"audit": {"known_duplicates": [{"images": ["P1/a", "P1/a"], "reason": "x"}]}},
            ["audit.known_duplicates.0.images"],
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(
    change: dict[str, Any], keys: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        config.validate(config.merge(defaults(), change))
    assert [key for key in keys if key not in str(caught.value)] == []


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
        ({"cohort": {"ranges": {"lymph_count": [1000, 1]}}}, "lymph_count: .*above the highest, 1"),
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
        ({"cell_draws": {"models": ["pooledd"]}}, "cell_draws.models: .*did you mean pooled"),
        ({"cell_draws": {"models": ["clinical"]}}, "cell_draws.models: clinical reads no cells"),
        ({"cell_draws": {"models": ["end_to_end"]}}, "end_to_end reads pixels"),
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


@pytest.mark.parametrize("block", ["blood_cells={'epochs': 2}", "folds={'k': 7, 'inner': 3}"])
def test_numbers_of_a_block_on_the_command_line_are_numbers(block: str) -> None:
    """Snakemake hands them over as text."""
    given = parse_config([block])
    checked = config.validate(config.merge(defaults(), given))
    ((name, values),) = given.items()
    assert {key: checked[name][key] for key in values} == {k: int(v) for k, v in values.items()}


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


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\x02",
        b"\xff\xfe",
        b"just a word",
        b"- a\n- b",
        b"a: [1, 2",
        b"a: 2025-13-45",
        b"a: " + b"9" * 5000,
        b"a: " + b"[" * 5000,
        b"a: !!python/object/apply:os.system [ls]",
        b"? [a, b]\n: 1",
        b"a: *nobody",
        b"<<: 5",
        b"a" * 2_000_000,
    ],
    ids=range(14),
)
def test_a_file_that_holds_no_settings_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        config.read_yaml(path)


def test_settings_that_are_no_file_are_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe.yaml")
    for path in (tmp_path, pipe, tmp_path / "none.yaml", Path(os.devnull), tmp_path / "\0"):
        with pytest.raises(ConfigError):
            config.read_yaml(path)


@pytest.mark.parametrize(
    "blocks",
    [None, 5, "text", [], {}, {1: {}}, {"a": None}, {"a": {"kind": None}}, {"a": {"kind": [1]}}],
    ids=range(9),
)
def test_any_value_may_stand_for_the_models(blocks: Any) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        config.validate({**DEFAULTS, "models": blocks})


@pytest.mark.parametrize(
    "content", ["1 +", "raise RuntimeError('x')", "import nowhere_to_be_found"]
)
def test_a_file_of_a_kind_that_cannot_be_imported_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "my_kind.py"
    path.write_text(content)
    changed = config.merge(DEFAULTS, {"models": {"pooled": {"kind": f"{path}:mine"}}})
    with pytest.raises(ConfigError, match=r"models\.pooled\.kind: .*my_kind\.py"):
        config.validate(changed)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"backbones": {"vgg19": {"pool": ["cell"]}}}, "stages"),
        ({"backbones": {"cell_colour": {"image": "segmented"}}}, "normalise"),
        ({"blood_cells": {"network": "cell_colour"}}, "blood_cells.network"),
        ({"pseudo_label": {"compare": ["cell_only"]}}, "pseudo_label.compare"),
        ({"ensemble": {"product": {"images": ["clinical"]}}}, "ensemble.product.images"),
        ({"ensemble": {"product": {"images": ["mi_svm_xgb"]}}}, "twice"),
        ({"ensemble": {"product": {"clinical": "pooled"}}}, "ensemble.product.clinical"),
        ({"ensemble": {"choices": {"chosen_blend": ["product", "stak"]}}}, "stack"),
        ({"ensemble": {"product": {"images": ["bag_kernl"]}}}, "bag_kernel"),
        ({"cell_mask": {"reach_px": 300}}, "cell_mask.reach_px"),
    ],
)
def test_settings_of_cells_that_do_not_fit_together_are_refused(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        config.validate(config.merge(DEFAULTS, changes))


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.name)
def test_every_preset_begins_with_when_to_use_it_and_is_listed(path: Path) -> None:
    assert path.read_text().startswith("# When: ")
    assert f"`config/{path.name}`" in (ROOT / "docs" / "workflow.md").read_text()


def test_the_presets_that_a_competitor_chooses_among_are_there() -> None:
    assert {"demo.yaml", "cpu.yaml", "gpu.yaml", "report.yaml"} <= {path.name for path in OVERLAYS}


def test_the_gpu_preset_trains_whole_networks_on_any_machine() -> None:
    files = [config.read_yaml(ROOT / "config" / name) for name in ("demo.yaml", "gpu.yaml")]
    checked = config.validate(config.merge(DEFAULTS, *files))
    assert {checked[key]["train"] for key in ("pseudo_label", "instance_network")} == {"all"}


@pytest.mark.parametrize("preset", sorted(path.name for path in (ROOT / "config").glob("*.yaml")))
@pytest.mark.parametrize("below", [(), ("demo.yaml",), ("cpu.yaml",)])
def test_every_preset_is_valid_alone_and_over_others(preset: str, below: tuple[str, ...]) -> None:
    files = [config.read_yaml(ROOT / "config" / name) for name in (*below, preset)]
    assert config.validate(config.merge(DEFAULTS, *files))["models"]

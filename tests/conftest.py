"""What many tests share: the settings of config.yaml, packed toy bags, the folder of real data."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lymphokit.bags.contract import ModelSettings
from lymphokit.config import read_yaml
from lymphokit.models.registry import settings_of

ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups first, which one worker runs one after the other: none is left alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


@pytest.fixture(scope="session")
def settings() -> Callable[..., Any]:
    """Settings of a model in config.yaml, with changes: `settings("mi_svm", C=1.0)`."""
    models = read_yaml(ROOT / "config.yaml")["models"]

    def settings_with(name: str, **changes: Any) -> ModelSettings:
        return settings_of(models[name] | changes)

    return settings_with


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data that the environment variable LYMPHOKIT_DATA names."""
    folder = os.environ.get("LYMPHOKIT_DATA")
    if not folder:
        pytest.skip("LYMPHOKIT_DATA is not set: no real data to test on")
    return Path(folder).resolve()

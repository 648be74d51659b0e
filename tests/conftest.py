"""What many tests share: the settings of config.yaml, packed toy bags, the folder of real data."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
NOT_SETTINGS = {"kind", "enabled", "features"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups first, which one worker runs one after the other: none is left alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


@pytest.fixture(scope="session")
def settings() -> Callable[..., dict[str, Any]]:
    """The settings of a model in config.yaml, with changes: `settings("mi_svm", C=1.0)`."""
    models = yaml.safe_load((ROOT / "config.yaml").read_text())["models"]

    def of(name: str, **changes: Any) -> dict[str, Any]:
        block = {key: value for key, value in models[name].items() if key not in NOT_SETTINGS}
        unknown = set(changes) - set(block)
        assert not unknown, f"{name} has no settings {unknown}"
        return block | changes

    return of


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data that the environment variable LYMPHOKIT_DATA names."""
    folder = os.environ.get("LYMPHOKIT_DATA")
    if not folder:
        pytest.skip("LYMPHOKIT_DATA is not set: no real data to test on")
    return Path(folder).resolve()

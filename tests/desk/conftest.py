"""Kaggle on loopback, and a folder of the kit that talks to it."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lymphokit.config import merge, read_yaml
from tests.desk import kaggle_server
from tests.desk.kaggle_server import Board, Server

ROOT = Path(__file__).parents[2]
SMALL = {
    "simulate": {
        "training_patients": 10,
        "test_patients": 4,
        "cells": [1, 2],
        "labelled_cells": 4,
        "cells_per_blood_type": 0,
    },
    "pseudo_label": {"labelled_train": 2, "labelled_validation": 2},
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server of an empty Kaggle, which the client takes for the real one; with credentials."""
    monkeypatch.setenv("HOME", str(tmp_path))  # before the import, which makes a folder there
    from kaggle.api.kaggle_api_extended import KaggleApi
    from kagglesdk import kaggle_env

    server = kaggle_server.start()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.url)
    monkeypatch.setattr(KaggleApi, "config", str(tmp_path / "kaggle.json"))
    monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)
    monkeypatch.setenv("KAGGLE_USERNAME", kaggle_server.USER)
    monkeypatch.setenv("KAGGLE_KEY", kaggle_server.KEY)
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client's, between two attempts
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def board(server: Server) -> Board:
    return server.board


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: the kit's settings with the smallest cohort, and no data."""
    root = tmp_path / "kit"
    shutil.copytree(ROOT / "config", root / "config")
    (root / "config.yaml").write_text(
        yaml.safe_dump(merge(read_yaml(ROOT / "config.yaml"), SMALL), sort_keys=False)
    )
    monkeypatch.chdir(root)
    return root

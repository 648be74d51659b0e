import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lymphokit.errors import BankError
from lymphokit.features.bank import (
    NOTHING,
    metadata_path,
    open_bank,
    write_bank,
    write_cell_probabilities,
)

FEATURES = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)


def batches(*sizes: int) -> Iterator[NDArray[np.float32]]:
    yield from np.split(FEATURES[: sum(sizes)], np.cumsum(sizes)[:-1])


def write(path: Path, given: Iterator[NDArray[np.float32]]) -> None:
    about = {"source": "drawn by hand"}
    write_bank(path, given, n_cells=7, n_features=3, fitted_on=NOTHING, metadata=about)


def test_a_bank_holds_what_was_written_whatever_the_batches(tmp_path: Path) -> None:
    path = tmp_path / "drawn.npy"
    write(path, batches(2, 4, 1))
    bank = open_bank(path, 7)
    np.testing.assert_array_equal(bank.features, FEATURES)
    about = {"source": "drawn by hand", "fitted_on": "nothing of this cohort"}
    assert bank.metadata == {**about, "n_cells": 7, "n_features": 3}


def test_a_bank_cannot_be_changed(tmp_path: Path) -> None:
    write(tmp_path / "drawn.npy", batches(7))
    features = open_bank(tmp_path / "drawn.npy", 7).features
    with pytest.raises(TypeError):
        features[0] = 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_finite_is_named_by_its_cell(tmp_path: Path, value: float) -> None:
    spoilt = FEATURES.copy()
    spoilt[4, 1] = value
    with pytest.raises(BankError, match="cell 4"):
        write(tmp_path / "drawn.npy", iter([spoilt[:3], spoilt[3:]]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sizes", [(3, 3), ()])
def test_missing_cells_leave_no_bank(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    with pytest.raises(BankError, match="instead of 7"):
        write(tmp_path / "drawn.npy", batches(*sizes))
    assert list(tmp_path.iterdir()) == []


def test_a_bank_of_another_cohort_is_refused_with_a_remedy(tmp_path: Path) -> None:
    write(tmp_path / "drawn.npy", batches(7))
    with pytest.raises(BankError, match="delete the bank"):
        open_bank(tmp_path / "drawn.npy", 8)


@pytest.mark.parametrize("lacking", ["drawn.npy", "drawn.json"])
def test_features_without_metadata_are_no_bank(tmp_path: Path, lacking: str) -> None:
    write(tmp_path / "drawn.npy", batches(7))
    (tmp_path / lacking).unlink()
    with pytest.raises(BankError, match="run the rule"):
        open_bank(tmp_path / "drawn.npy", 7)


def test_the_metadata_is_a_readable_file_beside_the_features(tmp_path: Path) -> None:
    write(tmp_path / "drawn.npy", batches(7))
    assert metadata_path(tmp_path / "drawn.npy") == tmp_path / "drawn.json"
    assert json.loads((tmp_path / "drawn.json").read_text())["source"] == "drawn by hand"


def test_probabilities_of_cells_are_a_bank_of_one_feature(tmp_path: Path) -> None:
    path, probabilities = tmp_path / "network.npy", np.linspace(0, 1, 7)
    write_cell_probabilities(path, probabilities, source="a network")
    bank = open_bank(path, 7)
    np.testing.assert_array_equal(bank.features[:, 0], probabilities.astype(np.float32))
    assert bank.metadata["fitted_on"] == "training patients of the fold"
    assert bank.metadata["source"] == "a network"

"""Sufficiency and necessity, where they can be computed by hand."""

import numpy as np
import pandas as pd
import pytest

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.evaluation.evidence import ATTENTION, SUBSET_COLUMNS, fold_evidence
from lymphokit.report.faithfulness import VERDICTS, patient_faithfulness, summary
from tests.evaluation.test_evidence import MeanOfCells, PooledSettings


def subsets_of(cells: list[np.ndarray], scores: list[np.ndarray] | None = None) -> pd.DataFrame:
    """The subsets of a model that predicts the mean of its cells, and scores them as given."""

    class Scored(MeanOfCells):
        def cell_scores(self, bags: Bags) -> np.ndarray:
            return super().cell_scores(bags) if scores is None else np.concatenate(scores)

    ids = [f"P{place}" for place in range(len(cells))]
    bags = Bags.pack([each[:, None] for each in cells], ids)
    clinical = Clinical(np.full(len(ids), 70.0), np.full(len(ids), 8.0))
    fold = pd.DataFrame({"fold": 1, "repeat": 1, "patient": ids, "part": "validation", "inner": -1})
    none = np.array([], dtype=np.int64)
    model = Scored(PooledSettings(), seed=0)
    return fold_evidence(model, bags, clinical, fold, none, seed=3)[1]


def calls_of(subsets: pd.DataFrame, threshold: float) -> pd.DataFrame:
    whole = subsets[subsets["order"] == "all"].set_index("patient")["alone"]
    decided = (whole >= threshold).astype(int)
    return pd.DataFrame({"threshold": threshold, "decision": decided})


def test_one_witness_is_sufficient_and_necessary() -> None:
    # The mean of (0.9, 0, 0, 0, 0) is 0.18: tumoral from 0.15 on, and 0 without the witness.
    subsets = subsets_of([np.array([0.0, 0.0, 0.9, 0.0, 0.0])])
    row = patient_faithfulness(subsets, calls_of(subsets, 0.15), "cell score").loc["P0"]
    assert row["fewest"] == 1
    assert row["probability"] == pytest.approx(0.18)
    assert row["left"] == 0
    assert row["lost"] == 1
    assert 1 < row["random_fewest"] <= 5
    # Where a random cell is kept, it is the witness or not; so it is where one is removed.
    assert row["random_keep"] == row["random_lost"]


def test_a_reactive_call_rests_on_the_lowest_cells() -> None:
    subsets = subsets_of([np.array([0.9, 0.1, 0.2, 0.7])])
    row = patient_faithfulness(subsets, calls_of(subsets, 0.6), "cell score").loc["P0"]
    assert row["fewest"] == 1
    assert row["probability"] == pytest.approx(1 - 0.475)
    assert row["left"] == pytest.approx(1 - (0.9 + 0.2 + 0.7) / 3)
    assert row["lost"] == 1


def test_the_fewest_cells_are_counted() -> None:
    # Reactive below 0.5 by the mean 0.45. By these scores the lowest are 0.6, 0.6, then 0.2:
    # means 0.6, 0.6, 0.4667. Three cells keep the call, and 0.4 is left, which keeps it too.
    values, scores = np.array([0.6, 0.6, 0.2, 0.4]), np.array([0.0, 1.0, 2.0, 3.0])
    subsets = subsets_of([values], [scores])
    row = patient_faithfulness(subsets, calls_of(subsets, 0.5), "cell score").loc["P0"]
    assert row["fewest"] == 3
    assert row["left"] == pytest.approx(0.6)
    assert row["lost"] == 0


def test_where_all_cells_are_needed_nothing_is_left() -> None:
    values, scores = np.array([0.4, 0.4, 0.9]), np.array([2.0, 1.0, 0.0])
    subsets = subsets_of([values], [scores])  # means 0.4, 0.4, 0.567
    row = patient_faithfulness(subsets, calls_of(subsets, 0.5), "cell score").loc["P0"]
    assert row["fewest"] == row["n_cells"] == 3
    assert np.isnan(row["left"])


def test_a_single_cell_is_all_there_is() -> None:
    subsets = subsets_of([np.array([0.7])])
    row = patient_faithfulness(subsets, calls_of(subsets, 0.5), "cell score").loc["P0"]
    assert row["fewest"] == row["random_fewest"] == 1
    assert np.isnan(row["left"])


def test_attention_has_its_rows_where_there_is_attention() -> None:
    subsets = pd.DataFrame(
        [
            ("P0", "all", 2, 0.9, np.nan),
            ("P0", "highest", 1, 0.1, 0.9),
            ("P0", "lowest", 1, 0.1, 0.9),
            ("P0", ATTENTION, 1, 0.8, 0.2),
            ("P0", "random1", 1, 0.1, 0.9),
        ],
        columns=SUBSET_COLUMNS,
    )
    calls = pd.DataFrame({"threshold": [0.5], "decision": [1]}, index=["P0"])
    assert patient_faithfulness(subsets, calls, "attention").loc["P0", "fewest"] == 1
    assert patient_faithfulness(subsets, calls, "cell score").loc["P0", "fewest"] == 2
    without = subsets[subsets["order"] != ATTENTION]
    assert patient_faithfulness(without, calls, "attention").empty


def drawn(rng: np.random.Generator, *, informed: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """60 patients of 12 cells, scored by what the model reads or at random; with their calls."""
    cells = [np.clip(rng.normal(0.5, 0.25, 12), 0, 1) for _ in range(60)]
    scores = None if informed else [rng.random(12) for _ in range(60)]
    subsets = subsets_of(cells, scores)
    return subsets, calls_of(subsets, 0.5)


def test_the_cells_that_a_model_reads_are_faithful() -> None:
    patients = patient_faithfulness(*drawn(np.random.default_rng(1), informed=True), "cell score")
    result = summary(patients, level=0.95, seed=0)
    assert result["verdict"] == VERDICTS[2]
    assert result["share"] == pytest.approx(1 / 12)
    assert result["shorter"] == pytest.approx(result["random_share"] - result["share"])
    assert result["shorter_low"] > 0
    assert result["n_patients"] == 60


def test_random_scores_are_no_better_than_random_orders() -> None:
    rng = np.random.default_rng(2)
    results = []
    for _ in range(10):
        patients = patient_faithfulness(*drawn(rng, informed=False), "cell score")
        results.append(summary(patients, level=0.95, seed=0))
    for name in ("shorter", "deeper"):
        assert abs(np.mean([each[name] for each in results])) < 0.02
        covered = [each[f"{name}_low"] <= 0 <= each[f"{name}_high"] for each in results]
        assert sum(covered) >= 8
    assert VERDICTS[2] not in {each["verdict"] for each in results}

"""Cards: out-of-fold numbers of each patient, and how stable attention is over members."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from lymphokit.report.card_script import card_script
from lymphokit.report.cards import (
    MOST_CELLS,
    card_data,
    mean_correlation,
    most_cells,
    share_in_top,
    shown_cells,
)
from lymphokit.report.run_files import Run
from tests.report.conftest import BLEND, CLINICAL, HOSTILE, IDS, LABELS, LINEAR, decisions


def patients() -> pd.DataFrame:
    part = ["test" if label < 0 else "train" for label in LABELS]
    table = pd.DataFrame({"patient": IDS, "part": part, "label": LABELS, "n_cells": 3})
    return table.assign(age_years=70.0, lymphocytes_giga_per_litre=np.nan)


def cards(table: pd.DataFrame) -> dict[str, dict]:
    content = card_data(
        patients(), table, ["product", "linear", "clinical"], ["linear", "clinical"], []
    )
    return {card["id"]: card for card in content}


def test_errors_and_disagreement_are_those_of_the_table() -> None:
    found = cards(decisions())
    for place, (patient, label) in enumerate(zip(IDS, LABELS, strict=True)):
        card = found[patient]
        expected = None if label < 0 else pytest.approx(abs(label - BLEND[place]))
        assert card["error"] == expected
        # Half the difference: the standard deviation of two values. The blend is none of them.
        half = abs(LINEAR[place] - CLINICAL[place]) / 2
        assert card["disagreement"] == pytest.approx(half, abs=1e-3)
        assert card["models"][0] == [pytest.approx(BLEND[place]), 0.5, int(BLEND[place] >= 0.5)]
        assert card["count"] is None


def test_the_first_repeat_counts_and_a_test_patient_has_the_mean_over_the_folds() -> None:
    first = decisions()
    second = first.assign(fold=2, repeat=2, probability=0.0, decision=0)
    found = cards(pd.concat([second, first]))
    assert found["NA"]["probability"] == pytest.approx(0.95)
    assert found["T1"]["probability"] == pytest.approx(0.3)
    assert found["T1"]["call"] == 0


def test_patients_whom_no_fold_holds_out_have_no_card() -> None:
    table = decisions()
    found = cards(table[~table["patient"].isin(["007", "P2"])])
    assert list(found) == [name for name in IDS if name not in ("007", "P2")]


def test_members_that_agree_share_their_top_and_correlate() -> None:
    attention = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.1, 0.3, 0.6]])
    np.testing.assert_allclose(share_in_top(attention), [2 / 3, 0, 1 / 3])
    assert mean_correlation(attention[:2]) == pytest.approx(1)
    pairs = [spearmanr(attention[i], attention[j])[0] for i, j in ((0, 1), (0, 2), (1, 2))]
    assert mean_correlation(attention) == pytest.approx(np.mean(pairs))
    assert np.isnan(mean_correlation(attention[:1]))
    assert np.isnan(mean_correlation(np.ones((2, 3))))


def test_all_cells_are_shown_where_they_fit_else_the_first_and_last_of_every_order() -> None:
    few = {"n_cells": 4, "rankings": []}
    assert shown_cells(few, 8) == [0, 1, 2, 3]
    values = {"values": np.linspace(0, 1, 100).tolist()}
    other = {"values": np.roll(np.linspace(0, 1, 100), 50).tolist()}
    many = {"n_cells": 100, "rankings": [values, None, other]}
    assert shown_cells(many, 4) == [0, 49, 50, 99]
    assert shown_cells({"n_cells": 100, "rankings": []}, 3) == [0, 1, 2]


def test_the_page_of_many_patients_shows_fewer_cells_of_each() -> None:
    assert most_cells(1) == MOST_CELLS
    assert most_cells(205) >= 30
    assert most_cells(100_000) == 8


def test_no_text_ends_the_script_that_holds_it(finished_run: Run) -> None:
    content = [{"id": name, "n_cells": 2, "rankings": []} for name in HOSTILE]
    table = pd.DataFrame({"patient": IDS, "n_cells": 10})
    text = str(card_script(content, ["\u2028"], [], finished_run, table))
    assert not set("<>&\u2028") & set(text)
    assert [card["id"] for card in json.loads(text)["patients"]] == list(HOSTILE)

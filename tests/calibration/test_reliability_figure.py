import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Annotation
from rich.console import Console

from lymphokit.calibration import referral, reliability
from lymphokit.calibration.referral import Costs
from lymphokit.calibration.referral_figure import (
    LEAST_CALLED,
    referral_sentences,
    referral_terminal_table,
    risk_coverage_figure,
)
from lymphokit.calibration.reliability_figure import (
    calibration_terminal_table,
    reliability_figure,
    sensitivity_sentences,
)
from tests.calibration.test_referral import WANTED, decided, long_table
from tests.figures.test_scores import text_of

DRAWN = {"resamples": 100, "level": 0.95, "seed": 0}
COSTS = Costs(20.0, 5.0)


@pytest.fixture(scope="module")
def calibrated() -> pd.DataFrame:
    """Two models with true calibrated probabilities; model m predicted half the log odds."""
    one = long_table(600, seed=2)
    table = pd.concat([one, one.assign(model="clinical")], ignore_index=True)
    underconfident = table["model"] == "m"
    odds = np.sqrt(table["calibrated"] / (1 - table["calibrated"]))
    return table.assign(probability=(odds / (1 + odds)).where(underconfident, table["probability"]))


@pytest.fixture(scope="module")
def measured(calibrated: pd.DataFrame) -> pd.DataFrame:
    return reliability.calibration_table(calibrated, ["clinical", "m"], n_bins=5, **DRAWN)


@pytest.fixture(scope="module")
def worked(calibrated: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    referred = referral.apply_band(calibrated, band="costs", costs=COSTS, wanted=WANTED)
    compared = referral.strategies(referred, decided(calibrated), ["m", "clinical"], COSTS)
    return referred, referral.referral_table(compared, COSTS, **DRAWN)


def printed(thing: object) -> str:
    console = Console(width=130, file=io.StringIO())
    console.print(thing)
    return console.file.getvalue()


def test_the_reliability_figure_shows_the_finding_and_the_number_of_patients(calibrated, measured):
    points = reliability.reliability_bins(calibrated, ["m", "clinical"], n_bins=5, level=0.95)
    figure = reliability_figure(points, measured, submitted="m", method="platt", level=0.95)
    text = text_of(figure)
    assert "m: underconfident, too low before calibration, no fault found after" in text
    assert "n = 600 patients" in text
    of_m = points[(points["model"] == "m") & (points["stage"] == "after")]
    for row in of_m.to_dict("records"):
        assert f"{row['n_tumoral']}/{row['n_patients']}" in text
    assert not [each for each in figure.findobj(Annotation) if each.arrow_patch is not None]
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "s"]
    np.testing.assert_allclose(marks[0].get_xydata(), of_m[["probability", "share"]])


def test_the_points_of_the_referral_figure_are_the_bands_in_use(worked):
    referred, table = worked
    curve = referral.risk_coverage(referred, ["m", "clinical"], COSTS, **DRAWN)
    figure = risk_coverage_figure(curve, table, COSTS, level=0.95)
    for panel, column in zip(figure.axes, ("accuracy", "cost"), strict=True):
        drawn = [line.get_xydata() for line in panel.lines if line.get_marker() == "o"]
        points = [xy[0] for xy in drawn if len(xy)]
        np.testing.assert_allclose(points, table.iloc[[0, 3]][["referred", column]])
        assert not panel.collections  # no area is shaded
        ends = [line.get_xydata()[:, 1].tolist() for line in panel.lines]
        for _, row in table.iloc[[0, 3]].iterrows():  # the bands in use have an interval
            assert [row[f"{column}_low"], row[f"{column}_high"]] in ends
    text = text_of(figure)
    assert f"with {table['referred'].iloc[0]:.0%} referred" in text
    assert "costs 20 flow cytometries" in text


def test_lines_of_the_referral_figure_end_where_few_patients_are_called(worked):
    referred, table = worked
    curve = referral.risk_coverage(referred, ["m", "clinical"], COSTS, **DRAWN)
    assert curve["referred"].max() > 1 - LEAST_CALLED / 600
    for panel in risk_coverage_figure(curve, table, COSTS, level=0.95).axes:
        furthest = max(line.get_xdata().max() for line in panel.lines if len(line.get_xdata()) > 2)
        assert 0.9 < furthest <= 1 - LEAST_CALLED / 600


def test_the_calibration_table_shows_both_stages_and_the_ece_of_a_perfect_model(measured):
    shown = printed(calibration_terminal_table(measured, submitted="m", method="platt", level=0.95))
    (line,) = [line for line in shown.splitlines() if line.startswith("│ m ")]
    rows = measured[measured["model"] == "m"].set_index("measure")
    assert f"{rows.loc['slope', 'before']:.1f} > {rows.loc['slope', 'after']:.1f}" in line
    assert f"({rows.loc['ece', 'perfect_after']:.2f})" in line
    assert "underconfident, too low > no fault found" in line


def test_a_sensitivity_that_no_threshold_can_guarantee_is_marked():
    table = pd.DataFrame(
        {
            "model": ["m", "m", "other"],
            "wanted": [0.9, 0.99, 0.9],
            "sensitivity": [0.92, 1.0, 0.5],
            "sensitivity_low": [0.84, 0.96, 0.4],
            "sensitivity_high": [0.96, 1.0, 0.6],
            "specificity": [0.757, 0.0, 0.5],
            "specificity_low": [0.6, 0.0, 0.4],
            "specificity_high": [0.87, 0.09, 0.6],
            "n_tumoral": [84, 84, 84],
            "n_reactive": [37, 37, 37],
        }
    )
    first, second = sensitivity_sentences(table, ["m"])
    assert "92% (84 to 96) of 84 tumoral" in first
    assert "76% (60 to 87) of 37 reactive" in first
    assert "no threshold can" in second
    assert "no threshold can" not in first


def test_the_referral_table_fits_and_the_sentences_add_up(worked):
    referred, table = worked
    shown = printed(referral_terminal_table(table, COSTS, level=0.95))
    assert "…" not in shown
    assert all(name in shown for name in table["strategy"])
    advice = referral.advise_test_patients(referred, "m")
    first, missed, test = referral_sentences(table, advice, COSTS)
    row = table.iloc[0]
    assert f"{row['called_tumoral']:.0f} tumoral" in first
    share = row["missed_high"] * row["n_tumoral"] / 600 * 20
    assert f"{share:.2f} flow cytometries" in missed
    assert f"of {len(advice)} would" in test

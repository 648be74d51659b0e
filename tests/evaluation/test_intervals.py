import numpy as np
import pytest
from scipy.stats import binomtest

from lymphokit.evaluation.intervals import percentile_interval, wilson_interval


@pytest.mark.parametrize(("successes", "trials"), [(0, 20), (20, 20), (3, 7), (80, 84)])
def test_whole_counts_have_scipys_wilson_interval(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    found = wilson_interval(successes, trials, 0.95)
    assert found.estimate == successes / trials
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_share_of_nobody_is_not_a_number():
    assert wilson_interval(0, 0, 0.95).estimate != wilson_interval(0, 0, 0.95).estimate


def test_half_a_patient_lies_between_two_whole_counts():
    lows = [wilson_interval(successes, 10, 0.95).low for successes in (4, 4.5, 5)]
    assert lows[0] < lows[1] < lows[2]


def test_what_is_not_defined_does_not_count():
    values = np.append(np.arange(101.0), [np.nan] * 50)
    assert percentile_interval(values, 0.9) == pytest.approx((5, 95))
    assert np.isnan(percentile_interval(np.full(3, np.nan), 0.9)).all()

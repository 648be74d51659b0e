"""The benchmark of training: its two ways give the same networks."""

import pytest
import torch

from tests.benchmark_module import load_benchmark

pytestmark = pytest.mark.trains


@pytest.mark.parametrize("batch_bags", [1, 16])
def test_stacked_networks_are_trained_as_one_after_the_other(batch_bags: int) -> None:
    benchmark = load_benchmark("d_mil")
    fold = benchmark.make_fold(features=6, networks=4, seed=0)
    ours, stacked = benchmark.Ours(fold), benchmark.Stacked(fold)
    for way in (ours, stacked):
        way.train(epoch=0, batch_bags=batch_bags)
    for one, other in zip(ours.weights(), stacked.weights(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


def test_the_ratio_is_printed_last(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = load_benchmark("d_mil")
    ratio = benchmark.compare(features=6, batch_bags=16, networks=4, folds=1, epochs=1)
    assert "ours / stacked" in ratio
    assert "weights apart" in capsys.readouterr().out

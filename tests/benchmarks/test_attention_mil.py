"""The benchmark of attention MIL: all ways train the same network."""

import numpy as np
import pytest

from tests.benchmark_module import load_benchmark

pytestmark = pytest.mark.trains
SIZES = np.arange(1, 20)


@pytest.mark.parametrize(("peer", "batch_bags"), [("Loop", 1), ("TorchMil", 16)])
def test_ours_has_the_losses_of_a_peer_in_every_step(peer: str, batch_bags: int) -> None:
    if peer == "TorchMil":
        pytest.importorskip("torchmil.models")
    benchmark = load_benchmark("attention_mil")
    case = benchmark.make_case(SIZES, features=6)
    ours, theirs = benchmark.Ours(case, batch_bags), getattr(benchmark, peer)(case, batch_bags)
    first = ours.train()
    np.testing.assert_allclose(first, theirs.train(), atol=1e-5)
    second = ours.train()
    np.testing.assert_allclose(second, theirs.train(), atol=1e-5)
    assert np.abs(first - second).max() > 1e-4


def test_a_line_has_the_ratio_and_whether_results_agree() -> None:
    benchmark = load_benchmark("attention_mil")
    case = benchmark.make_case(SIZES, features=6)
    pair = "ours, one bag a step against loop"
    (line,) = benchmark.compare("toy", case, 1, {pair: 1})
    assert line.startswith(f"RATIO toy: {pair}: ")
    assert "results agree" in line

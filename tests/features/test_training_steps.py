from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from lymphokit.features.training_steps import draw_batches, random_flips

IMAGE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
ORIENTATIONS = {
    "upright": IMAGE,
    "mirrored": IMAGE[:, ::-1],
    "upside down": IMAGE[::-1],
    "turned": IMAGE[::-1, ::-1],
}


def seen(*, flips: float, seed: int = 1, epoch: int = 0, n: int = 400) -> list[str]:
    flip = random_flips(flips, seed=seed, epoch=epoch)
    return [named(image) for image in flip(np.stack([IMAGE] * n))]


def named(image: NDArray[np.uint8]) -> str:
    return next(name for name, same in ORIENTATIONS.items() if np.array_equal(same, image))


def test_the_two_flips_are_independent() -> None:
    counts = Counter(seen(flips=0.5))
    expected = 100  # of 400, each orientation; a standard deviation is below 9
    assert all(abs(counts[name] - expected) < 45 for name in ORIENTATIONS)


@pytest.mark.parametrize(("flips", "only"), [(0.0, "upright"), (1.0, "turned")])
def test_flips_of_probability_0_and_1(flips: float, only: str) -> None:
    assert set(seen(flips=flips, n=20)) == {only}


def test_a_repeated_epoch_draws_the_same() -> None:
    assert seen(flips=0.5, epoch=3) == seen(flips=0.5, epoch=3)


def test_epochs_and_seeds_draw_differently() -> None:
    draws = [seen(flips=0.5, seed=seed, epoch=epoch) for seed, epoch in [(1, 0), (1, 1), (2, 0)]]
    assert draws[0] != draws[1]
    assert draws[0] != draws[2]


def test_flips_do_not_depend_on_the_batches() -> None:
    flip = random_flips(0.5, seed=1, epoch=0)
    in_batches = [named(image) for n in (3, 1, 6) for image in flip(np.stack([IMAGE] * n))]
    assert in_batches == seen(flips=0.5, n=10)


def test_an_epoch_holds_every_position_once_in_an_order_of_seed_and_epoch() -> None:
    batches = draw_batches(10, 4, seed=1, epoch=0)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(np.concatenate(batches).tolist()) == list(range(10))
    for seed, epoch, same in ((1, 0, True), (2, 0, False), (1, 1, False)):
        again = draw_batches(10, 4, seed=seed, epoch=epoch)
        assert np.array_equal(np.concatenate(again), np.concatenate(batches)) == same

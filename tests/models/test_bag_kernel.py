"""The bag kernel against loops over all pairs of cells."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.errors import NotFittedError
from lymphokit.models.bag_kernel import BagKernel
from tests.bags.toys import patients

Settings = Callable[..., Any]


def fitted(settings: Settings, n: int = 30, **changes: Any) -> tuple[BagKernel, Any]:
    of = patients(n, seed=0, features=5)
    model = BagKernel(settings("bag_kernel", pca=4, **changes), seed=0)
    return model.fit(of.bags, of.labels, of.clinical), of


def mean_similarity(model: BagKernel, one: NDArray[Any], other: NDArray[Any]) -> float:
    """The mean over all pairs of cells of two bags, pair by pair."""
    first, second = (model.projection_.transform(cells) for cells in (one, other))
    return float(
        np.mean([np.exp(-model.rate_ * np.sum((a - b) ** 2)) for a in first for b in second])
    )


def test_coordinates_have_the_kernel_as_their_inner_product(settings: Settings) -> None:
    model, of = fitted(settings, n=12)
    bags = np.split(of.bags.instances, of.bags.offsets[1:-1])
    kernel = np.array([[mean_similarity(model, one, other) for other in bags] for one in bags])
    centring = np.eye(12) - 1 / 12
    centred = centring @ kernel @ centring
    coordinates = model.descriptors(of.bags)
    np.testing.assert_allclose(np.square(coordinates).sum(axis=1).mean(), 1.0, rtol=1e-5)
    np.testing.assert_allclose(
        coordinates @ coordinates.T, centred / (np.trace(centred) / 12), atol=1e-5
    )


def test_whitened_cells_are_uncorrelated_with_unit_variance(settings: Settings) -> None:
    model, of = fitted(settings)
    cells = model.projection_.transform(of.bags.instances)
    np.testing.assert_allclose(np.cov(cells.T, ddof=0), np.eye(4), atol=1e-4)


def test_the_width_is_in_units_of_the_median_square_distance(settings: Settings) -> None:
    narrow, of = fitted(settings)
    wide, _ = fitted(settings, width=1.0)
    cells = narrow.projection_.transform(of.bags.instances).astype(float)
    squares = [np.sum((a - b) ** 2) for i, a in enumerate(cells) for b in cells[:i]]
    assert narrow.rate_ == pytest.approx(2.0 / np.median(squares), rel=1e-4)
    assert wide.rate_ == pytest.approx(narrow.rate_ / 2)


def test_mixtures_of_equal_mean_and_spread_are_told_apart(settings: Settings) -> None:
    """Cells at -1 and 1, or at -s, 0 and s with the same deviation: no moment below the fourth
    differs, so mean and deviation see nothing."""
    labels = np.arange(40) % 2
    rng = np.random.default_rng(0)
    outer = np.sqrt(1.5)
    kinds = {0: [-1.0, 1.0] * 12, 1: [-outer, 0.0, outer] * 8}
    cells = [
        np.column_stack([kinds[label], rng.normal(size=24)]) + rng.normal(0, 0.05, (24, 2))
        for label in labels
    ]
    base = patients(40, seed=0)
    bags = Bags.pack(cells, base.bags.ids)
    model = BagKernel(settings("bag_kernel", pca=2, width=8.0), seed=0)
    probabilities = model.fit(bags, labels, base.clinical).predict_proba(bags, base.clinical)
    assert probabilities[labels == 1].min() > probabilities[labels == 0].max()


def test_a_bag_has_the_mean_score_of_its_cells(settings: Settings) -> None:
    model, of = fitted(settings)
    scores = model.cell_scores(of.bags)
    by_bag = [part.mean() for part in np.split(scores, of.bags.offsets[1:-1])]
    odds = model.regression_.balanced_log_odds(model.descriptors(of.bags))
    np.testing.assert_allclose(by_bag, odds, atol=1e-6)


def test_abnormal_cells_score_higher(settings: Settings) -> None:
    model, of = fitted(settings, n=60)
    scores = model.cell_scores(of.bags)
    is_abnormal = of.bags.instances[:, 0] > 2.5
    assert np.median(scores[is_abnormal]) > np.quantile(scores[~is_abnormal], 0.9)


def test_blocks_of_cells_change_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, of = fitted(settings)
    whole, scores = model.descriptors(of.bags), model.cell_scores(of.bags)
    seven_cells = 7 * 4 * len(model.cells_)
    monkeypatch.setattr("lymphokit.models.bag_kernel._BLOCK_BYTES", seven_cells)
    np.testing.assert_allclose(model.descriptors(of.bags), whole, atol=1e-6)
    np.testing.assert_allclose(model.cell_scores(of.bags), scores, atol=1e-5)


def test_probabilities_follow_the_prevalence_and_the_balance_does_not(settings: Settings) -> None:
    """Of many copies of the reactive patients the boundary stays; probabilities fall."""
    of = patients(24, seed=3, features=5)
    tumoral, reactive = np.flatnonzero(of.labels == 1), np.flatnonzero(of.labels == 0)
    twice = np.concatenate([tumoral, reactive, reactive])
    model = BagKernel(settings("bag_kernel", pca=4), seed=0)
    model.fit(of.bags.take(twice), of.labels[twice], of.clinical.take(twice))
    assert model.regression_.prior_ == pytest.approx(np.log(0.5))
    odds = model.regression_.balanced_log_odds(model.descriptors(of.bags))
    probabilities = model.predict_proba(of.bags, of.clinical)
    np.testing.assert_allclose(np.log(probabilities / (1 - probabilities)), odds + np.log(0.5))


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide:RuntimeWarning")
def test_cells_that_never_differ_stay_finite(settings: Settings) -> None:
    of = patients(12, seed=0)
    constant = of.bags.with_instances(np.ones_like(of.bags.instances))
    model = BagKernel(settings("bag_kernel"), seed=0)
    probabilities = model.fit(constant, of.labels, of.clinical).predict_proba(constant, of.clinical)
    assert np.isfinite(probabilities).all()


def test_before_fit_nothing_is_predicted(settings: Settings) -> None:
    of = patients(4, seed=0)
    model = BagKernel(settings("bag_kernel"), seed=0)
    clinical: Clinical = of.clinical
    for predict in (
        lambda: model.predict_proba(of.bags, clinical),
        lambda: model.descriptors(of.bags),
        lambda: model.cell_scores(of.bags),
    ):
        with pytest.raises(NotFittedError):
            predict()

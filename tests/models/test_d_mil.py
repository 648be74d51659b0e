"""D-MIL as an estimator: the report's constants, honest early stopping, the mean of an ensemble."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.errors import NotFittedError
from lymphokit.models.d_mil import DMil

Settings = Callable[..., Any]
Cohort = tuple[Bags, NDArray[np.int64], Clinical]

pytestmark = pytest.mark.trains


def cohort(seed: int = 0, n_bags: int = 24, features: int = 6, shift: float = 2.0) -> Cohort:
    """Half of a tumoral bag's 2 to 7 cells lie off in the first feature; clinical says nothing."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n_bags) % 3 != 0).astype(np.int64)
    cells = []
    for label in labels:
        bag = rng.normal(size=(rng.integers(2, 8), features)).astype(np.float32)
        bag[: (len(bag) + 1) // 2, 0] += shift * label
        cells.append(bag)
    bags = Bags.pack(cells, [f"P{bag}" for bag in range(n_bags)])
    clinical = Clinical(rng.uniform(40, 90, n_bags), np.exp(rng.normal(2, 1, n_bags)))
    return bags, labels, clinical


@pytest.fixture
def quick(settings: Settings) -> Callable[..., DMil]:
    """D-MIL as config.yaml has it, but small and fast, and with these changes."""

    def model(**changes: Any) -> DMil:
        small = {
            "pca": None, "attention_width": 8, "hidden": [12], "clinical_hidden": [5],
            "learning_rate": 0.01, "batch_bags": 6, "max_epochs": 8, "members": 2,
        }  # fmt: skip
        return DMil(settings("d_mil", **(small | changes)), seed=3)

    return model


def test_the_reports_constants_reach_the_network(settings: Settings) -> None:
    bags, labels, clinical = cohort(n_bags=12)
    model = DMil(settings("d_mil", pca=5, max_epochs=1), seed=0).fit(bags, labels, clinical)
    assert len(model.networks_) == 4
    shapes = {name: tuple(each.shape) for name, each in model.networks_[0].named_parameters()}
    assert shapes["aggregation.V.weight"] == (64, 5)
    assert shapes["aggregation.w.weight"] == (1, 64)
    assert shapes["bag_mlp.linears.0.weight"] == (128, 5)
    assert shapes["bag_mlp.linears.1.weight"] == (128, 128)
    assert shapes["clinical_mlp.linears.0.weight"] == (128, 2)
    assert shapes["clinical_mlp.linears.1.weight"] == (128, 128)
    assert shapes["last.weight"] == (1, 256)
    assert (model.settings.aggregation, model.settings.normalisation) == ("attention", "layer")
    assert (model.settings.learning_rate, model.settings.dropout) == (1e-6, 0.05)
    assert (model.settings.lr_factor, model.settings.lr_patience) == (0.8, 4)


def test_a_step_of_the_report_moves_a_weight_by_its_learning_rate(settings: Settings) -> None:
    bags, labels, clinical = cohort(n_bags=8)
    changes = {"pca": None, "max_epochs": 1, "members": 1, "batch_bags": 8, "dropout": 0.0}
    slow, still = (
        DMil(settings("d_mil", **changes).model_copy(update=rate), seed=0)
        .fit(bags, labels, clinical)
        .networks_[0]
        .get_parameter("aggregation.w.weight")
        for rate in ({}, {"learning_rate": 0.0})
    )
    # Adam's first step has the size of the learning rate, whatever the gradient.
    moved = slow - still
    assert moved.abs().median().item() == pytest.approx(1e-6, rel=0.05)


def test_it_learns_which_bags_hold_abnormal_cells(quick: Callable[..., DMil]) -> None:
    model = quick(max_epochs=40, members=4, weighted_loss=False).fit(*cohort(n_bags=60))
    bags, labels, clinical = cohort(seed=1, n_bags=60)
    assert roc_auc_score(labels, model.predict_proba(bags, clinical)) > 0.85


def test_it_learns_from_the_clinical_attributes(quick: Callable[..., DMil]) -> None:
    bags, labels, clinical = cohort(n_bags=40, shift=0.0)
    informative = Clinical(clinical.age_years + 40.0 * labels, clinical.lymphocytes_giga_per_litre)
    model = quick(max_epochs=40).fit(bags, labels, informative)
    old, young = (
        Clinical(np.full(len(bags), age), clinical.lymphocytes_giga_per_litre)
        for age in (110.0, 50.0)
    )
    assert (model.predict_proba(bags, old) > model.predict_proba(bags, young)).all()


def test_early_stopping_picks_each_members_lowest_validation_loss(
    quick: Callable[..., DMil],
) -> None:
    model = quick(max_epochs=25, early_stopping=6, members=3).fit(*cohort())
    losses = model.history_.query("part == 'held_out'").pivot(
        index="epoch", columns="member", values="loss"
    )
    assert losses.shape[1] == 3
    assert model.epochs_.tolist() == losses.idxmin().tolist()
    ran = losses.notna().sum().to_numpy()
    assert (ran <= np.minimum(25, model.epochs_ + 6)).all()


def test_a_members_validation_loss_is_that_of_the_patients_it_held_out(
    quick: Callable[..., DMil],
) -> None:
    bags, labels, clinical = cohort()
    model = quick(max_epochs=3).fit(bags, labels, clinical)
    inputs = model.preparation_.transform(bags, clinical)
    batch = inputs.batch(np.arange(len(bags)))
    logits = torch.stack([network(*batch) for network in model.networks_])
    probabilities = logits.detach().double().sigmoid().numpy()
    share = labels.mean()
    costs = np.where(labels == 1, share, 1 - share)
    for member, out in enumerate(model.held_out_):
        truth = np.where(labels == 1, probabilities[member], 1 - probabilities[member])
        expected = (-costs * np.log(truth))[out].mean()
        history = model.history_.set_index(["member", "part", "epoch"])["loss"]
        chosen = history[member + 1, "held_out", model.epochs_[member]]
        assert chosen == pytest.approx(expected, rel=1e-4)


def test_the_probability_is_the_mean_of_the_members(quick: Callable[..., DMil]) -> None:
    bags, labels, clinical = cohort()
    model = quick().fit(bags, labels, clinical)
    ensemble, networks, members = model.predict_proba(bags, clinical), model.networks_, []
    for network in networks:
        model.networks_ = [network]
        members.append(model.predict_proba(bags, clinical))
    np.testing.assert_allclose(ensemble, np.mean(members, axis=0), rtol=1e-6)
    assert np.abs(members[0] - members[1]).max() > 1e-3


AGGREGATIONS = ["attention", "gated_attention", "max", "mean_std"]


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_the_shares_of_the_cells_of_a_bag_sum_to_one(
    quick: Callable[..., DMil], aggregation: str
) -> None:
    bags, labels, clinical = cohort()
    model = quick(aggregation=aggregation, max_epochs=3).fit(bags, labels, clinical)
    shares = model.shares(bags)
    np.testing.assert_allclose(np.add.reduceat(shares, bags.offsets[:-1]), 1.0, rtol=1e-5)
    alone = model.shares(bags.take([5]))
    np.testing.assert_allclose(alone, shares[bags.cells_of([5])], rtol=1e-5)
    alike = np.allclose(shares, 1 / bags.sizes[bags.bag_of])
    assert alike == (aggregation == "mean_std")


def test_the_shares_of_attention_are_its_weights_averaged_over_members(
    quick: Callable[..., DMil],
) -> None:
    bags, labels, clinical = cohort()
    model = quick().fit(bags, labels, clinical)
    few = bags.take([5])
    cells = model.preparation_.transform(few, clinical=None).bags.instances
    by_member = []
    for network in model.networks_:
        V, w = (network.state_dict()[f"aggregation.{name}.weight"].numpy() for name in "Vw")
        by_member.append(np.tanh(cells @ V.T) @ w[0])
    expected = np.exp(by_member) / np.exp(by_member).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.shares(few), expected.mean(axis=0), rtol=1e-4)


def test_features_by_the_thousand_run_without_components(quick: Callable[..., DMil]) -> None:
    bags, labels, clinical = cohort(n_bags=12, features=8192)
    for aggregation in AGGREGATIONS:
        model = quick(scale=False, aggregation=aggregation, max_epochs=1).fit(
            bags, labels, clinical
        )
        assert np.isfinite(model.predict_proba(bags, clinical)).all()


@pytest.mark.parametrize("normalisation", ["layer", "none"])
def test_the_normalisation_is_the_one_that_was_asked_for(
    quick: Callable[..., DMil], normalisation: str
) -> None:
    model = quick(normalisation=normalisation, max_epochs=1).fit(*cohort())
    names = [name for name, _ in model.networks_[0].named_parameters()]
    assert any("norms" in name for name in names) == (normalisation == "layer")


def test_a_cells_score_is_the_log_odds_of_it_alone_for_an_average_patient(
    quick: Callable[..., DMil],
) -> None:
    bags, labels, clinical = cohort()
    model = quick(members=1).fit(bags, labels, clinical)
    lone = Bags(bags.instances[7:8], np.array([0, 1]), ("P",))
    age, log_count = model.preparation_.scaler_.mean_
    average = Clinical(np.array([age]), np.exp([log_count]))
    probability = model.predict_proba(lone, average)[0]
    expected = np.log(probability / (1 - probability))
    assert model.cell_scores(bags)[7] == pytest.approx(expected, rel=1e-4)


def test_abnormal_cells_score_higher(quick: Callable[..., DMil]) -> None:
    model = quick(max_epochs=40, members=4, weighted_loss=False).fit(*cohort(n_bags=60, shift=3.0))
    bags, labels, _ = cohort(seed=1, n_bags=60, shift=3.0)
    place = np.arange(len(bags.instances)) - np.repeat(bags.offsets[:-1], bags.sizes)
    half = np.repeat((bags.sizes + 1) // 2, bags.sizes)
    abnormal = (place < half) & (labels[bags.bag_of] == 1)
    assert roc_auc_score(abnormal, model.cell_scores(bags)) > 0.85


def test_bags_in_many_chunks_get_what_they_get_in_one(
    quick: Callable[..., DMil], monkeypatch: pytest.MonkeyPatch
) -> None:
    bags, labels, clinical = cohort()
    model = quick().fit(bags, labels, clinical)
    whole = model.predict_proba(bags, clinical), model.shares(bags)
    monkeypatch.setattr("lymphokit.deep_mil.training._CHUNK_BAGS", 5)
    np.testing.assert_allclose(model.predict_proba(bags, clinical), whole[0], rtol=1e-5)
    np.testing.assert_allclose(model.shares(bags), whole[1], rtol=1e-5)


def test_a_single_member_is_one_network_stopped_on_a_fifth(quick: Callable[..., DMil]) -> None:
    bags, labels, clinical = cohort(n_bags=30)
    model = quick(members=1).fit(bags, labels, clinical)
    assert len(model.networks_) == 1
    assert labels[model.held_out_[0]].tolist().count(1) == 4
    assert model.held_out_.sum() == 6


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    quick: Callable[..., DMil],
) -> None:
    data = cohort()
    first, again, other = quick(), quick(), quick()
    other.seed = 4
    one, two, three = (
        each.fit(*data).predict_proba(data[0], data[2]).tobytes() for each in (first, again, other)
    )
    assert one == two != three


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets how many threads torch uses; afterwards it uses as many as before."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_the_number_of_threads_changes_no_more_than_rounding(
    quick: Callable[..., DMil], threads: Callable[[int], None]
) -> None:
    bags, labels, clinical = cohort(features=40)
    probabilities = []
    for wanted in (1, 2):
        threads(wanted)
        model = quick(max_epochs=4).fit(bags, labels, clinical)
        probabilities.append(model.predict_proba(bags, clinical))
    np.testing.assert_allclose(*probabilities, rtol=1e-3)


def test_it_does_not_predict_before_it_was_fitted(quick: Callable[..., DMil]) -> None:
    bags, _, clinical = cohort()
    for predict in (
        lambda model: model.predict_proba(bags, clinical),
        lambda model: model.shares(bags),
        lambda model: model.cell_scores(bags),
    ):
        with pytest.raises(NotFittedError, match="fit DMil"):
            predict(quick())

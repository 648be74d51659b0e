"""Training: draws, one epoch against plain torch, early stopping, history."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, log_loss

from lymphokit.bags.packed import Bags
from lymphokit.deep_mil.attention_mil import AttentionMil
from lymphokit.deep_mil.network_settings import DMilSettings
from lymphokit.deep_mil.preparation import Prepared
from lymphokit.deep_mil.training import (
    Adam,
    EarlyStopping,
    Examples,
    Parts,
    Trained,
    draw_keep,
    hold_out,
    make_optimizer,
    predict_logits,
    score_parts,
    split_steps,
    train_ensemble,
    train_epoch,
)
from lymphokit.errors import LymphokitError

pytestmark = pytest.mark.trains
MEMBERS = 3
SETTINGS = DMilSettings(
    kind="d_mil",
    enabled=True,
    features="any",
    scale=False,
    pca=None,
    aggregation="attention",
    attention_width=4,
    hidden=[6],
    clinical_hidden=[5],
    fusion="joined",
    optimizer="adam",
    normalisation="layer",
    dropout=0.3,
    learning_rate=0.01,
    weight_decay=0.0,
    batch_bags=4,
    lr_factor=0.8,
    lr_patience=4,
    weighted_loss=True,
    max_epochs=12,
    early_stopping=5,
    members=MEMBERS,
)


def settings(**changes: Any) -> DMilSettings:
    return SETTINGS.model_copy(update=changes)


def build() -> AttentionMil:
    torch.manual_seed(0)
    return AttentionMil.from_settings(3, SETTINGS)


def examples(n_bags: int = 14, shift: float = 0.5) -> Examples:
    """Bags of 1 to 5 cells with 3 features, which are higher in positive bags."""
    rng, labels = np.random.default_rng(0), (np.arange(n_bags) % 3 != 0).astype(np.int64)
    cells = [rng.normal(size=(1 + bag % 5, 3)) + shift * labels[bag] for bag in range(n_bags)]
    names = [str(bag) for bag in range(n_bags)]
    bags = Bags.pack([each.astype(np.float32) for each in cells], names)
    clinical = torch.from_numpy(rng.normal(size=(n_bags, 2)).astype(np.float32))
    return Examples(Prepared(bags, clinical), labels, np.array([0.3, 0.7], dtype=np.float32))


def parts(cohort: Examples) -> Parts:
    """Two bags are scored; each of the others is held out by one of the members."""
    held_out = hold_out(cohort.labels[2:], MEMBERS, np.random.default_rng(1))
    scored = np.full((MEMBERS, 2), "scored")
    return np.concatenate([scored, np.where(held_out, "held_out", "learned")], axis=1)


def trained(cohort: Examples, bag_parts: Parts, **changes: Any) -> list[Trained]:
    seeds, rng = list(range(len(bag_parts))), np.random.default_rng(4)
    return train_ensemble(cohort, bag_parts, settings(**changes), rng, seeds)


def losses(network: Trained, part: str = "held_out") -> NDArray[np.float64]:
    """The loss of each epoch."""
    rows = network.history[network.history["part"] == part]
    assert rows["epoch"].tolist() == list(range(1, len(rows) + 1))
    return rows["loss"].to_numpy()


def weights(network: AttentionMil) -> torch.Tensor:
    """All parameters in one vector."""
    return torch.cat([each.detach().flatten() for each in network.parameters()])


def with_instances(cohort: Examples, instances: NDArray[np.floating]) -> Examples:
    bags = cohort.inputs.bags.with_instances(instances)
    return replace(cohort, inputs=replace(cohort.inputs, bags=bags))


def test_several_members_hold_out_each_patient_once_by_label() -> None:
    labels = (np.arange(41) % 3 != 0).astype(np.int64)
    held_out = hold_out(labels, 4, np.random.default_rng(0))
    assert held_out.sum(axis=0).tolist() == [1] * 41
    for label in (0, 1):
        counts = held_out[:, labels == label].sum(axis=1)
        assert counts.max() - counts.min() <= 1
    assert not np.array_equal(held_out, hold_out(labels, 4, np.random.default_rng(1)))


def test_a_single_member_holds_out_a_fifth_by_label() -> None:
    labels = np.repeat([0, 1], [10, 40])
    held_out = hold_out(labels, 1, np.random.default_rng(0))
    assert held_out.shape == (1, 50)
    assert labels[held_out[0]].tolist() == [0] * 2 + [1] * 8


@pytest.mark.parametrize(("patients", "members"), [(3, 4), (1, 1)])
def test_too_few_patients_are_refused(patients: int, members: int) -> None:
    with pytest.raises(ValueError, match=f"members need .* patients, got {patients}"):
        hold_out(np.ones(patients, dtype=np.int64), members, np.random.default_rng(0))


def test_dropout_zeroes_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    keep = draw_keep(9000, 11, 0.25)
    assert keep is not None
    assert keep.shape == (9000, 11)
    assert (keep == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert keep.mean().item() == pytest.approx(1.0, abs=0.01)
    assert draw_keep(5, 11, 0.0) is None


@pytest.mark.parametrize(("batch_bags", "weight_decay"), [(1, 0.0), (4, 0.0), (4, 0.1)])
def test_an_epoch_equals_plain_torch_bag_by_bag(batch_bags: int, weight_decay: float) -> None:
    cohort, network, plain = examples(), build(), build()
    learned, order = parts(cohort)[0] == "learned", np.random.default_rng(2).permutation(14)
    steps = split_steps(order, learned, batch_bags)
    torch.manual_seed(5)
    met = train_epoch(network, Adam(network, 0.01, weight_decay), cohort, steps)
    torch.manual_seed(5)
    keep = draw_keep(14, network.n_units, 0.3)
    assert keep is not None
    adam = torch.optim.Adam(plain.parameters(), lr=0.01, weight_decay=weight_decay)
    for step in np.split(order, range(batch_bags, 14, batch_bags)):
        losses = []
        for bag in step[learned[step]]:
            one = np.array([bag])
            logit = plain(*cohort.inputs.batch(one), keep[one])[0]
            assert met[bag] == pytest.approx(logit.item(), abs=1e-4)
            loss = torch.nn.functional.softplus(-logit if cohort.labels[bag] else logit)
            losses.append((0.7 if cohort.labels[bag] else 0.3) * loss)
        if losses:  # no step without a bag to learn from
            adam.zero_grad()
            torch.autograd.backward(torch.stack(losses).mean())
            adam.step()
    torch.testing.assert_close(weights(network), weights(plain), rtol=1e-3, atol=2e-5)
    assert (weights(network) - weights(build())).abs().max() > 0.01
    assert np.isnan(met[~learned]).all()


@pytest.mark.parametrize("batch_bags", [1, 4])
def test_patients_that_were_predicted_can_be_learned_from(batch_bags: int) -> None:
    networks = []
    for predict in (False, True):
        cohort, network = examples(), build()
        if predict:
            predict_logits(network, cohort.inputs, np.arange(14))
        torch.manual_seed(5)
        steps = split_steps(np.arange(14), np.ones(14, dtype=np.bool_), batch_bags)
        train_epoch(network, Adam(network, 0.01, 0.0), cohort, steps)
        networks.append(weights(network))
    assert torch.equal(*networks)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adam_is_torchs_and_its_rate_can_be_reduced(weight_decay: float) -> None:
    network, plain = build().eval(), build().eval()  # without dropout
    cells, bag_of, clinical = examples().inputs.batch(np.arange(6))
    ours = Adam(network, 0.01, weight_decay)
    theirs = torch.optim.Adam(plain.parameters(), lr=0.01, weight_decay=weight_decay)
    for step in range(5):
        if step == 3:
            ours.learning_rate *= 0.5
            theirs.param_groups[0]["lr"] *= 0.5
        ours.step(network(cells, bag_of, clinical).square().mean())
        theirs.zero_grad()
        torch.autograd.backward(plain(cells, bag_of, clinical).square().mean())
        theirs.step()
    torch.testing.assert_close(weights(network), weights(plain))


@pytest.mark.parametrize("name", ["rmsprop", "sgd"])
def test_other_optimizers_are_torchs_and_their_rate_can_be_reduced(name: str) -> None:
    network, plain = build().eval(), build().eval()
    cells, bag_of, clinical = examples().inputs.batch(np.arange(6))
    changes = {"optimizer": name, "learning_rate": 0.01, "weight_decay": 0.1}
    ours = make_optimizer(network, SETTINGS.model_copy(update=changes))
    theirs: torch.optim.Optimizer
    if name == "sgd":
        theirs = torch.optim.SGD(plain.parameters(), lr=0.01, weight_decay=0.1, momentum=0.9)
    else:
        theirs = torch.optim.RMSprop(plain.parameters(), lr=0.01, weight_decay=0.1)
    for step in range(4):
        if step == 2:
            ours.learning_rate *= 0.5
            theirs.param_groups[0]["lr"] *= 0.5
        ours.step(network(cells, bag_of, clinical).square().mean())
        theirs.zero_grad()
        torch.autograd.backward(plain(cells, bag_of, clinical).square().mean())
        theirs.step()
    torch.testing.assert_close(weights(network), weights(plain))
    assert (weights(network) - weights(build())).abs().max() > 1e-4


def test_adam_is_our_class() -> None:
    assert isinstance(make_optimizer(build(), SETTINGS), Adam)


def test_a_network_does_not_depend_on_the_other_members() -> None:
    cohort = examples()
    bag_parts = parts(cohort)
    # Two members learn from all bags between them, as three do, so that the order is the same.
    few, many = trained(cohort, bag_parts[:2]), trained(cohort, bag_parts)
    for ours, theirs in zip(few, many, strict=False):
        assert ours.epoch == theirs.epoch
        assert torch.equal(weights(ours.network), weights(theirs.network))
    assert not torch.allclose(weights(many[0].network), weights(many[1].network))


@pytest.mark.parametrize("part", ["held_out", "scored"])
def test_a_network_never_learns_from_held_out_or_scored_bags(part: str) -> None:
    cohort = examples()
    bag_parts = parts(cohort)
    bags = np.flatnonzero(bag_parts[0] == part)
    instances = cohort.inputs.bags.instances.copy()
    instances[cohort.inputs.bags.cells_of(bags)] += 3.0
    # One epoch, so that none is chosen by the held-out loss.
    before = trained(cohort, bag_parts, max_epochs=1)
    after = trained(with_instances(cohort, instances), bag_parts, max_epochs=1)
    same = [
        torch.equal(weights(one.network), weights(other.network))
        for one, other in zip(before, after, strict=True)
    ]
    assert same == [True, part == "scored", part == "scored"]


def test_every_network_keeps_the_epoch_of_its_lowest_held_out_loss() -> None:
    cohort = examples()
    bag_parts = parts(cohort)
    ensemble = trained(cohort, bag_parts, learning_rate=0.03)
    assert len({each.epoch for each in ensemble}) > 1
    for row, each in zip(bag_parts, ensemble, strict=True):
        assert each.epoch == losses(each).argmin() + 1
        logits = predict_logits(each.network, cohort.inputs, np.arange(14))
        again = score_parts(cohort, row, logits)["held_out"]["loss"]
        assert again == pytest.approx(losses(each).min(), rel=1e-6)
        learned = row == "learned"
        np.testing.assert_allclose(each.logits[~learned], logits[~learned], atol=1e-6)
        assert np.isnan(each.logits[learned]).all()


def test_a_network_that_has_stopped_has_no_further_history() -> None:
    cohort = examples()
    ensemble = trained(cohort, parts(cohort), learning_rate=0.05, max_epochs=40)
    last = [each.history["epoch"].max() for each in ensemble]
    assert last == [each.epoch + SETTINGS.early_stopping for each in ensemble]
    assert len(set(last)) > 1
    assert max(last) < 40
    for each in ensemble:
        assert len(each.history) == 3 * each.history["epoch"].max()
        assert each.history.notna().to_numpy().all()


def test_stopping_early_changes_nothing_about_the_epochs_before() -> None:
    cohort = examples()
    changes = {"learning_rate": 0.05, "max_epochs": 40}
    short = trained(cohort, parts(cohort), early_stopping=5, **changes)
    long = trained(cohort, parts(cohort), early_stopping=40, **changes)
    for one, other in zip(short, long, strict=True):
        assert len(one.history) < len(other.history)
        assert one.history.equals(other.history[: len(one.history)])


def test_scores_of_an_epoch_are_those_of_scikit_learn() -> None:
    cohort = examples(n_bags=20)
    bag_parts, logits = parts(cohort)[1], np.random.default_rng(0).normal(size=20)
    scores = score_parts(cohort, bag_parts, logits)
    assert list(scores) == ["learned", "held_out", "scored"]
    for part, row in scores.items():
        labels = cohort.labels[bag_parts == part]
        p, costs = 1 / (1 + np.exp(-logits[bag_parts == part])), np.where(labels, 0.7, 0.3)
        # log_loss divides by the sum of the weights, the report's loss by the number of bags
        total = log_loss(labels, p, sample_weight=costs) * costs.sum()
        assert row["loss"] == pytest.approx(total / len(labels), rel=1e-5)
        assert row["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, p > 0.5))


def test_a_part_without_bags_has_no_scores() -> None:
    cohort = examples()
    everything = np.full(14, "learned")
    assert list(score_parts(cohort, everything, np.zeros(14))) == ["learned"]


def test_early_stopping_finds_the_lowest_loss_reduces_the_rate_and_stops() -> None:
    def follow(losses: list[float]) -> tuple[EarlyStopping, list[list[bool]]]:
        stopping, flags = EarlyStopping(lr_patience=2, early_stopping=3), []
        for epoch, loss in enumerate(losses, start=1):
            stopping.update(epoch, loss)
            flags.append([stopping.improved, stopping.reduce_rate, stopping.stop])
        return stopping, np.array(flags).T.tolist()

    stopping, (improved, reduced, stopped) = follow([1.0, 0.9, 0.95, 0.9, 1.0])
    # Equal is not lower: the rate is reduced at the second epoch without a lower loss.
    assert improved == [True, True, False, False, False]
    assert reduced == [False, False, False, True, False]
    assert stopped == [False, False, False, False, True]
    assert (stopping.best_epoch, stopping.lowest) == (2, 0.9)
    stopping, (improved, reduced, stopped) = follow([1.0, 1.0, 0.8, 0.7, 0.6, 0.9])
    assert improved == [True, False, True, True, True, False]
    assert not any(reduced + stopped)
    assert (stopping.best_epoch, stopping.lowest) == (5, 0.6)


def test_a_loss_that_is_nan_is_no_improvement() -> None:
    stopping = EarlyStopping(lr_patience=2, early_stopping=2)
    stopping.update(1, float("nan"))
    assert not stopping.improved
    assert stopping.best_epoch == 0


def test_training_whose_loss_never_was_a_number_is_an_error() -> None:
    cohort = examples()
    infinite = np.full_like(cohort.inputs.bags.instances, np.inf)
    with pytest.raises(LymphokitError, match="finite"):
        trained(with_instances(cohort, infinite), parts(cohort))

"""Members side by side learn what each learns alone, and stop on what they held out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, log_loss

from lymphokit.errors import LymphokitError
from lymphokit.mil.attention import Attention, Committee
from lymphokit.mil.bags import Bags
from lymphokit.mil.committee import (
    Examples,
    Inputs,
    MemberAdam,
    Schedule,
    Watch,
    chunks,
    draw_keep,
    draw_steps,
    hold_out,
    judge,
    learn,
    train,
)

MEMBERS = 3
SCHEDULE = Schedule(
    dropout=0.3,
    learning_rate=0.01,
    weight_decay=0.0,
    batch_bags=4,
    schedule_factor=0.8,
    schedule_patience=4,
    max_epochs=12,
    early_stopping=5,
)


def generators(members: int = MEMBERS) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(member) for member in range(members)]


def committee(members: int = MEMBERS) -> Committee:
    own = generators(members)
    return Committee(Attention(3, 4, own), [6], [5], 2, own)


def examples(n_bags: int = 14) -> Examples:
    """Bags of 1 to 5 cells with 3 features; the first says a little about the label."""
    rng = np.random.default_rng(0)
    labels = np.arange(n_bags) % 3 != 0
    cells = [rng.normal(size=(1 + bag % 5, 3)) + 0.5 * labels[bag] for bag in range(n_bags)]
    bags = Bags.pack([each.astype(np.float32) for each in cells], [str(b) for b in range(n_bags)])
    clinical = torch.from_numpy(rng.normal(size=(n_bags, 2)).astype(np.float32))
    costs = torch.from_numpy(np.where(labels, 0.7, 0.3).astype(np.float32))
    return Examples(Inputs(bags, clinical), torch.from_numpy(labels.astype(np.float32)), costs)


def held_out(cohort: Examples, members: int = MEMBERS) -> NDArray[np.bool_]:
    labels = cohort.labels.numpy().astype(np.int64)
    return hold_out(labels, members, np.random.default_rng(1))


def weights(network: Committee) -> torch.Tensor:
    """All parameters, a row a member."""
    return torch.cat([each.detach().flatten(1) for each in network.parameters()], dim=1)


def learn_alone(
    network: Committee,
    cohort: Examples,
    own: NDArray[np.bool_],
    steps: list[NDArray[np.int64]],
    keep: torch.Tensor,
    weight_decay: float,
) -> None:
    """One member, bag after bag, as anyone would write it."""
    adam = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=weight_decay)
    for step in steps:
        losses = []
        for bag in step[own[step]]:
            one = np.array([bag])
            logit = network(*cohort.inputs.batch(one), keep[:, one])
            cost = torch.nn.functional.softplus(-logit if cohort.labels[bag] else logit)
            losses.append(cohort.costs[bag] * cost)
        if losses:
            adam.zero_grad()
            torch.autograd.backward(torch.stack(losses).mean())
            adam.step()


@pytest.mark.parametrize(("batch_bags", "weight_decay"), [(1, 0.0), (4, 0.0), (4, 0.1)])
def test_members_side_by_side_learn_what_each_learns_alone(
    batch_bags: int, weight_decay: float
) -> None:
    cohort, network, alone = examples(), committee(), [committee() for _ in range(MEMBERS)]
    learns = ~held_out(cohort)
    adam = MemberAdam(network, 0.01, weight_decay)
    steps = draw_steps(np.arange(len(cohort)), batch_bags, np.random.default_rng(2))
    keep = draw_keep(network, len(cohort), 0.3, generators())
    assert keep is not None
    learn(network, adam, cohort, torch.from_numpy(learns), steps, keep)
    for member, single in enumerate(alone):
        for parameter in single.parameters():
            parameter.data = parameter.data[member : member + 1].clone()
        one = keep[member : member + 1]
        learn_alone(single, cohort, learns[member], steps, one, weight_decay)
        torch.testing.assert_close(
            weights(single)[0], weights(network)[member], rtol=1e-3, atol=2e-5
        )
    assert (weights(network) - weights(committee())).abs().max() > 0.01


def three_epochs(cohort: Examples, out: NDArray[np.bool_]) -> list[torch.Tensor]:
    """The weights after each of three epochs."""
    network, rng, own, after = committee(), np.random.default_rng(3), generators(), []
    adam = MemberAdam(network, 0.01, 0.0)
    for _ in range(3):
        steps = draw_steps(np.arange(len(cohort)), 4, rng)
        keep = draw_keep(network, len(cohort), 0.3, own)
        learn(network, adam, cohort, torch.from_numpy(~out), steps, keep)
        after.append(weights(network))
    return after


def test_a_member_never_learns_from_the_part_it_held_out() -> None:
    cohort = examples()
    out = held_out(cohort)
    instances = cohort.inputs.bags.instances.copy()
    instances[cohort.inputs.bags.cells_of(np.flatnonzero(out[0]))] += 3.0
    bags = cohort.inputs.bags.with_instances(instances)
    perturbed = replace(cohort, inputs=replace(cohort.inputs, bags=bags))
    for before, after in zip(three_epochs(cohort, out), three_epochs(perturbed, out), strict=True):
        assert torch.equal(before[0], after[0])
        assert not torch.allclose(before[1], after[1])


def test_each_member_has_its_own_rate_and_rests_where_it_has_no_bag() -> None:
    network, alone = committee(), [committee() for _ in range(MEMBERS)]
    adam = MemberAdam(network, 0.01, 0.1)
    adam.slow(np.array([False, True, False]), 0.5)
    singles = [
        torch.optim.Adam(each.parameters(), lr=rate, weight_decay=0.1)
        for each, rate in zip(alone, [0.01, 0.005, 0.01], strict=True)
    ]
    torch.manual_seed(0)
    for learning in ([True, True, True], [True, True, False], [True, True, True]):
        for several in zip(network.parameters(), *(one.parameters() for one in alone), strict=True):
            gradient = torch.randn_like(several[0])
            for parameter in several:
                parameter.grad = gradient.clone()
        adam.step(learning)
        for moves, single in zip(learning, singles, strict=True):
            if moves:
                single.step()
    for member, single_network in enumerate(alone):
        torch.testing.assert_close(weights(network)[member], weights(single_network)[member])


def test_settled_weights_do_not_share_memory_with_the_optimizer() -> None:
    network = committee()
    adam = MemberAdam(network, 0.01, 0.0)
    adam.settle(adam.weights.clone())
    before = weights(network)
    adam.weights.zero_()
    assert torch.equal(weights(network), before)
    assert all(parameter.is_contiguous() for parameter in network.parameters())


def test_a_watch_keeps_the_lowest_slows_and_stops_each_member_by_itself() -> None:
    watch = Watch(members=2, schedule_patience=2, early_stopping=3)
    losses = [[1.0, 1.0], [0.9, 1.0], [0.95, 0.8], [0.9, 0.7], [1.0, 0.6], [0.1, 0.9]]
    seen = [watch.look(epoch, np.array(line)) for epoch, line in enumerate(losses, start=1)]
    improved, slow = (np.stack(marks).T.tolist() for marks in zip(*seen, strict=True))
    assert improved == [
        [True, True, False, False, False, False],
        [True, False, True, True, True, False],
    ]
    # Equal is not lower: member 0 waits from epoch 3, is slowed at 4 and stops at 5.
    assert slow == [[False, False, False, True, False, False], [False] * 6]
    assert watch.epochs.tolist() == [2, 5]
    assert watch.running.tolist() == [False, True]
    assert watch.lowest.tolist() == [0.9, 0.6]


def test_a_loss_that_is_no_number_is_no_improvement() -> None:
    watch = Watch(members=1, schedule_patience=2, early_stopping=2)
    improved, _ = watch.look(1, np.array([np.nan]))
    assert not improved.any()
    assert watch.epochs.tolist() == [0]


def test_every_member_keeps_the_epoch_of_its_lowest_validation_loss() -> None:
    cohort, network = examples(), committee()
    out = held_out(cohort)
    history, epochs = train(network, cohort, out, SCHEDULE, np.random.default_rng(4), generators())
    assert epochs.tolist() == (np.nanargmin(history.validation_loss, axis=0) + 1).tolist()
    assert len(set(epochs.tolist())) > 1
    lowest = np.nanmin(history.validation_loss, axis=0)
    np.testing.assert_allclose(judge(network, cohort, torch.from_numpy(~out))[1], lowest)


def test_a_member_that_waited_long_enough_has_no_further_history() -> None:
    cohort = examples()
    out = held_out(cohort)
    schedule = replace(SCHEDULE, learning_rate=0.05, max_epochs=40)
    history, epochs = train(
        committee(), cohort, out, schedule, np.random.default_rng(4), generators()
    )
    last = np.isfinite(history.validation_loss).sum(axis=0)
    assert last.tolist() == (epochs + schedule.early_stopping).tolist()
    assert len(history.validation_loss) == last.max() < schedule.max_epochs
    for curve in vars(history).values():
        assert np.isfinite(curve).sum(axis=0).tolist() == last.tolist()


def test_stopping_early_changes_nothing_about_the_epochs_before() -> None:
    cohort = examples()
    out = held_out(cohort)
    schedule = replace(SCHEDULE, learning_rate=0.05, max_epochs=40)
    long = replace(schedule, early_stopping=40)
    (short_run, _), (long_run, _) = (
        train(committee(), cohort, out, each, np.random.default_rng(4), generators())
        for each in (schedule, long)
    )
    ran = np.isfinite(short_run.train_loss)
    expected = long_run.train_loss[: len(ran)]
    np.testing.assert_allclose(short_run.train_loss[ran], expected[ran], rtol=1e-4)


def test_an_epochs_line_holds_the_loss_and_balanced_accuracy_of_each_part() -> None:
    cohort, network = examples(), committee()
    learns = ~held_out(cohort)
    line = judge(network, cohort, torch.from_numpy(learns))
    inputs = cohort.inputs.batch(np.arange(len(cohort)))
    probabilities = network(*inputs).detach().double().sigmoid().numpy()
    labels, costs = cohort.labels.numpy(), cohort.costs.numpy()
    for member, own in enumerate(learns):
        for row, part in enumerate((own, ~own)):
            p, truth = probabilities[member][part], labels[part]
            # log_loss divides by the sum of the weights, the report's loss by the number of bags
            total = log_loss(truth, p, sample_weight=costs[part]) * costs[part].sum()
            assert line[row, member] == pytest.approx(total / part.sum(), rel=1e-5)
            accuracy = balanced_accuracy_score(truth, p > 0.5)
            assert line[row + 2, member] == pytest.approx(accuracy)


def test_training_that_never_gave_a_number_says_so() -> None:
    cohort = examples()
    cohort.inputs.bags.instances[:] = np.inf
    with pytest.raises(LymphokitError, match="member 1, 2, 3 never was a number"):
        train(
            committee(), cohort, held_out(cohort), SCHEDULE, np.random.default_rng(0), generators()
        )


def test_several_members_share_all_patients_out_by_label() -> None:
    labels = (np.arange(41) % 3 != 0).astype(np.int64)
    out = hold_out(labels, 4, np.random.default_rng(0))
    assert out.sum(axis=0).tolist() == [1] * 41
    for label in (0, 1):
        counts = out[:, labels == label].sum(axis=1)
        assert counts.max() - counts.min() <= 1
    assert not np.array_equal(out, hold_out(labels, 4, np.random.default_rng(1)))


def test_a_single_member_holds_out_a_fifth_by_label() -> None:
    labels = np.repeat([0, 1], [10, 40])
    out = hold_out(labels, 1, np.random.default_rng(0))
    assert out.shape == (1, 50)
    assert labels[out[0]].tolist() == [0] * 2 + [1] * 8


@pytest.mark.parametrize(("patients", "members"), [(3, 4), (1, 1)])
def test_too_few_patients_are_refused(patients: int, members: int) -> None:
    with pytest.raises(ValueError, match=f"members need .* patients, got {patients}"):
        hold_out(np.ones(patients, dtype=np.int64), members, np.random.default_rng(0))


def test_chunks_hold_all_bags_in_order_and_end_at_the_bag_that_fills_them() -> None:
    sizes = np.array([3, 3, 9, 1, 1, 30, 2])
    parts = [part.tolist() for part in chunks(sizes, cells=10)]
    assert parts == [[0, 1, 2], [3, 4, 5], [6]]


def test_an_epoch_visits_every_bag_once() -> None:
    steps = draw_steps(np.array([2, 3, 5, 8, 9]), 2, np.random.default_rng(0))
    assert [len(step) for step in steps] == [2, 2, 1]
    assert sorted(np.concatenate(steps).tolist()) == [2, 3, 5, 8, 9]


def test_dropout_silences_its_share_and_keeps_the_mean() -> None:
    keep = draw_keep(committee(), 3000, 0.25, generators())
    assert keep is not None
    assert (keep == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert keep.mean().item() == pytest.approx(1.0, abs=0.01)
    assert draw_keep(committee(), 5, 0.0, generators()) is None

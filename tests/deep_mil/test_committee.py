"""Networks side by side learn what each learns alone, and stop on what they held out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, log_loss

from lymphokit.bags.packed import Bags
from lymphokit.deep_mil.committee import (
    Examples,
    Inputs,
    Plan,
    Schedule,
    Training,
    judge,
    learn,
    summary,
    train,
)
from lymphokit.deep_mil.descent import MemberAdam
from lymphokit.deep_mil.draws import Step, draw_epoch, draw_keep, hold_out
from lymphokit.deep_mil.network import Architecture, Committee
from lymphokit.errors import LymphokitError

MEMBERS = 3
SMALL = Architecture("attention", 4, [6], [5], "joined", "layer")
SCHEDULE = Schedule(
    dropout=0.3,
    learning_rate=0.01,
    weight_decay=0.0,
    batch_bags=4,
    lr_factor=0.8,
    lr_patience=4,
    max_epochs=12,
    early_stopping=5,
)


def generators(members: int = MEMBERS) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(member) for member in range(members)]


def rngs(groups: int = 1) -> list[np.random.Generator]:
    return [np.random.default_rng(4 + group) for group in range(groups)]


def committee(members: int = MEMBERS) -> Committee:
    return Committee(3, 2, SMALL, generators(members))


def examples(n_bags: int = 14, groups: int = 1) -> Examples:
    """Bags of 1 to 5 cells with 3 features; the first says a little about the label.

    Groups differ in the other features, the attributes and the costs.
    """
    labels = np.arange(n_bags) % 3 != 0
    inputs, costs = [], []
    for group in range(groups):
        rng = np.random.default_rng(group)
        cells = [rng.normal(size=(1 + bag % 5, 3)) + 0.5 * labels[bag] for bag in range(n_bags)]
        names = [str(bag) for bag in range(n_bags)]
        bags = Bags.pack([each.astype(np.float32) for each in cells], names)
        clinical = torch.from_numpy(rng.normal(size=(n_bags, 2)).astype(np.float32))
        inputs.append(Inputs(bags, clinical))
        costs.append(np.where(labels, 0.7 - 0.1 * group, 0.3 + 0.1 * group))
    own_costs = torch.from_numpy(np.stack(costs).astype(np.float32))
    return Examples(inputs, torch.from_numpy(labels.astype(np.float32)), own_costs)


def plan(cohort: Examples) -> Plan:
    """One group, whose members share the bags out between them but for two, which are scored."""
    labels = cohort.labels.numpy().astype(np.int64)
    held_out, scored = np.zeros((2, MEMBERS, len(cohort)), bool)
    scored[:, :2] = True
    held_out[:, 2:] = hold_out(labels[2:], MEMBERS, np.random.default_rng(1))
    return Plan(np.zeros(MEMBERS, np.int64), ~(held_out | scored), held_out, scored)


def plan_of_folds(cohort: Examples, executions: int) -> Plan:
    """A fold a group: its networks score the same bags, and hold out the same of the others."""
    groups = len(cohort.inputs)
    fold = np.arange(len(cohort)) // 3 % (groups + 1)  # both labels in each
    group_of = np.repeat(np.arange(groups), executions)
    scored = fold == group_of[:, None]
    held_out = fold == group_of[:, None] + 1
    return Plan(group_of, ~(held_out | scored), held_out, scored)


def alone(cohort: Examples, who: Plan, member: int) -> tuple[Examples, Plan]:
    """One network by itself: its group is the only one."""
    group = who.group_of[member]
    own = replace(who.take(np.array([member])), group_of=np.array([0]))
    inputs, costs = [cohort.inputs[group]], cohort.costs[group : group + 1]
    return replace(cohort, inputs=inputs, costs=costs), own


def weights(network: Committee) -> torch.Tensor:
    """All parameters, a row a member."""
    return torch.cat([each.detach().flatten(1) for each in network.parameters()], dim=1)


def fitted(
    cohort: Examples, who: Plan, schedule: Schedule = SCHEDULE
) -> tuple[Committee, Training]:
    network = committee(len(who.group_of))
    own = generators(len(who.group_of))
    return network, train(network, cohort, who, schedule, rngs(len(cohort.inputs)), own)


def learn_alone(
    network: Committee,
    cohort: Examples,
    own: NDArray[np.bool_],
    steps: list[Step],
    keep: torch.Tensor,
    weight_decay: float,
) -> None:
    """One member, bag after bag, as anyone would write it."""
    adam = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=weight_decay)
    for step in steps:
        losses = []
        for bag in step.chosen[0][own[step.chosen[0]]]:
            one = np.array([bag])
            logit = network([cohort.inputs[0].batch(one, 1)], keep[:, one])
            cost = torch.nn.functional.softplus(-logit if cohort.labels[bag] else logit)
            losses.append(cohort.costs[0, bag] * cost)
        if losses:
            adam.zero_grad()
            torch.autograd.backward(torch.stack(losses).mean())
            adam.step()


@pytest.mark.parametrize(("batch_bags", "weight_decay"), [(1, 0.0), (4, 0.0), (4, 0.1)])
def test_members_side_by_side_learn_what_each_learns_alone(
    batch_bags: int, weight_decay: float
) -> None:
    cohort, network, singles = examples(), committee(), [committee() for _ in range(MEMBERS)]
    who = plan(cohort)
    adam = MemberAdam(network, 0.01, weight_decay)
    taught = [np.flatnonzero(who.learned.any(axis=0))]
    steps = draw_epoch(taught, np.array([0]), batch_bags, rngs())
    keep = draw_keep(len(cohort), network.dropout_width, 0.3, generators())
    assert keep is not None
    learn(network, adam, cohort, who, np.ones(MEMBERS, bool), steps, keep)
    for member, single in enumerate(singles):
        for parameter in single.parameters():
            parameter.data = parameter.data[member : member + 1].clone()
        one = keep[member : member + 1]
        learn_alone(single, cohort, who.learned[member], steps, one, weight_decay)
        torch.testing.assert_close(
            weights(single)[0], weights(network)[member], rtol=1e-3, atol=2e-5
        )
    assert (weights(network) - weights(committee())).abs().max() > 0.01


def test_networks_of_several_groups_learn_what_each_learns_alone() -> None:
    """Own inputs, patients, order, pace and day to stop, and still one computation."""
    cohort = examples(n_bags=23, groups=3)
    who = plan_of_folds(cohort, executions=2)
    assert len({own.sum() for own in who.learned}) > 1
    schedule = replace(SCHEDULE, learning_rate=0.02, max_epochs=25)
    network, together = fitted(cohort, who, schedule)
    ran = np.isfinite(together.history.learned.loss).sum(axis=0)
    assert len(set(ran.tolist())) > 2
    for member, group in enumerate(who.group_of):
        single = Committee(3, 2, SMALL, [generators(6)[member]])
        inputs, order, dropout = alone(cohort, who, member), rngs(3)[group], generators(6)[member]
        lone = train(single, *inputs, schedule, [order], [dropout])
        assert lone.epochs[0] == together.epochs[member]
        for part in ("learned", "held_out", "scored"):
            ours, theirs = getattr(together.history, part), getattr(lone.history, part)
            expected = theirs.loss[:, 0]
            assert len(expected) == ran[member]
            np.testing.assert_allclose(ours.loss[: ran[member], member], expected, rtol=2e-3)
            assert np.isnan(ours.loss[ran[member] :, member]).all()
        np.testing.assert_allclose(together.logits[member], lone.logits[0], atol=5e-3)
        torch.testing.assert_close(
            weights(network)[member], weights(single)[0], rtol=1e-2, atol=1e-3
        )


def three_epochs(cohort: Examples, who: Plan) -> list[torch.Tensor]:
    """The weights after each of three epochs."""
    network, order, own, after = committee(), rngs(), generators(), []
    adam = MemberAdam(network, 0.01, 0.0)
    taught = [np.flatnonzero(who.learned.any(axis=0))]
    for _ in range(3):
        steps = draw_epoch(taught, np.array([0]), 4, order)
        keep = draw_keep(len(cohort), network.dropout_width, 0.3, own)
        learn(network, adam, cohort, who, np.ones(MEMBERS, bool), steps, keep)
        after.append(weights(network))
    return after


@pytest.mark.parametrize("part", ["held_out", "scored"])
def test_a_member_never_learns_from_the_part_it_held_out_or_is_scored_on(part: str) -> None:
    cohort = examples()
    who = plan(cohort)
    (inputs,) = cohort.inputs
    instances = inputs.bags.instances.copy()
    unseen = np.flatnonzero(getattr(who, part)[0])
    instances[inputs.bags.cells_of(unseen)] += 3.0
    moved = replace(inputs, bags=inputs.bags.with_instances(instances))
    perturbed = replace(cohort, inputs=[moved])
    for before, after in zip(three_epochs(cohort, who), three_epochs(perturbed, who), strict=True):
        assert torch.equal(before[0], after[0])
        assert torch.allclose(before[1], after[1]) == (part == "scored")


def test_every_member_keeps_the_epoch_of_its_lowest_loss_on_what_it_held_out() -> None:
    cohort = examples()
    who = plan(cohort)
    network, training = fitted(cohort, who)
    losses = training.history.held_out.loss
    assert training.epochs.tolist() == (np.nanargmin(losses, axis=0) + 1).tolist()
    assert len(set(training.epochs.tolist())) > 1
    logits = judge(network, cohort, who)
    again = summary(cohort, who, logits, logits)[2]
    np.testing.assert_allclose(again, np.nanmin(losses, axis=0), rtol=1e-6)
    seen = who.held_out | who.scored
    np.testing.assert_allclose(training.logits[seen], logits.numpy()[seen], atol=1e-6)
    assert np.isnan(training.logits[~seen]).all()


def test_a_member_that_waited_long_enough_has_no_further_history() -> None:
    cohort = examples()
    schedule = replace(SCHEDULE, learning_rate=0.05, max_epochs=40)
    _, training = fitted(cohort, plan(cohort), schedule)
    last = np.isfinite(training.history.held_out.loss).sum(axis=0)
    assert last.tolist() == (training.epochs + schedule.early_stopping).tolist()
    assert len(training.history.held_out.loss) == last.max() < schedule.max_epochs
    for curves in vars(training.history).values():
        for curve in vars(curves).values():
            assert np.isfinite(curve).sum(axis=0).tolist() == last.tolist()


def test_stopping_early_changes_nothing_about_the_epochs_before() -> None:
    cohort = examples()
    schedule = replace(SCHEDULE, learning_rate=0.05, max_epochs=40)
    short_run, long_run = (
        fitted(cohort, plan(cohort), each)[1].history.learned.loss
        for each in (schedule, replace(schedule, early_stopping=40))
    )
    ran = np.isfinite(short_run)
    assert not ran.all()
    np.testing.assert_allclose(short_run[ran], long_run[: len(ran)][ran], rtol=1e-3)


def test_the_loss_on_the_bags_learned_from_is_that_of_the_steps_themselves() -> None:
    cohort = examples()
    who, network = plan(cohort), committee()
    taught = [np.flatnonzero(who.learned.any(axis=0))]
    (step,) = draw_epoch(taught, np.array([0]), 99, rngs())
    before = network([cohort.inputs[0].batch(np.arange(len(cohort)), MEMBERS)]).detach()
    adam, everyone = MemberAdam(network, 0.01, 0.0), np.ones(MEMBERS, bool)
    met = learn(network, adam, cohort, who, everyone, [step], None)
    learned = torch.from_numpy(who.learned)
    torch.testing.assert_close(met[learned], before[learned])
    assert met[~learned].isnan().all()


def test_an_epochs_line_holds_the_loss_and_balanced_accuracy_of_each_part() -> None:
    cohort = examples(n_bags=20, groups=2)
    who = plan_of_folds(cohort, executions=2)
    logits = torch.randn(4, 20, generator=torch.Generator().manual_seed(0))
    line = summary(cohort, who, logits, logits + 0.5)
    labels = cohort.labels.numpy()
    for member, group in enumerate(who.group_of):
        costs = cohort.costs[group].numpy()
        for row, part in enumerate((who.learned, who.held_out, who.scored)):
            own = part[member]
            p = (logits + 0.5 * (row > 0))[member].double().sigmoid().numpy()[own]
            # log_loss divides by the sum of the weights, the report's loss by the number of bags
            total = log_loss(labels[own], p, sample_weight=costs[own]) * costs[own].sum()
            assert line[2 * row, member] == pytest.approx(total / own.sum(), rel=1e-5)
            accuracy = balanced_accuracy_score(labels[own], p > 0.5)
            assert line[2 * row + 1, member] == pytest.approx(accuracy)


def test_training_that_never_gave_a_number_says_so() -> None:
    cohort = examples()
    cohort.inputs[0].bags.instances[:] = np.inf
    with pytest.raises(LymphokitError, match="member 1, 2, 3 never was a number"):
        fitted(cohort, plan(cohort))

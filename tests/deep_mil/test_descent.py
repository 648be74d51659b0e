"""Members move, slow down and stop each by itself."""

import numpy as np
import torch

from lymphokit.deep_mil.descent import MemberAdam, Watch
from lymphokit.deep_mil.network import Architecture, Committee

MEMBERS = 3


def committee() -> Committee:
    own = [torch.Generator().manual_seed(member) for member in range(MEMBERS)]
    return Committee(3, 2, Architecture("attention", 4, [6], [5], "joined", "layer"), own)


def weights(network: Committee) -> torch.Tensor:
    """All parameters, a row a member."""
    return torch.cat([each.detach().flatten(1) for each in network.parameters()], dim=1)


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


def test_those_that_are_kept_go_on_as_if_the_others_had_stayed() -> None:
    few, all_of_them = committee(), committee()
    adams = [MemberAdam(each, 0.01, 0.1) for each in (few, all_of_them)]
    torch.manual_seed(0)
    for step in range(4):
        if step == 2:
            adams[0].keep(np.array([True, False, True]))
        for ours, theirs in zip(few.parameters(), all_of_them.parameters(), strict=True):
            theirs.grad = torch.randn_like(theirs)
            ours.grad = theirs.grad[[0, 2]] if step >= 2 else theirs.grad.clone()
        for adam in adams:
            adam.step([True] * len(adam.weights))
    assert torch.equal(weights(few), weights(all_of_them)[[0, 2]])


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

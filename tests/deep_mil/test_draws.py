"""What is drawn: whom members hold out, the order of the bags, dropout."""

import numpy as np
import pytest
import torch

from lymphokit.deep_mil.draws import chunks, draw_epoch, draw_keep, hold_out, side_by_side


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


def test_an_epoch_visits_every_bag_of_every_group_once() -> None:
    taught = [np.array([2, 3, 5, 8, 9]), np.array([0, 1, 4])]
    rngs = [np.random.default_rng(group) for group in range(2)]
    steps = draw_epoch(taught, np.array([0, 1]), 2, rngs)
    assert [step.chosen.shape for step in steps] == [(2, 2), (2, 2), (2, 1)]
    for group, bags in enumerate(taught):
        visits = np.concatenate([step.chosen[group][step.real[group]] for step in steps])
        assert sorted(visits.tolist()) == bags.tolist()


def test_the_order_of_a_group_does_not_hang_on_the_others() -> None:
    bags = np.arange(7)
    together = draw_epoch(
        [bags, bags], np.array([0, 1]), 3, [np.random.default_rng(g) for g in (5, 6)]
    )
    alone = draw_epoch([bags], np.array([0]), 3, [np.random.default_rng(5)])
    one = np.concatenate([step.chosen[0] for step in together])
    assert one.tolist() == np.concatenate([step.chosen[0] for step in alone]).tolist()
    assert one.tolist() != np.concatenate([step.chosen[1] for step in together]).tolist()


def test_a_group_without_networks_draws_nothing() -> None:
    rngs = [np.random.default_rng(group) for group in range(2)]
    before = rngs[0].bit_generator.state
    steps = draw_epoch([np.arange(9), np.arange(3)], np.array([1]), 2, rngs)
    assert rngs[0].bit_generator.state == before
    assert [step.chosen.shape[1] for step in steps] == [2, 1]


def test_a_shorter_group_meets_its_bags_again_and_they_do_not_count() -> None:
    (first, second) = side_by_side([np.array([4, 6, 7, 8]), np.array([1, 2, 3])], np.arange(2), 3)
    assert first.chosen.tolist() == [[4, 6, 7], [1, 2, 3]]
    assert first.real.all()
    assert second.chosen.tolist() == [[8], [1]]
    assert second.real.tolist() == [[True], [False]]


def test_dropout_silences_its_share_and_keeps_the_mean() -> None:
    generators = [torch.Generator().manual_seed(member) for member in range(3)]
    keep = draw_keep(3000, 11, 0.25, generators)
    assert keep is not None
    assert keep.shape == (3, 3000, 11)
    assert (keep == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert keep.mean().item() == pytest.approx(1.0, abs=0.01)
    assert draw_keep(5, 11, 0.0, generators) is None

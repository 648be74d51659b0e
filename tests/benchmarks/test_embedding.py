"""Embedded attention: against the same network in plain torch, alone and side by side."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from embedding import (
    Course,
    EmbeddedAttention,
    Embedding,
    Reading,
    logits_of,
    train,
)

pytestmark = pytest.mark.trains
OFFSETS = np.array([0, 3, 4, 9, 11, 12, 16])
LABELS = np.array([0, 1, 1, 0, 1, 0])
FEATURES, GROUPS, SIZE = 5, 2, 2


def reading() -> Reading:
    cells = np.random.default_rng(0).normal(size=(GROUPS, OFFSETS[-1], FEATURES))
    return Reading(torch.from_numpy(np.float32(cells)), OFFSETS, LABELS)


def network(gated: bool, members: int = GROUPS * SIZE) -> EmbeddedAttention:
    own = [torch.Generator().manual_seed(member) for member in range(members)]
    return EmbeddedAttention(FEATURES, Embedding((7, 4), 3, gated), own)


def course(**changes: object) -> Course:
    settings = {
        "dropout": 0.0,
        "learning_rate": 0.05,
        "weight_decay": 0.01,
        "batch_bags": len(LABELS),
        "most_cells": 100,
        "epochs": (1, 3),
    }
    return Course(**(settings | changes))  # type: ignore[arg-type]


def plain(of: EmbeddedAttention, member: int, bag: Tensor) -> Tensor:
    """The logit of one network for the cells of one bag (n, d), as the paper writes it."""
    hidden = bag
    for weights, bias in zip(of.layers, of.biases, strict=True):
        hidden = torch.relu(hidden @ weights[member].T + bias[member, :, 0])
    units = torch.tanh(hidden @ of.V[member].T)
    if of.U is not None:
        units = units * torch.sigmoid(hidden @ of.U[member].T)
    shares = torch.softmax(units @ of.w[member, 0], dim=0)
    return (shares @ hidden) @ of.last[member, :, 0] + of.last_bias[member, 0]


def plain_logits(of: EmbeddedAttention, given: Reading, member: int) -> Tensor:
    cells = given.cells[member // SIZE]
    bags = torch.tensor_split(cells, torch.from_numpy(OFFSETS[1:-1]))
    return torch.stack([plain(of, member, bag) for bag in bags])


def everything() -> NDArray[np.bool_]:
    return np.ones((GROUPS, len(LABELS)), dtype=bool)


def test_side_by_side_each_network_is_the_paper_s() -> None:
    given = reading()
    for gated in (False, True):
        stack = network(gated)
        said = logits_of(stack, given, everything())
        for member in range(GROUPS * SIZE):
            expected = plain_logits(stack, given, member).detach().numpy()
            np.testing.assert_allclose(said[member], expected, atol=1e-6)


def test_each_network_learns_from_its_own_bags_as_if_alone() -> None:
    given, stack, alone = reading(), network(gated=True), network(gated=True)
    learns = np.random.default_rng(1).random((GROUPS * SIZE, len(LABELS))) < 0.6
    labels = torch.from_numpy(np.float32(LABELS))
    list(train(stack, given, learns, course(epochs=(3,)), seed=0))
    parameters = list(alone.parameters())
    velocities = [torch.zeros_like(each) for each in parameters]
    for _ in range(3):
        losses = [
            binary_cross_entropy_with_logits(plain_logits(alone, given, member)[own], labels[own])
            for member, own in enumerate(torch.from_numpy(learns))
        ]
        gradients = torch.autograd.grad(torch.stack(losses).sum(), parameters)
        with torch.no_grad():
            for each, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
                velocity.mul_(0.9).add_(gradient + 0.01 * each)
                each.sub_(velocity, alpha=0.05)
    for one, other in zip(stack.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_nothing_is_said_of_bags_that_were_not_asked_about() -> None:
    asked = everything()
    asked[0, 1:] = False
    said = logits_of(network(gated=False), reading(), asked)
    np.testing.assert_array_equal(np.isnan(said), ~np.repeat(asked, SIZE, axis=0))


def test_dropout_thinning_and_small_steps_still_learn_the_bags() -> None:
    given, stack = reading(), network(gated=False)
    learns = np.ones((GROUPS * SIZE, len(LABELS)), dtype=bool)
    gently = course(dropout=0.2, batch_bags=2, most_cells=3, epochs=(200,))
    assert list(train(stack, given, learns, gently, seed=0)) == [200]
    right = (logits_of(stack, given, everything()) > 0) == LABELS
    assert right.mean() > 0.9


def test_a_seed_decides_all_that_is_drawn() -> None:
    learns = np.ones((GROUPS * SIZE, len(LABELS)), dtype=bool)
    drawing = course(dropout=0.5, batch_bags=2, most_cells=2)
    ends = []
    for seed in (3, 3, 4):
        stack = network(gated=False)
        assert list(train(stack, reading(), learns, drawing, seed=seed)) == [1, 3]
        ends.append(logits_of(stack, reading(), everything()))
    assert ends[0].tobytes() == ends[1].tobytes() != ends[2].tobytes()

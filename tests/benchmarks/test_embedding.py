"""Embedded attention: against the same network in plain torch, one and many stacked."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from embedding import (
    EmbeddedAttention,
    Embedding,
    Examples,
    TrainingConfig,
    predict_logits,
    train,
)

pytestmark = pytest.mark.trains
OFFSETS = np.array([0, 3, 4, 9, 11, 12, 16])
LABELS = np.array([0, 1, 1, 0, 1, 0])
FEATURES, GROUPS, SIZE = 5, 2, 2


def examples() -> Examples:
    cells = np.random.default_rng(0).normal(size=(GROUPS, OFFSETS[-1], FEATURES))
    return Examples(torch.from_numpy(np.float32(cells)), OFFSETS, LABELS)


def network(gated: bool, members: int = GROUPS * SIZE) -> EmbeddedAttention:
    generators = [torch.Generator().manual_seed(member) for member in range(members)]
    return EmbeddedAttention(FEATURES, Embedding((7, 4), 3, gated), generators)


def config(**changes: object) -> TrainingConfig:
    settings = {
        "dropout": 0.0,
        "learning_rate": 0.05,
        "weight_decay": 0.01,
        "batch_bags": len(LABELS),
        "most_cells": 100,
        "epochs": (1, 3),
    }
    return TrainingConfig(**(settings | changes))  # type: ignore[arg-type]


def plain(stack: EmbeddedAttention, member: int, bag: Tensor) -> Tensor:
    """The logit of one network for the cells of one bag (n, d), as the paper writes it."""
    hidden = bag
    for weights, bias in zip(stack.layers, stack.biases, strict=True):
        hidden = torch.relu(hidden @ weights[member].T + bias[member, :, 0])
    units = torch.tanh(hidden @ stack.V[member].T)
    if stack.U is not None:
        units = units * torch.sigmoid(hidden @ stack.U[member].T)
    shares = torch.softmax(units @ stack.w[member, 0], dim=0)
    return (shares @ hidden) @ stack.last[member, :, 0] + stack.last_bias[member, 0]


def plain_logits(stack: EmbeddedAttention, given: Examples, member: int) -> Tensor:
    cells = given.cells[member // SIZE]
    bags = torch.tensor_split(cells, torch.from_numpy(OFFSETS[1:-1]))
    return torch.stack([plain(stack, member, bag) for bag in bags])


def everything() -> NDArray[np.bool_]:
    return np.ones((GROUPS, len(LABELS)), dtype=bool)


def test_each_stacked_network_is_that_of_the_paper() -> None:
    given = examples()
    for gated in (False, True):
        stack = network(gated)
        predicted = predict_logits(stack, given, everything())
        for member in range(GROUPS * SIZE):
            expected = plain_logits(stack, given, member).detach().numpy()
            np.testing.assert_allclose(predicted[member], expected, atol=1e-6)


def test_each_network_learns_from_its_training_bags_as_if_alone() -> None:
    given, stack, alone = examples(), network(gated=True), network(gated=True)
    learned = np.random.default_rng(1).random((GROUPS * SIZE, len(LABELS))) < 0.6
    labels = torch.from_numpy(np.float32(LABELS))
    list(train(stack, given, learned, config(epochs=(3,)), seed=0))
    parameters = list(alone.parameters())
    velocities = [torch.zeros_like(each) for each in parameters]
    for _ in range(3):
        losses = [
            binary_cross_entropy_with_logits(plain_logits(alone, given, member)[bags], labels[bags])
            for member, bags in enumerate(torch.from_numpy(learned))
        ]
        gradients = torch.autograd.grad(torch.stack(losses).sum(), parameters)
        with torch.no_grad():
            for each, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
                velocity.mul_(0.9).add_(gradient + 0.01 * each)
                each.sub_(velocity, alpha=0.05)
    for one, other in zip(stack.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_bags_that_are_not_evaluated_have_no_logit() -> None:
    evaluated = everything()
    evaluated[0, 1:] = False
    predicted = predict_logits(network(gated=False), examples(), evaluated)
    np.testing.assert_array_equal(np.isnan(predicted), ~np.repeat(evaluated, SIZE, axis=0))


def test_dropout_subsampling_and_small_steps_still_learn_the_bags() -> None:
    given, stack = examples(), network(gated=False)
    learned = np.ones((GROUPS * SIZE, len(LABELS)), dtype=bool)
    gently = config(dropout=0.2, batch_bags=2, most_cells=3, epochs=(200,))
    assert list(train(stack, given, learned, gently, seed=0)) == [200]
    right = (predict_logits(stack, given, everything()) > 0) == LABELS
    assert right.mean() > 0.9


def test_all_draws_come_from_the_seed() -> None:
    learned = np.ones((GROUPS * SIZE, len(LABELS)), dtype=bool)
    drawing = config(dropout=0.5, batch_bags=2, most_cells=2)
    ends = []
    for seed in (3, 3, 4):
        stack = network(gated=False)
        assert list(train(stack, examples(), learned, drawing, seed=seed)) == [1, 3]
        ends.append(predict_logits(stack, examples(), everything()))
    assert ends[0].tobytes() == ends[1].tobytes() != ends[2].tobytes()

"""How networks side by side move, slow down and stop, each by itself."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.adam import adam


class MemberAdam:
    """Adam for networks side by side: each with its own learning rate, moments and step count.

    A member that has no bag in a step is left as it is, as if the step were not. `weights`
    (members, n_parameters) is the memory in which the network's parameters live from now on, a
    row a member, so that a member moves by one fused operation; `settle` gives them back.
    weight_decay is L2, added to the gradient as in `torch.optim.Adam`, whose betas these are.
    """

    def __init__(self, network: nn.Module, learning_rate: float, weight_decay: float) -> None:
        self.parameters = list(network.parameters())
        self._shapes = [each.shape[1:] for each in self.parameters]
        self._live_in(torch.cat([each.detach().flatten(1) for each in self.parameters], dim=1))
        self.rates = np.full(len(self.weights), learning_rate)
        self.weight_decay = weight_decay
        self._gradients, self._means, self._squares = torch.zeros(3, *self.weights.shape)
        self._steps = torch.zeros(len(self.weights))

    def step(self, learning: Sequence[bool]) -> None:
        """Move the members that are learning along the gradients of the parameters."""
        parts = [_gradient(each).flatten(1) for each in self.parameters]
        gradients = torch.cat(parts, dim=1, out=self._gradients)  # fresh memory costs more
        for member in np.flatnonzero(learning):
            # The function, since the class imports all of torch's compiler to be constructed.
            adam(
                [self.weights[member]],
                [gradients[member]],
                [self._means[member]],
                [self._squares[member]],
                max_exp_avg_sqs=[],
                state_steps=[self._steps[member]],
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=float(self.rates[member]),
                weight_decay=self.weight_decay,
                eps=1e-8,
                maximize=False,
            )

    def slow(self, members: NDArray[np.bool_], factor: float) -> None:
        """Multiply the learning rate of the members that are marked in (members,)."""
        self.rates[members] *= factor

    def keep(self, members: NDArray[np.bool_]) -> None:
        """Go on with the members that are marked in (members,); the network holds only them."""
        rows = torch.from_numpy(members)
        self._live_in(self.weights[rows])
        self.rates = self.rates[members]
        self._means, self._squares = self._means[rows], self._squares[rows]
        self._steps, self._gradients = self._steps[rows], torch.zeros_like(self.weights)

    def settle(self, weights: Tensor) -> None:
        """Leave the network with `weights` (members, n_parameters), in memory of its own."""
        self._live_in(weights)
        for parameter in self.parameters:
            parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)

    def _live_in(self, weights: Tensor) -> None:
        """Make the network's parameters views of these weights, a row a member."""
        self.weights = weights
        views = torch.split(weights, [shape.numel() for shape in self._shapes], dim=1)
        for parameter, view, shape in zip(self.parameters, views, self._shapes, strict=True):
            parameter.grad = None
            parameter.data = view.view(-1, *shape)


class Watch:
    """Watches each member's loss on what it holds out: when lowest, when to slow and to stop."""

    def __init__(self, members: int, schedule_patience: int, early_stopping: int) -> None:
        self.schedule_patience = schedule_patience
        self.early_stopping = early_stopping
        self.lowest = np.full(members, np.inf)
        self.epochs = np.zeros(members, dtype=np.int64)
        self.running = np.ones(members, dtype=bool)
        self._waited = np.zeros(members, dtype=np.int64)

    def look(
        self, epoch: int, losses: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Take note of an epoch's losses (members,); who improved, and who shall slow down."""
        improved = self.running & (losses < self.lowest)
        self.lowest = np.where(improved, losses, self.lowest)
        self.epochs = np.where(improved, epoch, self.epochs)
        self._waited = np.where(improved, 0, self._waited + 1)
        slow = self.running & (self._waited == self.schedule_patience)
        self._waited[slow] = 0
        self.running &= epoch - self.epochs < self.early_stopping
        return improved, slow


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None  # every parameter is part of every logit
    return parameter.grad

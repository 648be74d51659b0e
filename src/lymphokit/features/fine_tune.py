"""Fine-tune a pretrained network: all layers, and a new last one, on cells of several classes."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lymphokit.errors import LymphokitError
from lymphokit.features.backbone import Backbone, as_input
from lymphokit.features.compute import autocast, best_device, repeatable, resolve_precision, seeded
from lymphokit.features.training_steps import draw_batches, gradient_step, random_flips
from lymphokit.progress import note


class CellImages(Protocol):
    """The images of all cells, read on access."""

    def __len__(self) -> int:
        """Number of cells."""
        ...

    def __getitem__(self, cells: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """The images of these cells, in this order: (n, h, w, 3) RGB."""
        ...


@dataclass(frozen=True)
class Training(ABC):
    """Training settings, whatever the optimizer.

    flips: probability of each of a horizontal and a vertical flip of an image in training.
    precision: of all layers but the last, see `resolve_precision`; weights stay float32.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    flips: float
    precision: str

    @abstractmethod
    def optimizer(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """An optimizer of these weights."""


@dataclass(frozen=True)
class Sgd(Training):
    """Training by SGD with momentum."""

    momentum: float
    weight_decay: float

    def optimizer(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """SGD with momentum and weight decay."""
        return torch.optim.SGD(
            weights, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )


@dataclass(frozen=True)
class Adam(Training):
    """Training by Adam with the other defaults of torch."""

    def optimizer(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam without weight decay."""
        return torch.optim.Adam(weights, lr=self.learning_rate)


@dataclass(frozen=True)
class Epoch:
    """Training history of one epoch.

    epoch counts from 1; loss: mean negative log-likelihood of the training cells during the epoch,
    with flips and dropout; accuracy: on the validation cells after it, in [0, 1], nan without any.
    """

    epoch: int
    loss: float
    accuracy: float


class Classifier(nn.Module):
    """A trainable copy of a backbone's network, then a linear layer and log-softmax."""

    def __init__(self, backbone: Backbone, n_classes: int, precision: str) -> None:
        super().__init__()
        self.precision = resolve_precision(precision)
        self.network = copy.deepcopy(backbone.network).requires_grad_(True)
        self.last = nn.Linear(backbone.n_features, n_classes)
        self.log_softmax = nn.LogSoftmax(dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities of the classes: (n, 3, h, w) -> (n, n_classes) float32."""
        with autocast(self.precision, images.device):
            features = self.network(images)
        # float32: in bfloat16 the scores of confident cells would tie by the hundred.
        log_probabilities: Tensor = self.log_softmax(self.last(features.float()))
        return log_probabilities


@dataclass(frozen=True)
class FineTuned:
    """A trained classifier of cells and its history, one entry per epoch."""

    classifier: Classifier
    backbone: Backbone
    batch_size: int
    history: tuple[Epoch, ...]

    def log_probabilities(
        self, images: CellImages, cells: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Log-probability of each class for these cells: (n, n_classes).

        Images are read batch by batch; the result does not depend on the batches.
        Raises LymphokitError where a diverged network gives values that are not finite.
        """
        return _log_probabilities(self.classifier, self.backbone, images, cells, self.batch_size)

    def log_odds(self, images: CellImages, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log-odds log P(1) - log P(0) of these cells: (n,).

        Raises ValueError for a network of more than two classes, LymphokitError as
        `log_probabilities` does.
        """
        n_classes = self.classifier.last.out_features
        if n_classes != 2:
            raise ValueError(f"log-odds need two classes; the network has {n_classes}")
        class_0, class_1 = self.log_probabilities(images, cells).T
        return np.asarray(class_1 - class_0)


@dataclass(frozen=True)
class _TrainingCells:
    """Cells (n,) and their labels (n,), each in 0, 1, ..., with all that an epoch needs."""

    backbone: Backbone
    images: CellImages
    cells: NDArray[np.int64]
    labels: NDArray[np.int64]
    settings: Training
    seed: int
    device: torch.device


def fine_tune(
    backbone: Backbone,
    images: CellImages,
    cells: NDArray[np.int64],
    labels: NDArray[np.int64],
    *,
    settings: Training,
    seed: int,
    validation: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
) -> FineTuned:
    """Train a copy of a backbone, all its layers, on cells (n,) with labels (n,) in 0, 1, ...

    The loss is the negative log-likelihood; there is no early stopping.
    The initial last layer, the order of cells, flips and dropout follow from the seed alone.
    validation: other cells and their labels, to score each epoch; nothing is selected by them.
    The backbone is not changed.
    Fitted on: `cells` alone.
    Raises ValueError unless every label from 0 to the highest occurs, at least two, and each cell
    has one; LymphokitError where the loss or a score of a validation cell is not finite.
    Source: report 3.4.2 (Adam, eight classes) and 4.3 (SGD, two). Departs: settings of SGD, which
    the report does not give; flips, which it has in 5.2.2 d alone. The dropout of torchvision's
    VGG19 is off by default in timm's.
    """
    n_classes = _count_classes(labels)
    if len(cells) != len(labels):
        raise ValueError(f"{len(cells)} cells have {len(labels)} labels")
    device = best_device()
    training = _TrainingCells(backbone, images, cells, labels, settings, seed, device)
    history: list[Epoch] = []
    with repeatable(), seeded(seed, device):
        classifier = _to_device(Classifier(backbone, n_classes, settings.precision), device)
        optimizer = settings.optimizer(classifier.parameters())
        for epoch in range(settings.epochs):
            loss = _run_epoch(classifier, optimizer, training, epoch)
            accuracy = _accuracy(classifier, training, validation)
            history.append(Epoch(epoch + 1, loss, accuracy))
            note(f"epoch {epoch + 1} of {settings.epochs}: loss {loss:.4f}")
    optimizer.zero_grad()  # frees the gradients, as large as the weights
    trained = classifier.eval().requires_grad_(False)
    return FineTuned(trained, backbone, settings.batch_size, tuple(history))


def _count_classes(labels: NDArray[np.int64]) -> int:
    found = np.unique(labels)
    if len(found) < 2 or not np.array_equal(found, np.arange(len(found))):
        raise ValueError(
            f"the labels of the training cells are {found.tolist() or 'none'}: "
            "training needs both 0 and 1, and every label up to the highest"
        )
    return len(found)


def _to_device(classifier: Classifier, device: torch.device) -> Classifier:
    return classifier.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _run_epoch(
    classifier: Classifier, optimizer: torch.optim.Optimizer, training: _TrainingCells, epoch: int
) -> float:
    """One pass over all cells; the mean loss."""
    classifier.train()
    settings, n_cells = training.settings, len(training.cells)
    flip = random_flips(settings.flips, seed=training.seed, epoch=epoch)
    batches = draw_batches(n_cells, settings.batch_size, seed=training.seed, epoch=epoch)
    total = torch.zeros((), device=training.device)  # read once: each read waits for the GPU
    for batch in _without_single(batches, settings.batch_size):
        images = flip(training.images[training.cells[batch]])
        labels = torch.from_numpy(training.labels[batch]).to(training.device)
        scores = classifier(as_input(training.backbone, images, training.device))
        loss = nn.functional.nll_loss(scores, labels)
        total += gradient_step(optimizer, loss) * len(batch)
    loss_of_epoch = total.item() / n_cells
    if not math.isfinite(loss_of_epoch):
        raise LymphokitError(
            f"fine-tuning: the loss of epoch {epoch + 1} is {loss_of_epoch}; "
            f"lower the learning rate, which is {settings.learning_rate}"
        )
    return loss_of_epoch


def _without_single(batches: list[NDArray[np.int64]], size: int) -> list[NDArray[np.int64]]:
    """Join a last batch of one cell to the one before: batch norm has no deviation of one."""
    if size > 1 and len(batches) > 1 and len(batches[-1]) == 1:
        return [*batches[:-2], np.concatenate(batches[-2:])]
    return batches


def _accuracy(
    classifier: Classifier,
    training: _TrainingCells,
    validation: tuple[NDArray[np.int64], NDArray[np.int64]] | None,
) -> float:
    if validation is None:
        return math.nan
    cells, labels = validation
    scores = _log_probabilities(
        classifier, training.backbone, training.images, cells, training.settings.batch_size
    )
    return float(np.mean(scores.argmax(axis=1) == labels))


def _log_probabilities(
    classifier: Classifier,
    backbone: Backbone,
    images: CellImages,
    cells: NDArray[np.int64],
    batch_size: int,
) -> NDArray[np.float64]:
    classifier.eval()
    device = classifier.last.weight.device
    shape = (len(cells), classifier.last.out_features)
    scores = torch.empty(shape, dtype=torch.float64, device=device)
    with repeatable(), torch.inference_mode():
        for start in range(0, len(cells), batch_size):
            batch = slice(start, start + batch_size)
            scores[batch] = classifier(as_input(backbone, images[cells[batch]], device))
    result: NDArray[np.float64] = scores.cpu().numpy()
    if not np.isfinite(result).all():  # else they would rank above or below every number
        raise LymphokitError("a fine-tuned network gives no finite scores; lower the learning rate")
    return result

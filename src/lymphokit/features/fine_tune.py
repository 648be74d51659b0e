"""A pretrained network trained whole to tell kinds of cells; its last layer is a new one."""

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
from lymphokit.features.autoencoder import autocast
from lymphokit.features.backbone import Backbone, as_input
from lymphokit.features.compute import best_device, repeatable
from lymphokit.imaging.augment import training_transforms
from lymphokit.progress import note


class CellImages(Protocol):
    """The images of all cells, read when they are asked for."""

    def __len__(self) -> int:
        """How many cells there are."""
        ...

    def __getitem__(self, cells: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """The images of these cells, in this order: (n, h, w, 3) RGB."""
        ...


@dataclass(frozen=True)
class Training(ABC):
    """How a network is trained.

    flips: probability of each of a horizontal and a vertical flip of an image in training;
    precision: float32, or bfloat16 for the network's layers but the last, weights staying float32;
    auto is bfloat16 on a GPU and float32 elsewhere, where bfloat16 was seven times slower.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    flips: float
    precision: str

    @abstractmethod
    def optimizer(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """What moves these weights."""


@dataclass(frozen=True)
class Sgd(Training):
    """Training by stochastic gradient descent."""

    momentum: float
    weight_decay: float

    def optimizer(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """SGD with momentum and weight decay."""
        return torch.optim.SGD(
            weights, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )


@dataclass(frozen=True)
class Adam(Training):
    """Training by Adam, its other numbers torch's own."""

    def optimizer(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam without weight decay."""
        return torch.optim.Adam(weights, lr=self.learning_rate)


@dataclass(frozen=True)
class Epoch:
    """How training went.

    epoch counts from 1; loss: mean negative log-likelihood of the training cells while it ran,
    flips, dropout and all; accuracy on the validation cells after it, in [0, 1], nan without any.
    """

    epoch: int
    loss: float
    accuracy: float


class Classifier(nn.Module):
    """A backbone's network, copied and trainable, then a linear layer and log-softmax."""

    def __init__(self, backbone: Backbone, n_classes: int, precision: str) -> None:
        super().__init__()
        self.precision = precision
        self.network = copy.deepcopy(backbone.network).requires_grad_(True)
        self.last = nn.Linear(backbone.n_features, n_classes)
        self.log_softmax = nn.LogSoftmax(dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities of the classes: (n, 3, h, w) -> (n, n_classes) float32.

        The last layer computes in float32: in bfloat16, confident cells would tie by the hundred.
        """
        on_gpu = images.device.type == "cuda"
        wanted = {"auto": "bfloat16" if on_gpu else "float32"}
        with autocast(wanted.get(self.precision, self.precision), images.device):
            features = self.network(images)
        log_probabilities: Tensor = self.log_softmax(self.last(features.float()))
        return log_probabilities


@dataclass(frozen=True)
class FineTuned:
    """A trained classifier of cells, and the history of its training, an entry an epoch."""

    classifier: Classifier
    backbone: Backbone
    batch_size: int
    history: tuple[Epoch, ...]

    def log_probabilities(
        self, images: CellImages, cells: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Log-probability of each class for these cells: (n, n_classes).

        Images are taken a batch at a time, and the batch that a cell is in does not matter.
        Raises LymphokitError where the network was trained so badly that some are no numbers.
        """
        return _log_probabilities(self.classifier, self.backbone, images, cells, self.batch_size)

    def log_odds(self, images: CellImages, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log-odds log P(1) - log P(0) of these cells: (n,), above 0 for a cell called 1.

        Raises ValueError for a network that tells more than two classes, LymphokitError as
        `log_probabilities` does.
        """
        n_classes = self.classifier.last.out_features
        if n_classes != 2:
            raise ValueError(f"log-odds of two classes were asked of a network of {n_classes}")
        of_0, of_1 = self.log_probabilities(images, cells).T
        return np.asarray(of_1 - of_0)


@dataclass(frozen=True)
class _Lesson:
    """What is learned: cells (n,) and their labels (n,), each in 0, 1, ..., and how."""

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

    The loss is the negative log-likelihood; there is nothing to stop the training early.
    A new last layer, the order of the cells, flips and dropout follow from the seed alone.
    validation: other cells and their labels, on which each epoch is scored; nothing is chosen by
    them. The backbone is left as it was, for the next one to start from.
    Fitted on: `cells` alone.
    Raises ValueError unless every label from 0 to the highest occurs, two at least, and there is
    one for each cell; LymphokitError where the loss, or what is said of the validation cells, is
    no longer a number.
    Source: report 3.4.2 (Adam, eight classes) and 4.3 (SGD, two). Departs: settings of SGD, which
    the report does not give, and flips. timm's VGG19, unlike torchvision's, drops no units unless
    told to.
    """
    n_classes = _count_classes(labels)
    if len(cells) != len(labels):
        raise ValueError(f"{len(cells)} cells have {len(labels)} labels")
    device = best_device()
    lesson = _Lesson(backbone, images, cells, labels, settings, seed, device)
    forked = [device] if device.type == "cuda" else []
    history: list[Epoch] = []
    with repeatable(torch.get_num_threads()), torch.random.fork_rng(devices=forked):
        torch.manual_seed(seed)
        classifier = _on(device, Classifier(backbone, n_classes, settings.precision))
        optimizer = settings.optimizer(classifier.parameters())
        for epoch in range(settings.epochs):
            loss = _run_epoch(classifier, optimizer, lesson, epoch)
            accuracy = _accuracy(classifier, lesson, validation)
            history.append(Epoch(epoch + 1, loss, accuracy))
            note(f"epoch {epoch + 1} of {settings.epochs}: loss {loss:.4f}")
    optimizer.zero_grad()  # lets go of the gradients, as many numbers as weights
    trained = classifier.eval().requires_grad_(False)
    return FineTuned(trained, backbone, settings.batch_size, tuple(history))


def _count_classes(labels: NDArray[np.int64]) -> int:
    found = np.unique(labels)
    if len(found) < 2 or not np.array_equal(found, np.arange(len(found))):
        raise ValueError(
            f"the labels of the training cells are {found.tolist() or 'none'}: "
            "a network learns from both 0 and 1, and from every label up to the highest"
        )
    return len(found)


def _on(device: torch.device, classifier: Classifier) -> Classifier:
    return classifier.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _run_epoch(
    classifier: Classifier, optimizer: torch.optim.Optimizer, lesson: _Lesson, epoch: int
) -> float:
    """One pass over all cells in an order, and with flips, that seed and epoch alone decide."""
    classifier.train()
    settings, n_cells = lesson.settings, len(lesson.cells)
    transforms = training_transforms(flips=settings.flips, seed=lesson.seed, epoch=epoch)
    order = np.random.default_rng([lesson.seed, epoch]).permutation(n_cells)
    total = torch.zeros((), device=lesson.device)  # read once: each look would wait for the GPU
    for chosen in _batches(order, settings.batch_size):
        images = lesson.images[lesson.cells[chosen]]
        flipped = np.stack([transforms(image=image)["image"] for image in images])
        pixels = as_input(lesson.backbone, flipped, lesson.device)
        labels = torch.from_numpy(lesson.labels[chosen]).to(lesson.device)
        total += _step(classifier, optimizer, pixels, labels) * len(chosen)
    loss = total.item() / n_cells
    if not math.isfinite(loss):
        raise LymphokitError(
            f"fine-tuning: the loss of epoch {epoch + 1} is {loss}; "
            f"lower the learning rate, which is {settings.learning_rate}"
        )
    return loss


def _batches(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Parts of so many; one left over joins the last, as batch norm learns nothing from one."""
    edges = list(range(size, len(order), size))
    if edges and size > 1 and len(order) - edges[-1] == 1:
        edges.pop()
    return np.split(order, edges)


def _step(
    classifier: Classifier, optimizer: torch.optim.Optimizer, pixels: Tensor, labels: Tensor
) -> Tensor:
    """One step of the optimizer; the batch's loss before it."""
    loss = nn.functional.nll_loss(classifier(pixels), labels)
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()
    return loss.detach()


def _accuracy(
    classifier: Classifier,
    lesson: _Lesson,
    validation: tuple[NDArray[np.int64], NDArray[np.int64]] | None,
) -> float:
    if validation is None:
        return math.nan
    cells, labels = validation
    batch_size = lesson.settings.batch_size
    said = _log_probabilities(classifier, lesson.backbone, lesson.images, cells, batch_size)
    return float(np.mean(said.argmax(axis=1) == labels))


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
    said = torch.empty(shape, dtype=torch.float64, device=device)
    with repeatable(torch.get_num_threads()), torch.inference_mode():
        for start in range(0, len(cells), batch_size):
            batch = slice(start, start + batch_size)
            said[batch] = classifier(as_input(backbone, images[cells[batch]], device))
    result: NDArray[np.float64] = said.cpu().numpy()
    if not np.isfinite(result).all():  # they would rank above every number, or below
        raise LymphokitError("a fine-tuned network gives no numbers; lower the learning rate")
    return result

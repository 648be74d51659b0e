"""D-MIL trained end to end: from the pixels of cells, through the autoencoder, to a label."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate
from torch.optim.swa_utils import update_bn

from lymphokit.bags.contract import require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.deep_mil.network_settings import EndToEndSettings
from lymphokit.features.autoencoder import Autoencoder
from lymphokit.features.compute import best_device, repeatable
from lymphokit.imaging.augment import training_transforms
from lymphokit.imaging.pixels import SIDE

_CHUNK_CELLS = 128  # encoded at once when nothing is learned
_LOGIT_EPS = 1e-3  # the mean colour is clamped to [eps, 1 - eps]: its logit stays finite


@dataclass(frozen=True)
class _Patients:
    """Whom `fit` was given; cells_of tells each bag's cells in the order of their pixels' digest.

    So draws and flips, and the order of sums, follow from what a cell is and not from where it
    stands: Adam makes whole steps of a rounding where a gradient is nearly 0.
    """

    bags: Bags
    cells_of: Sequence[NDArray[np.int64]]
    labels: NDArray[np.int64]
    clinical: Clinical


@dataclass(frozen=True)
class _Lesson:
    """Cells of some bags, sampled: pixels (n, 3, side, side), and whose they are."""

    images: Tensor
    sizes: tuple[int, ...]
    clinical: Tensor
    labels: Tensor
    costs: Tensor


class EndToEndNetwork:
    """Encoder, attention and both MLPs as one network, with the decoder's loss beside the label's.

    The bags' cells are pixels: (n_cells, 128 * 128 * 3) of 0 to 255, shrunk to `side` a side.
    scheme `joint`: one Adam on the classification loss + reconstruction_weight times that of the
    decoder. `two_phase`: for frozen_epochs the autoencoder alone learns to reconstruct; then every
    step first moves the classifier (learning_rate) with the autoencoder frozen, then the
    autoencoder (autoencoder_learning_rate) by both losses with the classifier frozen.
    A step holds batch_bags bags and at most cells_per_bag cells of each, drawn anew, so that
    memory does not grow with the bags; prediction takes all cells, a few at a time. epochs are
    fixed: nothing is stopped, so nothing is chosen.
    flips: probability of each of a horizontal and a vertical flip of a cell in training.

    Fitted on the training patients: `autoencoder_`, `head_`, `clinical_mean_`,
    `clinical_deviation_`; `losses_` (epochs, 2): classification (nan while frozen) and
    reconstruction. Source: report 5.2.2 d, both losses cross-entropies.
    The decoder's output is the logit of a colour; before training its sigmoid is the mean colour
    of the training cells.
    Departs: cells are sampled; steps may hold more than one bag, for batch normalisation; its
    statistics are recomputed over all training cells after training.
    """

    autoencoder_: Autoencoder
    head_: nn.Module
    losses_: NDArray[np.float64]

    def __init__(self, settings: EndToEndSettings, *, seed: int) -> None:
        self.settings = settings
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur, and for cells that are no images.
        """
        require_both_classes(labels)
        _check_pixels(bags)
        attributes = clinical.matrix()
        self.clinical_mean_, deviation = attributes.mean(axis=0), attributes.std(axis=0)
        self.clinical_deviation_ = np.where(deviation > 1e-6, deviation, 1.0)
        share = float(labels.mean())
        self.costs_ = np.array([1.0 - share, share] if self.settings.weighted_loss else [1.0, 1.0])
        device = best_device()
        forked = [device] if device.type == "cuda" else []
        with repeatable(torch.get_num_threads()), torch.random.fork_rng(devices=forked):
            torch.manual_seed(self.seed)
            self._build(bags, device)
            optimizers = self._optimizers()
            patients = _Patients(bags, _by_content(bags), labels, clinical)
            lines = [
                self._run_epoch(epoch, patients, optimizers)
                for epoch in range(self.settings.epochs)
            ]
            self._update_batch_norm(patients)
        self.losses_ = np.array(lines)
        self.autoencoder_.eval()
        self.head_.eval()
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "losses_")
        latents, attributes = self._latents(bags), self._attributes(clinical)
        with repeatable(torch.get_num_threads()), torch.inference_mode():
            logits = [
                self.head_(own, (len(own),), attributes[bag : bag + 1])
                for bag, own in enumerate(torch.split(latents, bags.sizes.tolist()))
            ]
        return np.asarray(torch.cat(logits).double().sigmoid().cpu().numpy())

    def _build(self, bags: Bags, device: torch.device) -> None:
        self.autoencoder_ = Autoencoder(latent=self.settings.latent)
        self.autoencoder_.start_at(_mean_colour(bags).logit(eps=_LOGIT_EPS))
        cell = self.autoencoder_.encode(torch.zeros(2, 3, self.settings.side, self.settings.side))[
            0
        ].numel()
        self.head_ = _Head(
            cell,
            self.settings.attention_width,
            self.settings.hidden,
            self.settings.clinical_hidden,
            self.settings.dropout,
        )
        self.autoencoder_.to(device)
        self.head_.to(device)

    def _optimizers(self) -> list[torch.optim.Adam]:
        """One for both parts, or one for the classifier and one for the autoencoder."""
        classifier, autoencoder = self.head_.parameters(), self.autoencoder_.parameters()
        if self.settings.scheme == "joint":
            return [torch.optim.Adam([*classifier, *autoencoder], lr=self.settings.learning_rate)]
        return [
            torch.optim.Adam(classifier, lr=self.settings.learning_rate),
            torch.optim.Adam(autoencoder, lr=self.settings.autoencoder_learning_rate),
        ]

    def _run_epoch(
        self, epoch: int, patients: _Patients, optimizers: Sequence[torch.optim.Adam]
    ) -> tuple[float, float]:
        """One pass over all bags; the mean losses of its steps."""
        self.autoencoder_.train()
        self.head_.train()
        losses = []
        for lesson in self._lessons(epoch, patients):
            if self.settings.scheme == "joint":
                losses.append(self._step_both(lesson, optimizers[0]))
            elif epoch < self.settings.frozen_epochs:
                losses.append(self._step_reconstruction(lesson, optimizers[1]))
            else:
                losses.append(self._step_in_turn(lesson, *optimizers))
        classification, reconstruction = np.mean(losses, axis=0)
        return float(classification), float(reconstruction)

    def _update_batch_norm(self, patients: _Patients) -> None:
        """Recompute the encoder's batch-norm statistics over all training cells, final weights.

        The running averages of training lag behind the weights. After few steps, or with a high
        learning rate, they no longer fit them: training loss 0.01, yet all predictions alike.
        """
        cells = np.concatenate(patients.cells_of)
        # Chunks of equal size, because update_bn gives every chunk the same weight.
        parts = np.array_split(cells, -(-len(cells) // _CHUNK_CELLS))
        images = (_pixels(patients.bags.instances[part], self.settings.side) for part in parts)
        update_bn(images, self.autoencoder_.encoder, best_device())

    def _lessons(self, epoch: int, patients: _Patients) -> Iterator[_Lesson]:
        """The bags in an order, with cells and flips, that seed and epoch alone decide."""
        rng = np.random.default_rng([self.seed, epoch])
        transforms = training_transforms(flips=self.settings.flips, seed=self.seed, epoch=epoch)
        attributes, device = self._attributes(patients.clinical), best_device()
        order = rng.permutation(len(patients.bags))
        for start in range(0, len(order), self.settings.batch_bags):
            chosen = order[start : start + self.settings.batch_bags]
            labels = patients.labels[chosen]
            drawn = [
                _some(patients.cells_of[bag], self.settings.cells_per_bag, rng) for bag in chosen
            ]
            images = _as_images(patients.bags.instances[np.concatenate(drawn)])
            flipped = np.stack([transforms(image=image)["image"] for image in images])
            yield _Lesson(
                _pixels(flipped, self.settings.side).to(device),
                tuple(map(len, drawn)),
                attributes[torch.from_numpy(chosen)],
                torch.from_numpy(labels.astype(np.float32)).to(device),
                torch.from_numpy(self.costs_[labels].astype(np.float32)).to(device),
            )

    def _step_both(self, lesson: _Lesson, optimizer: torch.optim.Adam) -> tuple[float, float]:
        latents = self.autoencoder_.encode(lesson.images)
        classification = self._classification(latents, lesson)
        reconstruction = self._reconstruction(latents, lesson)
        _move(optimizer, classification + self.settings.reconstruction_weight * reconstruction)
        return classification.item(), reconstruction.item()

    def _step_reconstruction(
        self, lesson: _Lesson, optimizer: torch.optim.Adam
    ) -> tuple[float, float]:
        loss = self._reconstruction(self.autoencoder_.encode(lesson.images), lesson)
        _move(optimizer, loss)
        return float("nan"), loss.item()

    def _step_in_turn(
        self, lesson: _Lesson, classifier: torch.optim.Adam, autoencoder: torch.optim.Adam
    ) -> tuple[float, float]:
        latents = self.autoencoder_.encode(lesson.images)
        _move(classifier, self._classification(latents.detach(), lesson))
        classification = self._classification(latents, lesson)
        reconstruction = self._reconstruction(latents, lesson)
        _move(autoencoder, classification + self.settings.reconstruction_weight * reconstruction)
        return classification.item(), reconstruction.item()

    def _classification(self, latents: Tensor, lesson: _Lesson) -> Tensor:
        logits = self.head_(latents.flatten(1), lesson.sizes, lesson.clinical)
        return binary_cross_entropy_with_logits(logits, lesson.labels, weight=lesson.costs)

    def _reconstruction(self, latents: Tensor, lesson: _Lesson) -> Tensor:
        """Mean binary cross-entropy of the decoded colours; the decoder's output is their logit.

        Clamping colours to [0, 1] instead would give a colour outside no gradient.
        """
        logits = self.autoencoder_.to_colours(self.autoencoder_.decoder(latents))
        return binary_cross_entropy_with_logits(logits, lesson.images)

    def _latents(self, bags: Bags) -> Tensor:
        """The latents of all cells, a few at a time: (n_cells, numbers)."""
        device = best_device()
        parts = []
        with repeatable(torch.get_num_threads()), torch.inference_mode():
            for start in range(0, len(bags.instances), _CHUNK_CELLS):
                some = _pixels(bags.instances[start : start + _CHUNK_CELLS], self.settings.side)
                parts.append(self.autoencoder_.encode(some.to(device)).flatten(1))
        return torch.cat(parts)

    def _attributes(self, clinical: Clinical) -> Tensor:
        """Standardised age and log count: (n_bags, 2)."""
        standardised = (clinical.matrix() - self.clinical_mean_) / self.clinical_deviation_
        return torch.from_numpy(standardised.astype(np.float32)).to(best_device())


class _Head(nn.Module):
    """Attention over the cells of each bag, an MLP on the bag, one on age and count, a logit."""

    def __init__(
        self,
        features: int,
        attention_width: int,
        hidden: Sequence[int],
        clinical_hidden: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.V = nn.Linear(features, attention_width, bias=False)
        self.w = nn.Linear(attention_width, 1, bias=False)
        self.bag = _mlp([features, *hidden], dropout)
        self.clinical = _mlp([2, *clinical_hidden], dropout) if clinical_hidden else None
        self.last = nn.Linear([features, *hidden][-1] + sum(clinical_hidden[-1:]), 1)

    def forward(self, cells: Tensor, sizes: tuple[int, ...], clinical: Tensor) -> Tensor:
        """Cells (n, features) of bags of these sizes, clinical (n_bags, 2) -> logits (n_bags,)."""
        scores = self.w(torch.tanh(self.V(cells)))
        parts = torch.split(scores, list(sizes)), torch.split(cells, list(sizes))
        bags = torch.stack(
            [
                (own_scores.softmax(dim=0) * own).sum(dim=0)
                for own_scores, own in zip(*parts, strict=True)
            ]
        )
        joined = self.bag(bags)
        if self.clinical is not None:
            joined = torch.cat([joined, self.clinical(clinical)], dim=1)
        logits: Tensor = self.last(joined)
        return logits.squeeze(1)


def _mlp(sizes: Sequence[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout)]
        layers.append(nn.LayerNorm(outputs))
    return nn.Sequential(*layers)


def _move(optimizer: torch.optim.Adam, loss: Tensor) -> None:
    """One step of what the optimizer holds; gradients elsewhere are dropped with the next."""
    optimizer.zero_grad()
    own = [weight for group in optimizer.param_groups for weight in group["params"]]
    gradients = torch.autograd.grad(loss, own, allow_unused=True)
    for weight, gradient in zip(own, gradients, strict=True):
        weight.grad = gradient
    optimizer.step()


def _by_content(bags: Bags) -> list[NDArray[np.int64]]:
    """Positions of each bag's cells, in the order of a digest of their pixels."""
    digests = np.array([crc32(np.ascontiguousarray(cell).tobytes()) for cell in bags.instances])
    cells = [bags.cells_of([bag]) for bag in range(len(bags))]
    return [own[np.argsort(digests[own], kind="stable")] for own in cells]


def _some(cells: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if len(cells) <= most:
        return cells
    return cells[np.sort(rng.choice(len(cells), most, replace=False))]


def _as_images(rows: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.asarray(rows, dtype=np.uint8).reshape(-1, SIDE, SIDE, 3)


def _pixels(rows: NDArray[np.generic], side: int) -> Tensor:
    """Rows of pixels, or images, as the network takes them: (n, 3, side, side) in [0, 1]."""
    images = torch.from_numpy(_as_images(rows)).permute(0, 3, 1, 2).float().div(255)
    return images if side == SIDE else interpolate(images, (side, side), mode="area")


def _mean_colour(bags: Bags) -> Tensor:
    """The mean of red, green and blue over all cells, from 0 to 1: (3,)."""
    sums = np.zeros(3)
    for start in range(0, len(bags.instances), _CHUNK_CELLS):
        sums += _as_images(bags.instances[start : start + _CHUNK_CELLS]).sum(axis=(0, 1, 2))
    return torch.from_numpy(sums / (255 * SIDE * SIDE * len(bags.instances))).float()


def _check_pixels(bags: Bags) -> None:
    if bags.instances.shape[1] != SIDE * SIDE * 3:
        raise ValueError(
            f"cells have {bags.instances.shape[1]} numbers, not the {SIDE * SIDE * 3} of an image: "
            "set `features: pixels_raw` or `pixels_segmented` for this model in config.yaml"
        )

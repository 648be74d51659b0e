"""D-MIL trained end to end: from the pixels of cells, through the autoencoder, to a logit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate
from torch.optim.swa_utils import update_bn

from lymphokit.bags.contract import require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.deep_mil.attention_mil import AttentionMil
from lymphokit.deep_mil.network_settings import EndToEndSettings
from lymphokit.deep_mil.preparation import label_weights, scale_clinical
from lymphokit.features.autoencoder import Autoencoder
from lymphokit.features.compute import best_device, repeatable, seeded
from lymphokit.features.training_steps import random_flips
from lymphokit.imaging.pixels import SIDE

_CHUNK_CELLS = 128  # encoded at once outside training
_STRIDE = 16  # pixels of a side behind one number of the latent grid
_LOGIT_EPS = 1e-3  # the mean colour is clamped to [eps, 1 - eps]: its logit stays finite


@dataclass(frozen=True)
class _Patients:
    """Training patients; sorted_cells: positions of each bag's cells, by a digest of their pixels.

    Draws, flips and the order of sums thus depend on the cells and not on their order in the bag:
    where a gradient is nearly 0, Adam turns its rounding error into a whole step.
    """

    bags: Bags
    sorted_cells: Sequence[NDArray[np.int64]]
    labels: NDArray[np.int64]
    clinical: Tensor


@dataclass(frozen=True)
class _Batch:
    """Sampled cells of B bags: images (n, 3, side, side), the bag of each; rows (B, ...) a bag."""

    images: Tensor
    bag_of: Tensor
    clinical: Tensor
    labels: Tensor
    weights: Tensor


class EndToEndNetwork:
    """An autoencoder and an `AttentionMil` on its latents, trained together on both losses.

    A bag's cells are pixels: (n_cells, 128 * 128 * 3) of 0 to 255, shrunk to `side` a side.

    scheme `joint`: one Adam on the classification loss + reconstruction_weight times the loss of
    the decoder.
    scheme `two_phase`: for frozen_epochs only the autoencoder learns, to reconstruct. Then every
    step first moves the classifier (learning_rate) with the autoencoder frozen, then the
    autoencoder (autoencoder_learning_rate) by both losses with the classifier frozen.

    A step holds batch_bags bags and at most cells_per_bag cells of each, drawn anew, so that memory
    does not grow with the bags; prediction reads all cells, a few at a time. There is no early
    stopping. The decoder gives the logit of a colour; before training its sigmoid is the mean
    colour of the training cells.

    Fitted on the training patients: `autoencoder_`, `classifier_`, `scaler_`; `losses_`
    (epochs, 2): classification (nan while frozen) and reconstruction.
    Source: report 5.2.2 d, both losses cross-entropies.
    Departs: cells are sampled; a step may hold more than one bag, for batch normalisation, and its
    statistics are recomputed over all training cells after training. The report does not name the
    loss of the second phase of `two_phase`; here the frozen classifier passes on the gradient of
    the classification loss as well, so that the encoder learns what the label needs. Both phases
    alternate in every step. The classifier reads latents of cells without a scaler or PCA.
    """

    autoencoder_: Autoencoder
    classifier_: AttentionMil
    scaler_: StandardScaler
    losses_: NDArray[np.float64]

    def __init__(self, settings: EndToEndSettings, *, seed: int) -> None:
        self.settings = settings
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur, and for cells that are not images.
        """
        require_both_classes(labels)
        _check_pixels(bags)
        self.scaler_ = StandardScaler().fit(clinical.matrix())
        self.weights_ = label_weights(labels, self.settings.weighted_loss)
        device = best_device()
        with repeatable(), seeded(self.seed, device):
            self._build(bags, device)
            optimizers = self._optimizers()
            attributes = scale_clinical(self.scaler_, clinical).to(device)
            patients = _Patients(bags, _sort_by_digest(bags), labels, attributes)
            losses = [
                self._train_epoch(epoch, patients, optimizers)
                for epoch in range(self.settings.epochs)
            ]
            self._update_batch_norm(patients)
        self.losses_ = np.array(losses)
        self.autoencoder_.eval()
        self.classifier_.eval()
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "losses_")
        latents = self._latents(bags)  # (n_cells, numbers)
        attributes = scale_clinical(self.scaler_, clinical).to(latents.device)  # (n_bags, 2)
        # Bag by bag, so that the sums over a bag do not depend on the other bags.
        with repeatable(), torch.inference_mode():
            logits = [
                self.classifier_(cells, torch.zeros_like(cells[:, 0], dtype=torch.long), clinical)
                for cells, clinical in zip(
                    torch.split(latents, bags.sizes.tolist()),
                    torch.split(attributes, 1),
                    strict=True,
                )
            ]
        return np.asarray(torch.cat(logits).double().sigmoid().cpu().numpy())

    def _build(self, bags: Bags, device: torch.device) -> None:
        settings = self.settings
        self.autoencoder_ = Autoencoder(latent=settings.latent)
        self.autoencoder_.start_at(_mean_colour(bags).logit(eps=_LOGIT_EPS))
        blank = torch.zeros(2, 3, settings.side, settings.side)
        self.classifier_ = AttentionMil(
            self.autoencoder_.encode(blank)[0].numel(),
            aggregation="attention",
            attention_width=settings.attention_width,
            hidden=settings.hidden,
            clinical_hidden=settings.clinical_hidden,
            fusion="joined",
            normalisation="layer",
            dropout=settings.dropout,
        )
        self.autoencoder_.to(device)
        self.classifier_.to(device)

    def _optimizers(self) -> list[torch.optim.Adam]:
        """One for both parts, or one for the classifier and one for the autoencoder."""
        classifier, autoencoder = self.classifier_.parameters(), self.autoencoder_.parameters()
        if self.settings.scheme == "joint":
            return [torch.optim.Adam([*classifier, *autoencoder], lr=self.settings.learning_rate)]
        return [
            torch.optim.Adam(classifier, lr=self.settings.learning_rate),
            torch.optim.Adam(autoencoder, lr=self.settings.autoencoder_learning_rate),
        ]

    def _train_epoch(
        self, epoch: int, patients: _Patients, optimizers: Sequence[torch.optim.Adam]
    ) -> tuple[float, float]:
        """One pass over all bags; the mean losses of its steps."""
        self.classifier_.train()
        losses = []
        for batch in self._batches(epoch, patients):
            # A single image whose latent is 1x1 has no variance: it takes the running statistics.
            self.autoencoder_.train(len(batch.images) > 1 or self.settings.side > _STRIDE)
            if self.settings.scheme == "joint":
                losses.append(self._step_both(batch, optimizers[0]))
            elif epoch < self.settings.frozen_epochs:
                losses.append(self._step_reconstruction(batch, optimizers[1]))
            else:
                losses.append(self._step_in_turn(batch, *optimizers))
        classification, reconstruction = np.mean(losses, axis=0)
        return float(classification), float(reconstruction)

    def _batches(self, epoch: int, patients: _Patients) -> Iterator[_Batch]:
        """The bags in an order, with cells and flips, drawn from the seed and the epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        flip = random_flips(self.settings.flips, seed=self.seed, epoch=epoch)
        device, size = patients.clinical.device, self.settings.batch_bags
        order = rng.permutation(len(patients.bags))
        for bags in np.split(order, range(size, len(order), size)):
            labels = patients.labels[bags]
            cells = [
                _draw(patients.sorted_cells[bag], self.settings.cells_per_bag, rng) for bag in bags
            ]
            images = _as_images(patients.bags.instances[np.concatenate(cells)])
            sizes = torch.tensor([len(each) for each in cells])
            yield _Batch(
                _pixels(flip(images), self.settings.side).to(device),
                torch.arange(len(bags)).repeat_interleave(sizes).to(device),
                patients.clinical[torch.from_numpy(bags)],
                torch.from_numpy(labels.astype(np.float32)).to(device),
                torch.from_numpy(self.weights_[labels]).to(device),
            )

    def _step_both(self, batch: _Batch, optimizer: torch.optim.Adam) -> tuple[float, float]:
        latents = self.autoencoder_.encode(batch.images)
        classification = self._classification(latents, batch)
        reconstruction = self._reconstruction(latents, batch)
        _step(optimizer, classification + self.settings.reconstruction_weight * reconstruction)
        return classification.item(), reconstruction.item()

    def _step_reconstruction(
        self, batch: _Batch, optimizer: torch.optim.Adam
    ) -> tuple[float, float]:
        loss = self._reconstruction(self.autoencoder_.encode(batch.images), batch)
        _step(optimizer, loss)
        return float("nan"), loss.item()

    def _step_in_turn(
        self, batch: _Batch, classifier: torch.optim.Adam, autoencoder: torch.optim.Adam
    ) -> tuple[float, float]:
        latents = self.autoencoder_.encode(batch.images)
        _step(classifier, self._classification(latents.detach(), batch))
        classification = self._classification(latents, batch)
        reconstruction = self._reconstruction(latents, batch)
        _step(autoencoder, classification + self.settings.reconstruction_weight * reconstruction)
        return classification.item(), reconstruction.item()

    def _classification(self, latents: Tensor, batch: _Batch) -> Tensor:
        logits = self.classifier_(latents.flatten(1), batch.bag_of, batch.clinical)
        return binary_cross_entropy_with_logits(logits, batch.labels, weight=batch.weights)

    def _reconstruction(self, latents: Tensor, batch: _Batch) -> Tensor:
        """Mean binary cross-entropy of the decoded colours; the decoder's output is their logit.

        Clamping colours to [0, 1] instead would give a colour outside no gradient.
        """
        logits = self.autoencoder_.to_colours(self.autoencoder_.decoder(latents))
        return binary_cross_entropy_with_logits(logits, batch.images)

    def _update_batch_norm(self, patients: _Patients) -> None:
        """Recompute the encoder's batch-norm statistics over all training cells, final weights.

        The running averages of training lag behind the weights. After few steps, or with a high
        learning rate, they no longer fit them: training loss 0.01, yet all predictions alike.
        """
        cells = np.concatenate(patients.sorted_cells)
        # Chunks of equal size, because update_bn gives every chunk the same weight.
        parts = np.array_split(cells, -(-len(cells) // _CHUNK_CELLS))
        images = (_pixels(patients.bags.instances[part], self.settings.side) for part in parts)
        update_bn(images, self.autoencoder_.encoder, best_device())

    def _latents(self, bags: Bags) -> Tensor:
        """The latents of all cells, a few at a time: (n_cells, numbers)."""
        device = best_device()
        parts = []
        with repeatable(), torch.inference_mode():
            for start in range(0, len(bags.instances), _CHUNK_CELLS):
                chunk = _pixels(bags.instances[start : start + _CHUNK_CELLS], self.settings.side)
                parts.append(self.autoencoder_.encode(chunk.to(device)).flatten(1))
        return torch.cat(parts)


def _step(optimizer: torch.optim.Adam, loss: Tensor) -> None:
    """Move the parameters that the optimizer holds along the gradient of a loss, and no others."""
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    # Not `backward`: it would also add to the gradients of the part that is frozen in this step.
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    optimizer.step()


def _sort_by_digest(bags: Bags) -> list[NDArray[np.int64]]:
    """Positions of each bag's cells, in the order of a digest of their pixels."""
    digests = np.array([crc32(np.ascontiguousarray(cell).tobytes()) for cell in bags.instances])
    positions = [bags.cells_of([bag]) for bag in range(len(bags))]
    return [cells[np.argsort(digests[cells], kind="stable")] for cells in positions]


def _draw(cells: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most so many of the cells, drawn without replacement, in their order."""
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

"""D-MIL: attention over a patient's cells, clinical attributes beside it, as a committee."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from lymphokit.mil.attention import Attention, Committee
from lymphokit.mil.bags import Bags, Clinical
from lymphokit.mil.checks import require_both_classes, require_fitted
from lymphokit.mil.committee import Examples, History, Inputs, Schedule, chunks, hold_out, train
from lymphokit.mil.projection import Projection

_LONE_CELLS = 64  # bags of one cell at once: pooling grows with the square


class DMil:
    """The report's D-MIL, as a committee of networks trained side by side.

    `fit` deals its patients, stratified by label, into `members` parts; member r learns from all
    parts but the r-th and keeps the weights of the epoch at which its loss on the r-th was lowest.
    A single member is stopped on a fifth. Nothing is chosen on patients that `fit` did not get.
    Projection and clinical standardisation (age, log count) are fitted on all of its patients.

    A step takes `batch_bags` bags in an order drawn anew for each epoch; a member learns from
    those of them that are its own. `schedule_patience` epochs without a lower validation loss
    multiply a member's learning rate by `schedule_factor`; `early_stopping` such epochs end it.
    weighted_loss: positives cost their share of the patients, negatives theirs; with it a
    probability is above the frequency wherever positives are the majority.

    Fitted: `projection_`, `clinical_mean_` and `clinical_deviation_` (2,), `network_`, `epochs_`
    (members,) the chosen ones from 1, `history_`, `held_out_` (members, n_bags) of `fit`'s bags.
    Source: report 5.2.
    Departs: layer normalisation, since a step may hold one bag; the logarithm of the count;
    early stopping, which the report does by eye on its validation set; a committee.
    """

    projection_: Projection
    clinical_mean_: NDArray[np.float64]
    clinical_deviation_: NDArray[np.float64]
    network_: Committee
    epochs_: NDArray[np.int64]
    history_: History
    held_out_: NDArray[np.bool_]

    def __init__(
        self,
        *,
        scale: bool,
        pca: int | None,
        attention_width: int,
        hidden: Sequence[int],
        clinical_hidden: Sequence[int],
        dropout: float,
        learning_rate: float,
        weight_decay: float,
        batch_bags: int,
        schedule_factor: float,
        schedule_patience: int,
        weighted_loss: bool,
        max_epochs: int,
        early_stopping: int,
        members: int,
        seed: int,
    ) -> None:
        self.scale = scale
        self.pca = pca
        self.attention_width = attention_width
        self.hidden = hidden
        self.clinical_hidden = clinical_hidden
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_bags = batch_bags
        self.schedule_factor = schedule_factor
        self.schedule_patience = schedule_patience
        self.weighted_loss = weighted_loss
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.members = members
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur and for fewer patients than members (or than
        2), LymphokitError where a member's validation loss never was a number.
        """
        require_both_classes(labels)
        rng = np.random.default_rng(self.seed)
        self.held_out_ = hold_out(labels, self.members, rng)
        self.projection_ = Projection(scale=self.scale, pca=self.pca, seed=self.seed)
        self.projection_.fit(bags.instances)
        attributes = clinical.matrix()
        self.clinical_mean_ = attributes.mean(axis=0)
        deviation = attributes.std(axis=0)
        self.clinical_deviation_ = np.where(deviation > 1e-6, deviation, 1.0)
        examples = Examples(
            self._inputs(bags, self._standardised(clinical)), *self._targets(labels)
        )
        seeds = rng.integers(2**62, size=self.members)
        generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        network = self._network(examples.inputs, generators)
        schedule = Schedule(**{field.name: getattr(self, field.name) for field in fields(Schedule)})
        self.history_, self.epochs_ = train(
            network, examples, self.held_out_, schedule, rng, generators
        )
        self.network_ = network
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis, the mean over the members: (n_bags,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "network_")
        logits = self._logits(bags, self._standardised(clinical), chunks(bags.sizes))
        probabilities: NDArray[np.float64] = expit(logits).mean(axis=0)
        return probabilities

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The log-odds of each cell in a bag of its own, the mean over the members: (n_cells,).

        What the committee would say of a patient with average clinical attributes of whom it saw
        this cell alone; above 0 is tumoral. `attention` says which cells were looked at, this
        says what was seen there.
        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "network_")
        n_cells = len(bags.instances)
        ids = tuple(bags.ids[bag] for bag in bags.bag_of)
        alone = Bags(bags.instances, np.arange(n_cells + 1), ids)
        few = chunks(alone.sizes, cells=_LONE_CELLS)
        scores: NDArray[np.float64] = self._logits(alone, torch.zeros(n_cells, 2), few).mean(axis=0)
        return scores

    def attention(self, bags: Bags) -> NDArray[np.float64]:
        """The share of each cell in its bag, the mean over the members: (n_cells,).

        Each bag's shares sum to 1. Raises NotFittedError before `fit`.
        """
        require_fitted(self, "network_")
        shares = np.empty(len(bags.instances))
        for chosen in chunks(bags.sizes):
            few = bags.take(chosen)
            cells = torch.from_numpy(self.projection_.transform(few.instances))
            with torch.inference_mode():
                weights = self.network_.aggregation.weights(
                    cells, torch.from_numpy(few.bag_of), len(few)
                )
            shares[bags.cells_of(chosen)] = weights.double().mean(dim=1).numpy()
        return shares

    def _logits(
        self, bags: Bags, attributes: Tensor, parts: Iterable[NDArray[np.int64]]
    ) -> NDArray[np.float64]:
        """The members' logits (members, n_bags), computed for one part of the bags at a time."""
        logits = np.empty((self.members, len(bags)))
        for chosen in parts:
            inputs = self._inputs(bags.take(chosen), attributes[torch.from_numpy(chosen)])
            with torch.inference_mode():
                logits[:, chosen] = self.network_(*inputs.batch(np.arange(len(chosen)))).numpy()
        return logits

    def _inputs(self, bags: Bags, attributes: Tensor) -> Inputs:
        return Inputs(bags.with_instances(self.projection_.transform(bags.instances)), attributes)

    def _standardised(self, clinical: Clinical) -> Tensor:
        """Clinical attributes as the networks read them: (n_bags, 2)."""
        standardised = (clinical.matrix() - self.clinical_mean_) / self.clinical_deviation_
        return torch.from_numpy(standardised.astype(np.float32))

    def _network(self, inputs: Inputs, generators: Sequence[torch.Generator]) -> Committee:
        features, attributes = inputs.bags.instances.shape[1], inputs.clinical.shape[1]
        aggregation = Attention(features, self.attention_width, generators)
        return Committee(aggregation, self.hidden, self.clinical_hidden, attributes, generators)

    def _targets(self, labels: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Labels and costs: a positive costs the share of positives, a negative the other's."""
        share = labels.mean()
        costs = np.where(labels == 1, share, 1.0 - share)
        if not self.weighted_loss:
            costs = np.ones(len(labels))
        return torch.from_numpy(labels.astype(np.float32)), torch.from_numpy(np.float32(costs))

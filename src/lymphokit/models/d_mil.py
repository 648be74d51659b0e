"""D-MIL: attention over a patient's cells and clinical attributes, an ensemble of networks."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.contract import BagModel, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.deep_mil.network_settings import DMilSettings
from lymphokit.models.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from lymphokit.deep_mil.attention import Batch
    from lymphokit.deep_mil.committee import History
    from lymphokit.deep_mil.network import Committee
    from lymphokit.deep_mil.preparation import Preparation


@register(DMilSettings, gpu=True)
class DMil(BagModel[DMilSettings]):
    """The report's D-MIL, as an ensemble of networks.

    `fit` deals its patients, stratified by label, into `members` parts. Member r learns from all
    parts but the r-th and keeps the weights of the epoch at which its loss on the r-th was lowest.
    A single member is stopped on a fifth of the patients. Nothing is chosen on other patients.
    Projection and clinical standardisation (age, log count) are fitted on all of them. With
    `weighted_loss` a probability is above the frequency wherever positives are the majority.

    Fitted: `preparation_`, `network_`, `epochs_` (members,) the chosen ones from 1, `history_`,
    `held_out_` (members, n_bags) of the training bags.
    Source: report 5.2; gated attention: Ilse et al. 2018.
    Departs: layer normalisation, since a step may hold one bag; the logarithm of the count;
    early stopping, which the report does by eye on its validation set; an ensemble.
    """

    preparation_: "Preparation"
    network_: "Committee"
    epochs_: NDArray[np.int64]
    history_: "History"
    held_out_: NDArray[np.bool_]

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur and for fewer patients than members (or than
        2), LymphokitError where a member's loss on its part never was a number.
        """
        import torch

        from lymphokit.deep_mil.committee import Examples, Plan, Schedule, train
        from lymphokit.deep_mil.draws import hold_out
        from lymphokit.deep_mil.network import Architecture, Committee, pick
        from lymphokit.deep_mil.preparation import Preparation

        require_both_classes(labels)
        settings, members = self.settings.model_dump(), self.settings.members
        rng = np.random.default_rng(self.seed)
        self.held_out_ = hold_out(labels, members, rng)
        prepare = Preparation(
            **{key: settings[key] for key in ("scale", "pca", "weighted_loss")}, seed=self.seed
        )
        self.preparation_ = prepare.fit(bags, labels, clinical)
        inputs = prepare.inputs(bags, prepare.attributes(clinical))
        examples = Examples(
            [inputs], torch.from_numpy(np.float32(labels)), prepare.costs(labels)[None]
        )
        seeds = rng.integers(2**62, size=members)
        generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        network = Committee(
            inputs.n_features, inputs.n_clinical, pick(Architecture, settings), generators
        )
        plan = Plan(
            group_of=np.zeros(members, dtype=np.int64),
            learned=~self.held_out_,
            held_out=self.held_out_,
            scored=np.zeros_like(self.held_out_),
        )
        training = train(network, examples, plan, pick(Schedule, settings), [rng], generators)
        self.history_, self.epochs_ = training.history, training.epochs
        self.network_ = network
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis, the mean over the members: (n_bags,).

        Raises NotFittedError before `fit`.
        """
        from scipy.special import expit

        require_fitted(self, "network_")
        attributes = self.preparation_.attributes(clinical)
        probabilities: NDArray[np.float64] = expit(self._logits(bags, attributes)).mean(axis=0)
        return probabilities

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The log-odds of each cell in a bag of its own, the mean over the members: (n_cells,).

        What the committee would say of a patient with average clinical attributes of whom it saw
        this cell alone; above 0 is tumoral. So it has a meaning for every aggregation, though for
        `mean_std` a far-fetched one: a lone cell deviates by 0, as no patient does. `shares` says
        which cells were looked at, this says what was seen there.
        Raises NotFittedError before `fit`.
        """
        import torch

        require_fitted(self, "network_")
        n_cells = len(bags.instances)
        ids = tuple(bags.ids[bag] for bag in bags.bag_of)
        alone = Bags(bags.instances, np.arange(n_cells + 1), ids)
        scores: NDArray[np.float64] = self._logits(alone, torch.zeros(n_cells, 2)).mean(axis=0)
        return scores

    def shares(self, bags: Bags) -> NDArray[np.float64]:
        """How much of its bag each cell is, the mean over the members: (n_cells,).

        Attention's weights; for `max` the share of the features in which the cell is the largest
        of its bag; for `mean_std` the same for all cells of a bag. Each bag's sum to 1.
        Raises NotFittedError before `fit`.
        """
        import torch

        require_fitted(self, "network_")
        shares = np.empty(len(bags.instances))
        no_attributes = torch.zeros(len(bags), 2)
        for chosen, batch in self._batches(bags, no_attributes):
            with torch.inference_mode():
                of_members = self.network_.aggregation.shares(batch)
            shares[bags.cells_of(chosen)] = of_members.double().mean(dim=1).numpy()
        return shares

    def _logits(self, bags: Bags, attributes: "Tensor") -> NDArray[np.float64]:
        """The members' logits: (members, n_bags)."""
        import torch

        logits = np.empty((self.settings.members, len(bags)))
        for chosen, batch in self._batches(bags, attributes):
            with torch.inference_mode():
                logits[:, chosen] = self.network_([batch]).numpy()
        return logits

    def _batches(
        self, bags: Bags, attributes: "Tensor"
    ) -> Iterable[tuple[NDArray[np.int64], "Batch"]]:
        """A few bags at a time: their positions, and the networks' inputs."""
        import torch

        from lymphokit.deep_mil.draws import chunks

        for chosen in chunks(bags.sizes):
            few = self.preparation_.inputs(bags.take(chosen), attributes[torch.from_numpy(chosen)])
            yield chosen, few.batch(np.arange(len(chosen)), self.settings.members)

"""D-MIL: attention over a patient's cells and clinical attributes, an ensemble of networks."""

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.contract import BagModel, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.deep_mil.network_settings import DMilSettings
from lymphokit.models.registry import register

if TYPE_CHECKING:
    import pandas as pd

    from lymphokit.deep_mil.attention_mil import AttentionMil
    from lymphokit.deep_mil.preparation import Preparation, Prepared


@register(DMilSettings, reads_clinical=True, gpu=True)
class DMil(BagModel[DMilSettings]):
    """The report's D-MIL, as an ensemble of networks.

    `fit` divides its patients, stratified by label, into `members` parts. Member r learns from all
    parts but the r-th and keeps the weights of the epoch at which its loss on the r-th was lowest.
    A single member is stopped on a fifth of the patients. Nothing is chosen on other patients.
    Projection and clinical standardisation (age, log count) are fitted on all of them. With
    `weighted_loss` a probability is above the frequency wherever positives are the majority.

    Fitted: `preparation_`, `held_out_` (members, n_bags) of the training bags; of each member
    `networks_` and `epochs_`, the chosen ones from 1; `history_`: scores by member, epoch and part.

    Source: report 5.2; gated attention: Ilse et al. 2018.
    Departs: layer normalisation, since a step may hold one bag; the logarithm of the count; at
    most as many components as the training cells allow; early stopping on a part of the training
    patients, where the report chooses by balanced accuracy and loss on its validation set; an
    ensemble. The report gives no value of weight decay and no batch size.
    """

    neutral_score: ClassVar[float | None] = None  # the shares of the labels move the log odds

    preparation_: "Preparation"
    networks_: "list[AttentionMil]"
    epochs_: NDArray[np.int64]
    history_: "pd.DataFrame"
    held_out_: NDArray[np.bool_]

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur and for fewer patients than members (or than
        2), LymphokitError where a member's loss on its part never was a number.
        """
        from lymphokit.deep_mil.preparation import Preparation, label_weights
        from lymphokit.deep_mil.training import (
            Examples,
            hold_out,
            join_histories,
            train_ensemble,
        )

        require_both_classes(labels)
        settings, rng = self.settings, np.random.default_rng(self.seed)
        self.held_out_ = hold_out(labels, settings.members, rng)
        preparation = Preparation(scale=settings.scale, pca=settings.pca, seed=self.seed)
        self.preparation_ = preparation.fit(bags, clinical)
        inputs = preparation.transform(bags, clinical)
        weights = label_weights(labels, settings.weighted_loss)
        parts = np.where(self.held_out_, "held_out", "learned")
        seeds = rng.integers(2**62, size=settings.members).tolist()
        trained = train_ensemble(Examples(inputs, labels, weights), parts, settings, rng, seeds)
        self.networks_ = [each.network for each in trained]
        self.epochs_ = np.array([each.epoch for each in trained])
        self.history_ = join_histories(trained)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis, the mean over the members: (n_bags,).

        Raises NotFittedError before `fit`.
        """
        from scipy.special import expit

        require_fitted(self, "networks_")
        inputs = self.preparation_.transform(bags, clinical)
        probabilities: NDArray[np.float64] = expit(self._logits(inputs)).mean(axis=0)
        return probabilities

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """Log-odds of a bag that holds this cell alone, the mean over the members: (n_cells,).

        The bag has average clinical attributes; above 0 is tumoral. With `mean_std` the network
        extrapolates, since one cell has standard deviation 0. `shares` gives the attention weight
        of a cell instead.
        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "networks_")
        ids = tuple(bags.ids[bag] for bag in bags.bag_of)
        alone = Bags(bags.instances, np.arange(len(bags.instances) + 1), ids)
        scores: NDArray[np.float64] = self._logits(
            self.preparation_.transform(alone, clinical=None)
        ).mean(axis=0)
        return scores

    def shares(self, bags: Bags) -> NDArray[np.float64]:
        """Share of each cell in its bag, the mean over the members: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        return np.asarray(self.member_shares(bags).mean(axis=0))

    def member_shares(self, bags: Bags) -> NDArray[np.float64]:
        """Share of each cell in its bag, by each member: (members, n_cells).

        Attention's weights; for `max` the share of the features in which the cell is the largest
        of its bag; for `mean_std` the same for all cells of a bag. Each bag's sum to 1.
        Raises NotFittedError before `fit`.
        """
        from lymphokit.deep_mil.training import predict_shares

        require_fitted(self, "networks_")
        inputs = self.preparation_.transform(bags, clinical=None)
        return np.stack([predict_shares(network, inputs) for network in self.networks_])

    def _logits(self, inputs: "Prepared") -> NDArray[np.float64]:
        """The members' logits: (members, n_bags)."""
        from lymphokit.deep_mil.training import predict_logits

        bags = np.arange(len(inputs))
        return np.stack([predict_logits(network, inputs, bags) for network in self.networks_])

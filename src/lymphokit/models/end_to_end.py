"""D-MIL trained end to end: from the pixels of cells, through the autoencoder, to a label."""

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.contract import BagModel, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.deep_mil.network_settings import EndToEndSettings
from lymphokit.models.registry import register

if TYPE_CHECKING:
    from lymphokit.deep_mil.end_to_end_network import EndToEndNetwork


@register(EndToEndSettings, reads_clinical=True, threads=2, gpu=True)
class EndToEnd(BagModel[EndToEndSettings]):
    """Encoder, attention and classifier as one network, the decoder's loss beside the label's.

    Fitted: `network_`.

    Source: report 5.2.2 d.
    Departs: see `EndToEndNetwork`.
    """

    network_: "EndToEndNetwork"

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur, and for cells that are no images.
        """
        from lymphokit.deep_mil.end_to_end_network import EndToEndNetwork

        network = EndToEndNetwork(self.settings, seed=self.seed)
        self.network_ = network.fit(bags, labels, clinical)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "network_")
        return self.network_.predict_proba(bags, clinical)

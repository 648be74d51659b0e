"""A model outside the package: the logistic function of one feature's mean over a bag."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.contract import BagModel, ModelSettings, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.segments import segment_mean
from lymphokit.models.registry import register
from lymphokit.settings import NonNegative


class MeanFeatureSettings(ModelSettings):
    """Settings of `MeanFeature`."""

    kind: Literal["mean_feature"]
    features: str
    column: NonNegative


@register(MeanFeatureSettings)
class MeanFeature(BagModel[MeanFeatureSettings]):
    """1 / (1 + exp(-mean of one feature)); learns nothing."""

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        require_both_classes(labels)
        self.classes_ = np.unique(labels)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        require_fitted(self, "classes_")
        means = segment_mean(bags.instances[:, self.settings.column], bags.offsets)
        return np.asarray(1 / (1 + np.exp(-means)), dtype=np.float64)

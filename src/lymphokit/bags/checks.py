"""What every model asks of its training patients, and says when asked too early."""

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags
from lymphokit.errors import NotFittedError


def require_both_classes(labels: NDArray[np.int64]) -> None:
    """Raises ValueError unless the labels are 0 and 1, and both occur."""
    found = sorted({int(label) for label in labels})
    if found != [0, 1]:
        raise ValueError(
            f"the labels of the training patients are {found or 'none'}: "
            "a model learns from both 0 (reactive) and 1 (tumoral)"
        )


def cell_probabilities(bags: Bags, bank: str) -> NDArray[np.float64]:
    """The single feature of cells that a network has judged, P(1): (n_cells,).

    Raises ValueError, naming the bank that has it, where cells have more than one feature.
    """
    n_features = bags.instances.shape[1]
    if n_features != 1:
        raise ValueError(
            f"cells have {n_features} features, not one probability: "
            f"set `features: {bank}` for this model in config.yaml"
        )
    return bags.instances[:, 0].astype(np.float64)


def require_fitted(model: object, fitted: str) -> None:
    """Raises NotFittedError unless the model has what `fit` leaves under this name."""
    if not hasattr(model, fitted):
        raise NotFittedError(f"fit {type(model).__name__} before predicting with it")

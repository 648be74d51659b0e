"""The contract of every model, so that folds, blends and audits need to know nothing else.

A model stores its settings and a seed; what it learns ends in `_`. Randomness comes from the seed
alone. The prediction for a bag does not depend on the order of its cells, nor on which other bags
are predicted with it.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.errors import NotFittedError
from lymphokit.settings import Settings


class ModelSettings(Settings):
    """The settings that every model's block in config.yaml has.

    A subclass narrows `kind` to a Literal; a model that reads cells has a field `features`, the
    feature bank.
    """

    kind: str
    enabled: bool | Literal["scored"]
    """`scored`: in the score table and in no blend."""


SettingsT = TypeVar("SettingsT", bound=ModelSettings)


class BagModel(ABC, Generic[SettingsT]):
    """Predicts the probability of a malignancy from a bag of cells and clinical attributes."""

    neutral_score: ClassVar[float | None] = 0.0
    """Where `cell_scores` are defined: the score that speaks for neither label; None where it
    depends on what was learned."""

    def __init__(self, settings: SettingsT, *, seed: int) -> None:
        self.settings = settings
        self.seed = seed

    @abstractmethod
    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both labels occur.
        """

    @abstractmethod
    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis for each bag: (n_bags,) in [0, 1].

        Raises NotFittedError before `fit`.
        """


AnyModel = BagModel[Any]


@runtime_checkable
class ScoresCells(Protocol):
    """A model that also scores single cells."""

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """A score for each cell, higher is more tumoral: (n_cells,)."""
        ...


@runtime_checkable
class AttendsToCells(ScoresCells, Protocol):
    """A model whose ensemble members weigh the cells of a bag."""

    def member_shares(self, bags: Bags) -> NDArray[np.float64]:
        """The share of each cell in its bag by each member, 1 in all: (members, n_cells)."""
        ...


@runtime_checkable
class DescribesBags(Protocol):
    """A model that is a `BalancedLogistic` on descriptors of bags, its settings with their C."""

    settings: Any

    def descriptors(self, bags: Bags) -> NDArray[np.float64]:
        """The descriptors that the regression reads: (n_bags, n_features)."""
        ...


def require_both_classes(labels: NDArray[np.int64]) -> None:
    """Raises ValueError unless the labels are 0 and 1, and both occur."""
    found = sorted({int(label) for label in labels})
    if found != [0, 1]:
        raise ValueError(
            f"the labels of the training patients are {found or 'none'}: "
            "a model learns from both 0 (reactive) and 1 (tumoral)"
        )


def require_fitted(model: object, attribute: str) -> None:
    """Raises NotFittedError unless the model has the attribute that its `fit` sets."""
    if not hasattr(model, attribute):
        raise NotFittedError(f"fit {type(model).__name__} before predicting with it")


def cell_probabilities(bags: Bags, bank: str) -> NDArray[np.float64]:
    """The only feature of cells in a bank of predictions, P(1): (n_cells,).

    Raises ValueError, naming the bank with such predictions, where cells have other features.
    """
    n_features = bags.instances.shape[1]
    if n_features != 1:
        raise ValueError(
            f"cells have {n_features} features, not one probability: "
            f"set `features: {bank}` for this model in config.yaml"
        )
    return bags.instances[:, 0].astype(np.float64)

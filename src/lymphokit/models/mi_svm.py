"""MI-SVM: a maximum margin between one cell of each positive bag and all cells of negative bags."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lymphokit.bags.contract import BagModel, ModelSettings, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.projection import Projection
from lymphokit.bags.segments import segment_argmax, segment_max, segment_mean, segment_sum
from lymphokit.models.misvm_backend import fit_misvm
from lymphokit.models.registry import register
from lymphokit.settings import Count, Digits, Positive, Width

if TYPE_CHECKING:
    from lymphokit.solvers.max_margin import Separation

_SAME = 1e-9  # a cell replaces the representative only with a margin higher by more than this


@dataclass(frozen=True)
class Alternation:
    """Result of an alternation: the hyperplane, the objective of every iteration, the witnesses.

    witnesses (n_positive_bags,): the highest cell of each positive bag, among all its bags' cells.
    """

    separation: "Separation"
    objectives: tuple[float, ...]
    witnesses: NDArray[np.int64]
    converged: bool


def alternate(
    positives: Bags, negatives: Bags, start: NDArray[np.floating], C: float, max_iterations: int
) -> Alternation:
    """Alternate between the hyperplane and the highest cell of every positive bag.

    start (n_positive_bags, d): the first representatives; C: the penalty of one unit of slack.
    Ends when no representative changes, or after `max_iterations` separations. The objective
    never rises: a representative is only ever exchanged for a cell that lies higher.

    Where representatives lie among the negative cells, the optimum may be w = 0, and every cell
    ties; the cell furthest along the difference of means is taken then. The means of bags, from
    which the alternation starts, are often in that case.

    Source: Andrews et al. 2002.
    Departs: there, rounding decides such a tie.
    """
    from lymphokit.solvers.max_margin import MaxMargin

    margin = MaxMargin(negatives.instances, negatives.offsets, C)
    representatives, witnesses = start, None
    objectives: list[float] = []
    while True:
        separation = margin.separate(representatives)
        objectives.append(separation.objective)
        direction = separation.weights
        if not direction.any():
            direction = representatives.mean(axis=0) - negatives.instances.mean(axis=0)
        moved = _highest(positives.instances @ direction, positives.offsets, witnesses)
        converged = witnesses is not None and bool((moved == witnesses).all())
        if converged or len(objectives) == max_iterations:
            return Alternation(separation, tuple(objectives), moved, converged)
        witnesses, representatives = moved, positives.instances[moved]


def _highest(
    scores: NDArray[np.float64], offsets: NDArray[np.int64], current: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """The highest cell of each bag; the current one unless another lies higher by `_SAME`."""
    moved = segment_argmax(scores, offsets)
    if current is None:
        return moved
    return np.where(scores[moved] <= scores[current] + _SAME, current, moved)


class MaxMarginSettings(ModelSettings):
    """Settings that MI-SVM and models built on it share (report 5.1.1)."""

    features: str
    scale: bool
    """Standardise the features over the training cells."""
    pca: Width | None
    """Principal components, fitted on the training cells; None keeps the features."""
    C: Positive
    """Penalty of a unit of slack: a larger C fits the training patients more closely."""
    scale_C: bool
    """Divide C by the number of starting examples: negative cells + positive bags."""
    max_iterations: Count
    """Hyperplanes fitted at most from one start."""
    restarts: Annotated[int, Field(strict=True, ge=0, le=1000), Digits]
    """Further starts from random convex combinations of each bag's cells."""
    backend: Literal["exact", "misvm"]
    """`exact`: this package's solver; `misvm`: the original package, where it is installed."""


class MiSvmSettings(MaxMarginSettings):
    """Settings of `MiSvm`."""

    kind: Literal["mi_svm"]


@register(MiSvmSettings)
class MiSvm(BagModel[MaxMarginSettings]):
    """MI-SVM on standardised, projected cells; a bag's margin is that of its highest cell.

    Minimises 1/2 |w|^2 + C' (sum over positive bags of the hinge loss of one representative + sum
    over negative bags of one slack, the hinge loss of the highest cell). It alternates between the
    hyperplane, solved exactly, and the representatives, which start as the bags' means. Of several
    starts the lowest objective wins.

    Fitted: `projection_`, `weights_`, `bias_`; with the exact backend also `objectives_` of every
    iteration of the best start, `witnesses_` (n_positive_bags,) the highest training cell of each
    positive bag, `n_iterations_`, `converged_`, and `gap_`, the proven relative distance of the
    last objective from the optimum for its representatives.

    Source: Andrews et al. 2002; report 5.1, Algorithm 2; options of Doran's `misvm`.
    Departs: with `scale`, features are standardised before the PCA; the report's PCA has no
    scaler. The probability is 1 / (1 + exp(-margin)), without parameters. A map fitted on
    training margins would learn from margins that the fit itself has pushed apart; thresholds
    and blends are fitted on predictions for unseen patients.
    """

    projection_: Projection
    weights_: NDArray[np.float64]
    bias_: float
    objectives_: tuple[float, ...]
    witnesses_: NDArray[np.int64]
    n_iterations_: int
    converged_: bool
    gap_: float

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur, ConfigError where misvm cannot be used.
        """
        require_both_classes(labels)
        settings = self.settings
        self.projection_ = Projection(scale=settings.scale, pca=settings.pca, seed=self.seed)
        cells = self.projection_.fit(bags.instances).transform(bags.instances)
        projected = bags.with_instances(cells.astype(np.float64))
        if settings.backend == "exact":
            self._fit_exact(projected, labels)
            return self
        self.weights_, self.bias_ = fit_misvm(
            projected,
            labels,
            C=settings.C,
            scale_C=settings.scale_C,
            max_iters=settings.max_iterations,
            restarts=settings.restarts,
        )
        return self

    def decision_function(self, bags: Bags) -> NDArray[np.float64]:
        """The margin of each bag, that of its highest cell: (n_bags,)."""
        return np.asarray(segment_max(self.cell_scores(bags), bags.offsets), dtype=np.float64)

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        """1 / (1 + exp(-margin)) of each bag, 0.5 on the hyperplane: (n_bags,).

        Raises NotFittedError before `fit`.
        """
        from scipy.special import expit

        return np.asarray(expit(self.decision_function(bags)), dtype=np.float64)

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The margin of each cell, positive on the tumoral side: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "weights_")
        return self.projection_.transform(bags.instances) @ self.weights_ + self.bias_

    def _fit_exact(self, bags: Bags, labels: NDArray[np.int64]) -> None:
        settings = self.settings
        positive_bags = np.flatnonzero(labels == 1)
        positives, negatives = bags.take(positive_bags), bags.take(np.flatnonzero(labels == 0))
        examples = len(negatives.instances) + len(positives)
        penalty = settings.C / examples if settings.scale_C else settings.C
        best = min(
            (
                alternate(positives, negatives, start, penalty, settings.max_iterations)
                for start in _starts(positives, settings.restarts, self.seed)
            ),
            key=lambda alternation: alternation.objectives[-1],
        )
        self.weights_, self.bias_ = best.separation.weights, best.separation.bias
        self.objectives_ = best.objectives
        self.witnesses_ = bags.cells_of(positive_bags)[best.witnesses]
        self.n_iterations_ = len(best.objectives)
        self.converged_ = best.converged
        self.gap_ = best.separation.gap


def _starts(positives: Bags, restarts: int, seed: int) -> Iterator[NDArray[np.floating]]:
    """The first representatives of each start: the means, then random convex combinations.

    A bag's draw depends on its id, and its cells are sorted by content first, so that neither the
    order of bags nor that of cells changes the result.
    """
    yield segment_mean(positives.instances, positives.offsets)
    order = np.lexsort((positives.instances.sum(axis=1), positives.bag_of))
    for restart in range(1, restarts + 1):
        drawn = [
            np.random.default_rng([seed, restart, crc32(name.encode())]).dirichlet(np.ones(size))
            for name, size in zip(positives.ids, positives.sizes, strict=True)
        ]
        weights = np.empty(len(order))
        weights[order] = np.concatenate(drawn)
        yield segment_sum(positives.instances * weights[:, None], positives.offsets)

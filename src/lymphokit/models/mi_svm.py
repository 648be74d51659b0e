"""MI-SVM: a maximum margin between one cell of each positive bag and all cells of negative bags."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lymphokit.bags.checks import require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.projection import Projection
from lymphokit.bags.segments import segment_argmax, segment_max, segment_mean, segment_sum
from lymphokit.errors import ConfigError
from lymphokit.models.misvm_backend import fit_misvm
from lymphokit.solvers.max_margin import MaxMargin, Separation

_SAME = 1e-9  # margins by which another cell must be higher to take a cell's place


@dataclass(frozen=True)
class Alternation:
    """Where an alternation ended: its plane, the objective of every iteration, the witnesses.

    witnesses (n_positive_bags,): the highest cell of each positive bag, among all its bags' cells.
    """

    separation: Separation
    objectives: tuple[float, ...]
    witnesses: NDArray[np.int64]
    converged: bool


def alternate(
    positives: Bags, negatives: Bags, start: NDArray[np.floating], C: float, max_iterations: int
) -> Alternation:
    """Separate, let every positive bag be represented by its highest cell, and again.

    start (n_positive_bags, d): the first representatives; C: the penalty of one unit of slack.
    Ends when no representative changes, or after `max_iterations` separations. The objective
    never rises: a representative is only ever exchanged for a cell that lies higher.

    Where representatives cannot be told from the negative cells at all the best plane is none,
    w = 0, and every cell ties; the cell furthest along the difference of means is taken then.
    Means among many negative cells are often in that case. Source: Andrews et al. 2002.
    Departs: what follows from such a tie is left to rounding there.
    """
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
    scores: NDArray[np.float64], offsets: NDArray[np.int64], standing: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """The highest cell of each bag; the standing one unless another really lies higher."""
    moved = segment_argmax(scores, offsets)
    if standing is None:
        return moved
    return np.where(scores[moved] <= scores[standing] + _SAME, standing, moved)


class MiSvm:
    """MI-SVM on standardised, projected cells; a patient is as tumoral as the highest cell.

    Minimises 1/2 |w|^2 + C' (sum over positive bags of the hinge of one representative + sum over
    negative bags of one slack, the hinge of the highest cell) in turns over the plane, exactly,
    and the representatives, which start as the bags' means.

    scale, pca: of `Projection`, fitted on the training cells. C: the penalty; scale_C divides it
    by the number of starting examples (negative cells + positive bags). max_iterations: planes
    fitted at most from one start. restarts: further starts from random convex combinations of
    each bag's cells; the lowest objective wins. backend: `own`, or `misvm` for the original
    package where it is installed.

    Fitted: `projection_`, `weights_`, `bias_`; by the own backend also `objectives_` of every
    iteration of the winning start, `witnesses_` (n_positive_bags,) the highest training cell of
    each positive bag, `n_iterations_`, `converged_`, and `gap_`, the proven relative distance of
    the last objective from the optimum for its representatives.

    Source: Andrews et al. 2002; report 5.1, Algorithm 2; options of Doran's `misvm`.
    Departs: the probability is 1 / (1 + exp(-margin)), without parameters. A map fitted on
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

    def __init__(
        self,
        *,
        scale: bool,
        pca: int | None,
        C: float,
        scale_C: bool,
        max_iterations: int,
        restarts: int,
        backend: str,
        seed: int,
    ) -> None:
        self.scale = scale
        self.pca = pca
        self.C = C
        self.scale_C = scale_C
        self.max_iterations = max_iterations
        self.restarts = restarts
        self.backend = backend
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur, ConfigError for a backend that cannot serve.
        """
        require_both_classes(labels)
        self.projection_ = Projection(scale=self.scale, pca=self.pca, seed=self.seed)
        cells = self.projection_.fit(bags.instances).transform(bags.instances)
        projected = bags.with_instances(cells.astype(np.float64))
        if self.backend == "own":
            self._fit_own(projected, labels)
        elif self.backend == "misvm":
            self.weights_, self.bias_ = fit_misvm(
                projected,
                labels,
                C=self.C,
                scale_C=self.scale_C,
                max_iters=self.max_iterations,
                restarts=self.restarts,
            )
        else:
            raise ConfigError(f"mi_svm has no backend {self.backend!r}: choose own or misvm")
        return self

    def decision_function(self, bags: Bags) -> NDArray[np.float64]:
        """The margin of each bag, that of its highest cell: (n_bags,)."""
        return np.asarray(segment_max(self.cell_scores(bags), bags.offsets), dtype=np.float64)

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        """1 / (1 + exp(-margin)) of each bag, 0.5 on the plane: (n_bags,).

        Raises NotFittedError before `fit`.
        """
        return np.asarray(expit(self.decision_function(bags)), dtype=np.float64)

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The margin of each cell, positive on the tumoral side: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "weights_")
        return self.projection_.transform(bags.instances) @ self.weights_ + self.bias_

    def _fit_own(self, bags: Bags, labels: NDArray[np.int64]) -> None:
        positive_bags = np.flatnonzero(labels == 1)
        positives, negatives = bags.take(positive_bags), bags.take(np.flatnonzero(labels == 0))
        examples = len(negatives.instances) + len(positives)
        penalty = self.C / examples if self.scale_C else self.C
        best = min(
            (
                alternate(positives, negatives, start, penalty, self.max_iterations)
                for start in _starts(positives, self.restarts, self.seed)
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

    A bag's draw hangs on its id and its cells are counted in an order of their own, so neither
    the order of bags nor that of cells shows.
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

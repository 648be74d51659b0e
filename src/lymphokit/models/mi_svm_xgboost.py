"""MI-SVM's share of tumoral cells, beside the clinical attributes, into boosted trees."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from xgboost import XGBClassifier

from lymphokit.bags.checks import require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.segments import segment_mean
from lymphokit.models.boosting import boosted_trees, probabilities
from lymphokit.models.mi_svm import MiSvm


class MiSvmXgboost:
    """Boosted trees on the rate of cells that MI-SVM calls tumoral, age and count.

    scale to backend: of `MiSvm`; trees to scale_pos_weight: of `boosted_trees`.
    cross_fit: parts, stratified by label, in turn left out of an MI-SVM that then rates them, so
    that the trees learn from rates as they will meet them; 0 takes the rates of the MI-SVM that
    was fitted on the very same patients. At most as many parts as the rarer class has patients.

    Fitted on the training patients: `mi_svm_` on all of them, `rates_` (n_bags,) that the trees
    learned from, `booster_`.
    Source: report 5.1.2.
    Departs: cross_fit. MI-SVM usually separates its training patients, and trees that learn from
    such rates trust them more than those of new patients deserve.
    """

    mi_svm_: MiSvm
    rates_: NDArray[np.float64]
    booster_: XGBClassifier

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
        trees: int,
        learning_rate: float,
        max_depth: int,
        scale_pos_weight: float | Literal["balanced"],
        cross_fit: int,
        seed: int,
    ) -> None:
        self.scale = scale
        self.pca = pca
        self.C = C
        self.scale_C = scale_C
        self.max_iterations = max_iterations
        self.restarts = restarts
        self.backend = backend
        self.trees = trees
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.scale_pos_weight = scale_pos_weight
        self.cross_fit = cross_fit
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur, twice each where rates are cross-fitted.
        """
        require_both_classes(labels)
        self.mi_svm_ = self._mi_svm().fit(bags, labels, clinical)
        if self.cross_fit:
            self.rates_ = self._cross_fitted(bags, labels, clinical)
        else:
            self.rates_ = _rates(self.mi_svm_, bags)
        self.booster_ = boosted_trees(
            np.column_stack([self.rates_, clinical.matrix()]),
            labels,
            trees=self.trees,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            scale_pos_weight=self.scale_pos_weight,
            seed=self.seed,
        )
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "booster_")
        attributes = np.column_stack([_rates(self.mi_svm_, bags), clinical.matrix()])
        return probabilities(self.booster_, attributes)

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The MI-SVM margin of each cell, positive on the tumoral side: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "booster_")
        return self.mi_svm_.cell_scores(bags)

    def _mi_svm(self) -> MiSvm:
        return MiSvm(
            scale=self.scale,
            pca=self.pca,
            C=self.C,
            scale_C=self.scale_C,
            max_iterations=self.max_iterations,
            restarts=self.restarts,
            backend=self.backend,
            seed=self.seed,
        )

    def _cross_fitted(
        self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical
    ) -> NDArray[np.float64]:
        """The rate of each patient by an MI-SVM that was fitted without them."""
        parts = min(self.cross_fit, int(np.bincount(labels).min()))
        if parts < 2:
            raise ValueError(
                f"cross_fit: {self.cross_fit} needs at least 2 parts and 2 training patients of "
                "each label; set cross_fit: 0 to rate patients by an MI-SVM that saw them"
            )
        by_name = np.argsort(np.array(bags.ids), kind="stable")  # the parts ignore the bags' order
        folds = StratifiedKFold(parts, shuffle=True, random_state=self.seed)
        rates = np.empty(len(bags))
        for seen, unseen in folds.split(by_name, labels[by_name]):
            kept, rated = np.sort(by_name[seen]), by_name[unseen]
            model = self._mi_svm().fit(bags.take(kept), labels[kept], clinical.take(kept))
            rates[rated] = _rates(model, bags.take(rated))
        return rates


def _rates(model: MiSvm, bags: Bags) -> NDArray[np.float64]:
    """The share of each bag's cells that lie on the tumoral side: (n_bags,)."""
    is_tumoral = (model.cell_scores(bags) > 0.0).astype(np.float64)
    return np.asarray(segment_mean(is_tumoral, bags.offsets), dtype=np.float64)

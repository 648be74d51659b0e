"""The image models of the stain test in every fold, with columns removed from their descriptors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from lymphokit.bags.contract import DescribesBags
from lymphokit.bags.packed import Bags, Clinical, bags_of, clinical_of
from lymphokit.evaluation.log_odds import clipped_log_odds, least_probability
from lymphokit.evaluation.metrics import Floats
from lymphokit.evaluation.out_of_fold import derive_seed
from lymphokit.models.registry import create
from lymphokit.robustness.removal import Removal
from lymphokit.robustness.stain_columns import ALL, column_sets
from lymphokit.solvers.balanced_logistic import BalancedLogistic
from lymphokit.studies.probes import ProbeTarget

PERMUTATIONS = 20  # of the patients, for the control
NONE = "none"  # the set of columns before any removal
# Of the regression on age, count and nuisance columns: they are about as many as 100 patients
# determine with a ridge of this strength.
_NUISANCE_C = 0.1
Positions = NDArray[np.int64]
Versions = dict[tuple[str, str], Floats]


@dataclass(frozen=True)
class Described:
    """Descriptors (n, n_features) of all patients by a model fitted on those at `fitted`.

    predicted: the validation patients of the fold; C: inverse ridge strength of the model.
    """

    repeat: int
    fitted: Positions
    predicted: Positions
    descriptors: Floats
    C: float

    def log_odds(self, labels: NDArray[np.int64], columns: Floats | None = None) -> Floats:
        """Of the validation patients, with columns (n, n_columns) removed: (n_predicted,)."""
        rows = self.descriptors
        if columns is not None:
            removal = Removal.fit(columns[self.fitted], rows[self.fitted])
            rows = removal.residuals(columns, rows)
        regression = BalancedLogistic(self.C).fit(rows[self.fitted], labels[self.fitted])
        return regression.balanced_log_odds(rows[self.predicted])


@dataclass(frozen=True)
class StainCohort:
    """The labelled patients, their folds, and the columns that may be removed.

    sets: of `column_sets`, by name, (n, n_columns) each.
    """

    target: ProbeTarget
    clinical: Clinical
    sets: Mapping[str, Floats]

    @classmethod
    def from_tables(
        cls,
        patients: pd.DataFrame,
        folds: pd.DataFrame,
        colours: pd.DataFrame,
        artefacts: pd.DataFrame,
    ) -> Self:
        """From patients.csv, folds.csv, smear_colours.csv and artefacts.csv.

        Raises LymphokitError where the tables are not those of the same patients.
        """
        labelled = _labelled(patients)
        labels = patients.iloc[labelled].set_index("patient")["label"]
        target = ProbeTarget.from_folds(labels, folds)
        sets = column_sets(target.patients, colours, artefacts)
        return cls(target, clinical_of(patients).take(labelled), sets)

    def folds(self) -> Iterator[tuple[int, int, Positions, Positions]]:
        """Of each fold the number, the repeat from 0, who is fitted on and who is predicted."""
        for repeat, held_out in enumerate(self.target.held_out):
            for fold in np.unique(held_out[held_out >= 0]):
                is_predicted = held_out == fold
                fitted, predicted = np.flatnonzero(~is_predicted), np.flatnonzero(is_predicted)
                yield int(fold), repeat, fitted, predicted

    def nowhere(self, *copies: int) -> Floats:
        """Log odds (*copies, n_repeats, n) of nobody yet."""
        return np.full((*copies, *self.target.held_out.shape), np.nan)

    def described(self, block: Mapping[str, Any], bags: Bags, seed: int) -> Iterator[Described]:
        """The descriptors of each fold, of the very model that the run fits there.

        block: the model's settings, of a kind that describes bags; bags: of these patients.
        """
        for fold, repeat, fitted, predicted in self.folds():
            model = create(block, seed=derive_seed(seed, fold))
            model.fit(bags.take(fitted), self.target.labels[fitted], self.clinical.take(fitted))
            if not isinstance(model, DescribesBags):
                raise TypeError(f"models of kind {block['kind']} have no descriptors of bags")
            yield Described(
                repeat, fitted, predicted, model.descriptors(bags), float(model.settings.C)
            )

    def clinical_log_odds(self, block: Mapping[str, Any]) -> Floats:
        """Log odds by age and count minus those of the prevalence: (n_repeats, n).

        block: settings of a model that reads no cells.
        """
        found = self.nowhere()
        for _, repeat, fitted, predicted in self.folds():
            labels = self.target.labels[fitted]
            nobody = Bags(
                np.zeros((len(fitted), 1)), np.arange(len(fitted) + 1), ("",) * len(fitted)
            )
            model = create(block, seed=0).fit(nobody, labels, self.clinical.take(fitted))
            probabilities = model.predict_proba(nobody, self.clinical.take(predicted))
            found[repeat, predicted] = _beyond_prevalence(probabilities, labels)
        return found

    def known_log_odds(self) -> Floats:
        """Log odds by age, count and all nuisance columns, classes weighing the same."""
        known = np.column_stack([self.clinical.matrix(), self.sets[ALL]])
        found = self.nowhere()
        for _, repeat, fitted, predicted in self.folds():
            mean, deviation = known[fitted].mean(axis=0), known[fitted].std(axis=0)
            rows = (known - mean) / np.where(deviation > 0, deviation, np.inf)
            fold = Described(repeat, fitted, predicted, rows, _NUISANCE_C)
            found[repeat, predicted] = fold.log_odds(self.target.labels)
        return found

    def predicted_log_odds(self, predictions: Sequence[pd.DataFrame]) -> Floats:
        """Log odds minus those of the prevalence from predictions.csv of every fold."""
        found = self.nowhere()
        for (_, repeat, fitted, predicted), rows in zip(self.folds(), predictions, strict=True):
            validation = rows[rows["part"] == "validation"].set_index("patient")["probability"]
            probabilities = validation[[self.target.patients[each] for each in predicted]]
            found[repeat, predicted] = _beyond_prevalence(
                probabilities.to_numpy(np.float64), self.target.labels[fitted]
            )
        return found

    def versions(self, folds: Iterator[Described], seed: int) -> Versions:
        """Balanced log odds by set and quantity, (n_copies, n_repeats, n) each.

        `none, score` is the model as it is; every set has `removed` and `control`, the latter with
        a copy for each permutation of the patients. The same permutations serve every set.
        """
        rng = np.random.default_rng(seed)
        n = len(self.target.labels)
        orders = [rng.permutation(n) for _ in range(PERMUTATIONS)]
        found = {(NONE, "score"): self.nowhere(1)}
        for name in self.sets:
            found[name, "removed"], found[name, "control"] = map(self.nowhere, (1, len(orders)))
        for fold in folds:
            at = fold.repeat, fold.predicted
            found[NONE, "score"][0, *at] = fold.log_odds(self.target.labels)
            for name, columns in self.sets.items():
                found[name, "removed"][0, *at] = fold.log_odds(self.target.labels, columns)
                for copy, order in enumerate(orders):
                    moved = fold.log_odds(self.target.labels, columns[order])
                    found[name, "control"][copy, *at] = moved
        return found


def labelled_bags(patients: pd.DataFrame, features: NDArray[np.floating]) -> Bags:
    """The bags of the labelled patients of patients.csv; features (n_cells, n_features): of all."""
    return bags_of(patients, features).take(_labelled(patients))


def _labelled(patients: pd.DataFrame) -> Positions:
    return np.flatnonzero(patients["part"] == "train")


def _beyond_prevalence(probabilities: Floats, labels: NDArray[np.int64]) -> Floats:
    """Log odds (n,), as far as these training labels support, minus those of the prevalence."""
    odds = clipped_log_odds(probabilities, least_probability(len(labels)))
    return np.asarray(odds - logit(labels.mean()))

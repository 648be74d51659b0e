"""Which models are refitted, what they decide, and whether they are those of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.bags.patients import bags_of, clinical_of, labels_of
from lymphokit.errors import LymphokitError
from lymphokit.evaluation import metrics
from lymphokit.evaluation import threshold as thresholds
from lymphokit.evaluation.metrics import Floats, Labels, Metric
from lymphokit.evaluation.threshold import Rule
from lymphokit.models.pooled_logistic import pooled
from lymphokit.studies.refit import (
    TOLERANCE,
    Batch,
    Models,
    Plan,
    Positions,
    StackRefit,
    Table,
    TableRefit,
    refit,
)

SCORES: tuple[Metric, ...] = ("balanced_accuracy", "auc")


class RefitError(LymphokitError):
    """A refit did not give what the run's own model gave."""


@dataclass(frozen=True)
class Labelled:
    """The training patients, as refits see them.

    patients: their rows of patients.csv; labels (n,); sizes (n,) cells of each bag; models: by
    name, and by `stacked` the stack of each image model with age and count.
    """

    patients: pd.DataFrame
    labels: Labels
    sizes: Positions
    models: Models

    @classmethod
    def of(
        cls,
        patients: pd.DataFrame,
        chosen: Mapping[str, Mapping[str, Any]],
        banks: Mapping[str, NDArray[np.floating]],
        *,
        stack_C: float,
    ) -> "Labelled":
        """From the table of all patients and the models' blocks of config.yaml.

        chosen: of kind clinical_logistic or pooled_logistic, by name; banks: features of all cells
        (n_cells, d), by name; stack_C: inverse ridge strength of the stacks.
        """
        known = np.flatnonzero(patients["part"] == "train")
        clinical = clinical_of(patients).take(known).matrix()
        models: dict[str, TableRefit | StackRefit] = {}
        for name, block in chosen.items():
            if block["kind"] == "clinical_logistic":
                models[name] = TableRefit(Table(clinical, None), block["C"], of_bags=False)
                continue
            rows = pooled(bags_of(patients, banks[block["features"]]))[known]
            models[name] = TableRefit(Table(rows, block["pca"]), block["C"], of_bags=True)
            models[stacked(name)] = StackRefit(name, clinical, stack_C)
        return cls(
            patients.iloc[known].reset_index(drop=True),
            labels_of(patients)[known],
            patients["n_cells"].to_numpy(np.int64)[known],
            models,
        )

    def plan(self, folds: pd.DataFrame) -> Plan:
        """The rows of folds.csv as numbers."""
        return Plan.of(folds, tuple(self.patients["patient"]))

    def clinical_risk(self, plan: Plan) -> Floats | None:
        """The out-of-fold probability of the first model without images: (n,); None without one.

        Averaged over repeats; over the folds a patient is in, where none validates on them.
        """
        for model in self.models.values():
            if isinstance(model, TableRefit) and not model.of_bags:
                said = model.probabilities(Batch.single(self.labels, plan))[0]
                validated = plan.inner < 0
                weights = np.where(validated.any(axis=0), validated, 1.0)
                return np.asarray(np.average(said, axis=0, weights=weights))
        return None


def stacked(name: str) -> str:
    """What the stack of an image model with age and count is called."""
    return f"{name}+clinical"


@dataclass(frozen=True)
class Verdicts:
    """What a model said and decided in one cohort.

    labels (n,); probabilities, decisions, scored (n_folds, n): scored is whether the patient was
    in validation; what is not scored is not to be looked at.
    """

    labels: Labels
    probabilities: Floats
    thresholds: Floats
    decisions: Labels
    scored: NDArray[np.bool_]

    def score(self, metric: Metric, folds: NDArray[np.bool_]) -> float:
        """One score of all patients in validation in these folds (n_folds,), pooled."""
        seen = self.scored & folds[:, None]
        _, patients = np.nonzero(seen)
        return metrics.score(
            metric, self.labels[patients], self.decisions[seen], self.probabilities[seen]
        )

    def scores(self, repeat: Positions) -> dict[str, float]:
        """Every score of `SCORES`, the mean over repeats; repeat (n_folds,)."""
        return {
            metric: float(
                np.mean([self.score(metric, repeat == number) for number in np.unique(repeat)])
            )
            for metric in SCORES
        }


def decide(batch: Batch, probabilities: Floats, rule: Rule) -> list[Verdicts]:
    """The decisions in each cohort, thresholds chosen on inner predictions alone."""
    found = []
    for labels, inner, said in zip(batch.labels, batch.inner, probabilities, strict=True):
        chosen = [
            thresholds.choose(rule, labels[own >= 0], of_fold[own >= 0])
            for own, of_fold in zip(inner, said, strict=True)
        ]
        cuts = np.array(chosen)
        found.append(
            Verdicts(labels, said, cuts, thresholds.decide(said, cuts[:, None]), inner < 0)
        )
    return found


def score_as_it_is(cohort: Labelled, plan: Plan, rule: Rule) -> pd.DataFrame:
    """The scores of the cohort as it is: `model` and a column for each of `SCORES`."""
    batch = Batch.single(cohort.labels, plan)
    return pd.DataFrame(
        [
            {"model": name, **decide(batch, said, rule)[0].scores(plan.repeat)}
            for name, said in refit(cohort.models, batch).items()
        ]
    )


def require_agreement(
    cohort: Labelled, plan: Plan, run: Mapping[str, Sequence[pd.DataFrame]]
) -> None:
    """Raise RefitError where a refit says other than the run's own model.

    run: of each model to be compared its predictions.csv in every fold.
    """
    said = refit(cohort.models, Batch.single(cohort.labels, plan))
    for name, folds in run.items():
        for place, table in enumerate(folds):
            own = table.set_index("patient")["probability"].reindex(cohort.patients["patient"])
            apart = np.abs(own.to_numpy(np.float64) - said[name][0, place]).max()
            if not apart <= TOLERANCE:
                raise RefitError(
                    f"{name}: in fold {place + 1} the refit is {apart:.1g} away from the run's "
                    "own probabilities: its model was fitted with other settings or features; "
                    "delete its folder and run again"
                )

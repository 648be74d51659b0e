"""The refitted cohort, the scores of its refits, and a check that they agree with the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.errors import LymphokitError
from lymphokit.evaluation import metrics
from lymphokit.evaluation import threshold as thresholds
from lymphokit.evaluation.metrics import Floats, Labels, Metric
from lymphokit.evaluation.threshold import Rule
from lymphokit.models.clinical import ClinicalLogisticSettings
from lymphokit.models.pooled_logistic import PooledLogisticSettings, pooled
from lymphokit.models.registry import settings_of
from lymphokit.studies.refit import (
    TOLERANCE,
    Batch,
    Booleans,
    ClinicalRefit,
    FoldPlan,
    Models,
    PooledRefit,
    Positions,
    Refit,
    StackRefit,
    refit,
)

SCORES: tuple[Metric, ...] = ("balanced_accuracy", "auc")


class RefitError(LymphokitError):
    """A refit is impossible, or differs from the run's model."""


@dataclass(frozen=True)
class RefitCohort:
    """The training patients and the models that are refitted on them.

    patients: their rows of patients.csv; labels (n,); sizes (n,) cells of each bag; models: by
    name, and by `stack_name` the stack of each image model with age and count.
    """

    patients: pd.DataFrame
    labels: Labels
    sizes: Positions
    models: Models

    @classmethod
    def from_tables(
        cls,
        patients: pd.DataFrame,
        chosen: Mapping[str, Mapping[str, Any]],
        banks: Mapping[str, NDArray[np.floating]],
        *,
        stack_C: float,
    ) -> Self:
        """From the table of all patients and the models' blocks of config.yaml.

        chosen: of kind clinical_logistic or pooled_logistic, by name; banks: features of all cells
        (n_cells, d), by name; stack_C: inverse ridge strength of the stacks.
        """
        training = np.flatnonzero(patients["part"] == "train")
        clinical = clinical_of(patients).take(training).matrix()
        models: dict[str, Refit] = {}
        for name, block in chosen.items():
            settings = settings_of(block)
            if isinstance(settings, ClinicalLogisticSettings):
                models[name] = ClinicalRefit(clinical, settings.C)
            elif isinstance(settings, PooledLogisticSettings):
                rows = pooled(bags_of(patients, banks[settings.features]))[training]
                models[name] = PooledRefit(rows, settings.pca, settings.C)
                models[stack_name(name)] = StackRefit(name, clinical, stack_C)
            else:
                raise RefitError(f"{name} is of kind {settings.kind}, which cannot be refitted")
        return cls(
            patients.iloc[training].reset_index(drop=True),
            labels_of(patients)[training],
            patients["n_cells"].to_numpy(np.int64)[training],
            models,
        )

    def plan(self, folds: pd.DataFrame) -> FoldPlan:
        """The rows of folds.csv as arrays."""
        return FoldPlan.from_table(folds, tuple(self.patients["patient"]))

    @property
    def clinical_model(self) -> str | None:
        """The name of the first clinical model, if there is one."""
        names = (name for name, model in self.models.items() if isinstance(model, ClinicalRefit))
        return next(names, None)

    def clinical_risk(self, plan: FoldPlan) -> Floats:
        """Out-of-fold probability of the clinical model, averaged over repeats: (n,).

        Patients that are in no validation part get the average of their inner predictions.
        Raises RefitError without a clinical model.
        """
        name = self.clinical_model
        if name is None:
            raise RefitError(
                "no model of kind clinical_logistic predicts the risk by age and count: "
                "add one to permutation.models"
            )
        batch = Batch.unshuffled(self.labels, plan)
        probabilities = refit({name: self.models[name]}, batch)[name][0]
        validated = plan.inner < 0
        weights = np.where(validated.any(axis=0), validated, 1.0)
        return np.asarray(np.average(probabilities, axis=0, weights=weights))


def stack_name(image_model: str) -> str:
    """The name of the stack of an image model with age and count."""
    return f"{image_model}+clinical"


@dataclass(frozen=True)
class RefitDecisions:
    """Predictions and decisions of a model in one cohort.

    labels (n,); thresholds (n_folds,); probabilities, decisions, scored (n_folds, n): scored is
    whether the patient is in validation. Only entries with `scored` count.
    """

    labels: Labels
    probabilities: Floats
    thresholds: Floats
    decisions: Labels
    scored: Booleans

    def scores(self, repeat: Positions) -> dict[str, float]:
        """Every score of `SCORES`, the mean over repeats; repeat (n_folds,)."""
        each = [self._scores(repeat == number) for number in np.unique(repeat)]
        return {metric: float(np.mean([scores[metric] for scores in each])) for metric in SCORES}

    def _scores(self, folds: Booleans) -> dict[Metric, float]:
        """The scores of all validation patients of these folds (n_folds,), pooled."""
        scored = self.scored & folds[:, None]
        _, patients = np.nonzero(scored)
        outcome = self.labels[patients], self.decisions[scored], self.probabilities[scored]
        return {metric: metrics.score(metric, *outcome) for metric in SCORES}


def decide(batch: Batch, probabilities: Floats, rule: Rule) -> list[RefitDecisions]:
    """The decisions in each cohort, thresholds chosen on inner predictions alone."""
    found = []
    for labels, inner, predicted in zip(batch.labels, batch.inner, probabilities, strict=True):
        cuts = np.array(
            [
                thresholds.choose(rule, labels[training], fold[training])
                for training, fold in zip(inner >= 0, predicted, strict=True)
            ]
        )
        decisions = thresholds.decide(predicted, cuts[:, None])
        found.append(RefitDecisions(labels, predicted, cuts, decisions, inner < 0))
    return found


def observed_scores(cohort: RefitCohort, plan: FoldPlan, rule: Rule) -> pd.DataFrame:
    """The scores without a shuffle: `model` and a column for each of `SCORES`."""
    batch = Batch.unshuffled(cohort.labels, plan)
    return pd.DataFrame(
        [
            {"model": name, **decide(batch, probabilities, rule)[0].scores(plan.repeat)}
            for name, probabilities in refit(cohort.models, batch).items()
        ]
    )


def require_agreement(
    cohort: RefitCohort, plan: FoldPlan, predictions: Mapping[str, Sequence[pd.DataFrame]]
) -> None:
    """Raise RefitError where a refit differs from the run's model.

    predictions: for each model to be compared its predictions.csv in every fold.
    """
    refitted = refit(cohort.models, Batch.unshuffled(cohort.labels, plan))
    for name, folds in predictions.items():
        for place, table in enumerate(folds):
            run = table.set_index("patient")["probability"].reindex(cohort.patients["patient"])
            difference = np.abs(run.to_numpy(np.float64) - refitted[name][0, place]).max()
            if not difference <= TOLERANCE:
                raise RefitError(
                    f"{name}: in fold {place + 1} the refit differs by {difference:.1g} from the "
                    "run's probabilities: its model was fitted with other settings or features; "
                    "delete its folder and run again"
                )

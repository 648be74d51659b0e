"""Ablation of D-MIL: the report's table 1 and ours, and learning curves.

Every variant is trained several times on the report's one split and on the K folds. Nothing is
chosen on the scored patients: a network's epoch is that of its lowest loss on a part of the
training patients that it holds out, and the threshold is chosen on these as well. Executions differ
in that part, in the order of the patients, in initial weights and in dropout.
Source: report 5.2.3, table 1, and figures 9 and 10.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.deep_mil.network_settings import DMilSettings
from lymphokit.deep_mil.preparation import label_weights
from lymphokit.deep_mil.replicas import Division, Run, train_replicas
from lymphokit.evaluation import threshold as thresholds
from lymphokit.evaluation.metrics import Metric, log_loss, score
from lymphokit.evaluation.threshold import Rule
from lymphokit.progress import track

# The rows of table 1, then the optimizers of 5.2.2 a, for which the report gives no figures.
VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "D-MIL": {},
        "Without PCA and StandardScaler": {"scale": False, "pca": None},
        "Without Clinical Data": {"clinical_hidden": []},
        "With segmented images": {"features": "segmented"},
        "Max as aggregation": {"aggregation": "max"},
        "(Mean,Std) as aggregation": {"aggregation": "mean_std"},
        "RMSprop as optimizer": {"optimizer": "rmsprop"},
        "SGD as optimizer": {"optimizer": "sgd"},
    }
)
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "balanced_accuracy": "balanced_accuracy",
        "f1": "f1",
        "recall": "recall",
        "precision": "precision",
        "loss": "log_loss",
    }
)
NAIVE = "naive_balanced_accuracy"

# Variant and metric; mean, standard deviation and best of 7 executions.
# Source: report, table 1.
TABLE_1 = (
    ("D-MIL", "balanced_accuracy", 0.759, 0.036, 0.834),
    ("D-MIL", "f1", 0.845, 0.015, 0.888),
    ("D-MIL", "recall", 0.8322, 0.027, 0.869),
    ("D-MIL", "precision", 0.860, 0.030, 0.909),
    ("D-MIL", "loss", 0.535, 0.048, 0.497),
    ("Without PCA and StandardScaler", "balanced_accuracy", 0.523, 0.231, 0.756),
    ("Without PCA and StandardScaler", "f1", 0.594, 0.276, 0.875),
    ("Without PCA and StandardScaler", "recall", 0.590, 0.276, 0.913),
    ("Without PCA and StandardScaler", "precision", 0.600, 0.280, 0.857),
    ("Without PCA and StandardScaler", "loss", 0.396, 0.121, 0.157),
    ("Without Clinical Data", "balanced_accuracy", 0.745, 0.041, 0.806),
    ("Without Clinical Data", "f1", 0.831, 0.030, 0.893),
    ("Without Clinical Data", "recall", 0.813, 0.050, 0.913),
    ("Without Clinical Data", "precision", 0.851, 0.028, 0.894),
    ("Without Clinical Data", "loss", 0.621, 0.049, 0.564),
    ("With segmented images", "balanced_accuracy", 0.681, 0.046, 0.741),
    ("With segmented images", "f1", 0.818, 0.054, 0.884),
    ("With segmented images", "recall", 0.843, 0.115, 1.000),
    ("With segmented images", "precision", 0.803, 0.032, 0.857),
    ("With segmented images", "loss", 0.552, 0.038, 0.516),
    ("Max as aggregation", "balanced_accuracy", 0.657, 0.029, 0.719),
    ("Max as aggregation", "f1", 0.795, 0.019, 0.833),
    ("Max as aggregation", "recall", 0.801, 0.045, 0.869),
    ("Max as aggregation", "precision", 0.792, 0.024, 0.850),
    ("Max as aggregation", "loss", 0.564, 0.021, 0.532),
    ("(Mean,Std) as aggregation", "balanced_accuracy", 0.745, 0.033, 0.806),
    ("(Mean,Std) as aggregation", "f1", 0.856, 0.030, 0.893),
    ("(Mean,Std) as aggregation", "recall", 0.875, 0.063, 0.913),
    ("(Mean,Std) as aggregation", "precision", 0.840, 0.023, 0.875),
    ("(Mean,Std) as aggregation", "loss", 0.522, 0.016, 0.493),
)


@dataclass(frozen=True)
class AblationCohort:
    """The training patients: their bags by name of the bank, labels (n,), clinical attributes."""

    bags: Mapping[str, Bags]
    labels: NDArray[np.int64]
    clinical: Clinical

    def train(
        self, settings: DMilSettings, divisions: Iterable[Division], executions: int, seed: int
    ) -> list[list[Run]]:
        """Train D-MIL with these settings several times on each division."""
        return train_replicas(
            settings,
            self.bags[settings.features],
            self.labels,
            self.clinical,
            list(divisions),
            executions=executions,
            seed=seed,
        )


def ablate(
    model: DMilSettings,
    cohort: AblationCohort,
    schemes: Mapping[str, pd.DataFrame],
    *,
    segmented_features: str,
    executions: int,
    rule: Rule,
    seed: int,
) -> pd.DataFrame:
    """Train every variant of a D-MIL `executions` times on every fold of every scheme.

    schemes: rows of folds.csv by the name of the scheme; segmented_features: the bank of segmented
    images; rule: that of the threshold.
    Returns a row for each execution and fold: `variant, scheme, execution, fold, threshold, epoch`,
    the scores of METRICS (`loss`: cross-entropy of the scored patients, weighted by label as in
    training, with the weights of the training part, where the model has `weighted_loss`), and
    `naive_balanced_accuracy`, that of the best epoch at probability 0.5, which is optimistic: its
    epoch is chosen on the scored patients.
    """
    rows: list[dict[str, Any]] = []
    for name, changes in track(VARIANTS.items(), "variants of D-MIL", total=len(VARIANTS)):
        features = {"features": segmented_features} if "features" in changes else {}
        settings = model.model_copy(update={**changes, **features})
        divisions = _divisions(schemes, cohort.bags[settings.features].ids)
        runs = cohort.train(settings, divisions.values(), executions, seed)
        for ((scheme, fold), division), replicas in zip(divisions.items(), runs, strict=True):
            for execution, run in enumerate(replicas, start=1):
                row = {"variant": name, "scheme": scheme, "execution": execution, "fold": fold}
                weights = label_weights(cohort.labels[division.training], settings.weighted_loss)
                rows.append(row | _scores(run, cohort.labels, division, rule, weights))
    return pd.DataFrame(rows)


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation and best over executions, and those of the report.

    An execution's score is the mean over the folds of its scheme. Rows `variant, source, metric,
    mean, std, best`, source the scheme or `report`; std is the sample's (NaN for one
    execution), best the highest value, for the loss the lowest.
    """
    metrics = [*METRICS, NAIVE]
    by_execution = scores.groupby(["variant", "scheme", "execution"], sort=False)[metrics].mean()
    long = by_execution.melt(var_name="metric", ignore_index=False).reset_index()
    groups = long.groupby(["variant", "scheme", "metric"], sort=False)["value"]
    ours = groups.agg(["mean", "std", "min", "max"]).reset_index()
    ours["best"] = np.where(ours["metric"] == "loss", ours["min"], ours["max"])
    ours = ours.rename(columns={"scheme": "source"}).drop(columns=["min", "max"])
    report = pd.DataFrame(TABLE_1, columns=["variant", "metric", "mean", "std", "best"])
    report.insert(1, "source", "report")
    return pd.concat([report, ours], ignore_index=True)


def learning_curves(
    model: DMilSettings, cohort: AblationCohort, split: pd.DataFrame, *, executions: int, seed: int
) -> pd.DataFrame:
    """Loss and balanced accuracy after each epoch, averaged over executions on one split.

    Without early stopping; the learning rate falls with the loss on the held-out training patients.
    Rows `epoch, part, n_patients, metric, mean, std`; part `training` (during the steps of the
    epoch, with dropout) or `validation` (the scored patients, after the epoch); metric
    `balanced_accuracy` at probability 0.5 or `loss`, weighted as in training.
    Source: report, figures 9 and 10.
    """
    settings = model.model_copy(update={"early_stopping": model.max_epochs})
    (division,) = _divisions({"split": split}, cohort.bags[settings.features].ids).values()
    (runs,) = cohort.train(settings, [division], executions, seed)
    # Every network holds out another part of the training patients, of about the same size.
    n_held_out = np.isfinite(runs[0].held_out).sum() // settings.members
    n_learned, n_scored = division.training.sum() - n_held_out, division.scored.sum()
    history = pd.concat([run.history for run in runs])
    curves = []
    for name, part, n in (("learned", "training", n_learned), ("scored", "validation", n_scored)):
        rows = history[history["part"] == name]
        long = rows.melt("epoch", ["loss", "balanced_accuracy"], var_name="metric")
        by_epoch = long.groupby(["metric", "epoch"], sort=False)["value"]
        curve = by_epoch.agg(["mean", "std"]).reset_index()
        curves.append(curve.assign(part=part, n_patients=n))
    columns = ["epoch", "part", "n_patients", "metric", "mean", "std"]
    return pd.concat(curves, ignore_index=True)[columns]


def _divisions(
    schemes: Mapping[str, pd.DataFrame], patients: Sequence[str]
) -> dict[tuple[str, int], Division]:
    """The division of the patients in every fold, by scheme and number of the fold."""
    divisions = {}
    for scheme, folds in schemes.items():
        for fold, rows in folds.groupby("fold"):
            part_of = rows.set_index("patient")["part"].reindex(list(patients))
            training, scored = ((part_of == part).to_numpy() for part in ("train", "validation"))
            divisions[scheme, int(str(fold))] = Division(training, scored)
    return divisions


def _scores(
    run: Run,
    labels: NDArray[np.int64],
    division: Division,
    rule: Rule,
    weights: NDArray[np.float32],
) -> dict[str, float]:
    """Threshold, epoch and scores of a run on the scored patients of its division.

    weights (2,): of the losses of label 0 and label 1.
    """
    known, truth = np.isfinite(run.held_out), labels[division.scored]
    threshold = thresholds.choose(rule, labels[known], run.held_out[known])
    probabilities = run.scored[division.scored]
    decisions = thresholds.decide(probabilities, threshold)
    scores = {
        name: score(metric, truth, decisions, probabilities) for name, metric in METRICS.items()
    }
    # Mean of weight x loss, as the training has it: not divided by the sum of the weights.
    weight_of = weights[truth].astype(np.float64)
    scores["loss"] = float(log_loss(truth, probabilities, weight_of[None])[0] * weight_of.mean())
    of_members = run.history[run.history["part"] == "scored"].groupby("member")
    naive = of_members["balanced_accuracy"].max().mean()
    return {"threshold": threshold, "epoch": run.epochs.mean(), **scores, NAIVE: naive}

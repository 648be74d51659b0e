"""Ablation of D-MIL: the report's table 1 and ours, and learning curves.

Every variant is trained several times on the report's one split and on the K folds. Nothing is
chosen on the scored patients: a network's epoch is that of its lowest loss on a part of the
training patients that it holds out, and the threshold is chosen on these as well.
Source: report 5.2.3, table 1, and figures 9 and 10.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.deep_mil.network_settings import DMilSettings
from lymphokit.deep_mil.replicas import Division, Run, train_replicas
from lymphokit.evaluation import threshold as thresholds
from lymphokit.evaluation.metrics import Metric, score
from lymphokit.evaluation.threshold import Rule
from lymphokit.progress import track

VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "D-MIL": {},
        "Without PCA and StandardScaler": {"scale": False, "pca": None},
        "Without Clinical Data": {"clinical_hidden": []},
        "With segmented images": {"features": "segmented"},
        "Max as aggregation": {"aggregation": "max"},
        "(Mean,Std) as aggregation": {"aggregation": "mean_std"},
    }
)
METRICS = ("balanced_accuracy", "f1", "recall", "precision", "loss")
NAIVE = "naive_balanced_accuracy"

# Mean, standard deviation and best of 7 executions, in the order of METRICS.
# Source: report, table 1.
TABLE_1: Mapping[str, tuple[tuple[float, float, float], ...]] = MappingProxyType(
    {
        "D-MIL": (
            (0.759, 0.036, 0.834),
            (0.845, 0.015, 0.888),
            (0.8322, 0.027, 0.869),
            (0.860, 0.030, 0.909),
            (0.535, 0.048, 0.497),
        ),
        "Without PCA and StandardScaler": (
            (0.523, 0.231, 0.756),
            (0.594, 0.276, 0.875),
            (0.590, 0.276, 0.913),
            (0.600, 0.280, 0.857),
            (0.396, 0.121, 0.157),
        ),
        "Without Clinical Data": (
            (0.745, 0.041, 0.806),
            (0.831, 0.030, 0.893),
            (0.813, 0.050, 0.913),
            (0.851, 0.028, 0.894),
            (0.621, 0.049, 0.564),
        ),
        "With segmented images": (
            (0.681, 0.046, 0.741),
            (0.818, 0.054, 0.884),
            (0.843, 0.115, 1.000),
            (0.803, 0.032, 0.857),
            (0.552, 0.038, 0.516),
        ),
        "Max as aggregation": (
            (0.657, 0.029, 0.719),
            (0.795, 0.019, 0.833),
            (0.801, 0.045, 0.869),
            (0.792, 0.024, 0.850),
            (0.564, 0.021, 0.532),
        ),
        "(Mean,Std) as aggregation": (
            (0.745, 0.033, 0.806),
            (0.856, 0.030, 0.893),
            (0.875, 0.063, 0.913),
            (0.840, 0.023, 0.875),
            (0.522, 0.016, 0.493),
        ),
    }
)


@dataclass(frozen=True)
class AblationCohort:
    """The training patients: their bags by name of the bank, labels (n,), clinical attributes."""

    bags: Mapping[str, Bags]
    labels: NDArray[np.int64]
    clinical: Clinical

    def train(
        self, settings: DMilSettings, divisions: Sequence[Division], executions: int, seed: int
    ) -> list[list[Run]]:
        """Train D-MIL with these settings several times on each division."""
        bags = self.bags[settings.features]
        return train_replicas(
            settings,
            bags,
            self.labels,
            self.clinical,
            divisions,
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
    the scores of METRICS (`loss`: unweighted cross-entropy of the scored patients), and
    `naive_balanced_accuracy`, that of the best epoch at probability 0.5, which is optimistic: its
    epoch is chosen on the scored patients.
    """
    tables = []
    for name, changes in track(VARIANTS.items(), "variants of D-MIL", total=len(VARIANTS)):
        features = {"features": segmented_features} if "features" in changes else {}
        settings = model.model_copy(update={**changes, **features})
        places, divisions = _divisions(schemes, cohort.bags[settings.features].ids)
        runs = cohort.train(settings, divisions, executions, seed)
        table = _scores(runs, cohort.labels, divisions, rule)
        table.insert(0, "variant", name)
        scheme, fold = zip(*(places[place] for place in table.pop("division")), strict=True)
        table.insert(1, "scheme", scheme)
        table.insert(3, "fold", fold)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


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
    return pd.concat([_report_rows(), ours], ignore_index=True)


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
    _, divisions = _divisions({"split": split}, cohort.bags[settings.features].ids)
    (runs,) = cohort.train(settings, divisions, executions, seed)
    n_scored, n_training = divisions[0].scored.sum(), divisions[0].training.sum()
    # Every network holds out another part of the training patients, of about the same size.
    n_learned = n_training - np.isfinite(runs[0].held_out).sum() // settings.members
    history = pd.concat([run.history for run in runs])
    tables = []
    for name, part, n in (("learned", "training", n_learned), ("scored", "validation", n_scored)):
        epochs = history[history["part"] == name].groupby("epoch")
        for metric in ("loss", "balanced_accuracy"):
            mean = epochs[metric].mean()
            columns = {
                "epoch": mean.index,
                "part": part,
                "n_patients": n,
                "metric": metric,
                "mean": mean.to_numpy(),
                "std": epochs[metric].std().to_numpy(),
            }
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _divisions(
    schemes: Mapping[str, pd.DataFrame], patients: Sequence[str]
) -> tuple[list[tuple[str, int]], list[Division]]:
    """Scheme and number of every fold, and its division of the patients."""
    places, divisions = [], []
    for scheme, folds in schemes.items():
        for fold, rows in folds.groupby("fold"):
            part_of = rows.set_index("patient")["part"].reindex(list(patients))
            places.append((scheme, int(str(fold))))
            training, scored = ((part_of == part).to_numpy() for part in ("train", "validation"))
            divisions.append(Division(training, scored))
    return places, divisions


def _scores(
    runs: Sequence[Sequence[Run]],
    labels: NDArray[np.int64],
    divisions: Sequence[Division],
    rule: Rule,
) -> pd.DataFrame:
    """A row for each execution and division, the division by its position."""
    rows = []
    for place, division in enumerate(divisions):
        for execution, run in enumerate(runs[place], start=1):
            known = np.isfinite(run.held_out)
            threshold = thresholds.choose(rule, labels[known], run.held_out[known])
            scores = _score(labels[division.scored], run.scored[division.scored], threshold)
            row = {"execution": execution, "division": place, "threshold": threshold}
            of_members = run.history[run.history["part"] == "scored"].groupby("member")
            naive = of_members["balanced_accuracy"].max().mean()
            rows.append({**row, "epoch": run.epochs.mean(), **scores, NAIVE: naive})
    return pd.DataFrame(rows)


def _score(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], threshold: float
) -> dict[str, float]:
    decisions = thresholds.decide(probabilities, threshold)
    names: tuple[Metric, ...] = ("balanced_accuracy", "f1", "recall", "precision", "log_loss")
    scores = [score(name, labels, decisions, probabilities) for name in names]
    return dict(zip(METRICS, scores, strict=True))


def _report_rows() -> pd.DataFrame:
    columns = ["variant", "source", "metric", "mean", "std", "best"]
    rows = [
        (variant, "report", metric, *figures)
        for variant, table in TABLE_1.items()
        for metric, figures in zip(METRICS, table, strict=True)
    ]
    return pd.DataFrame(rows, columns=columns)

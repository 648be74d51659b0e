"""Coverage of bootstrap intervals of cross-validated scores: logistic regression on few patients.

    python benchmarks/interval_coverage.py [--cohorts 300] [--features 2 10 50] [--signal 0]

Why the package widens its intervals. Cohorts of 100 patients, 69 of them tumoral; all features are
noise, except that the mean of the first differs between the labels by --signal deviations. Each
cohort is scored twice by the same models and the same threshold rule: in five folds with five inner
folds, and on new patients. Both scores get intervals over resampled patients only; that of the
folds also gets the package's, widened as Nadeau and Bengio (2003) propose. The true score is that
of models of as many patients on other patients: without signal 0.5, else the mean over the models
of the cohorts, each on FRESH new patients.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from coverage_study import miss_rate, widened
from lymphokit.evaluation import metrics, threshold
from lymphokit.evaluation.intervals import percentile_interval
from lymphokit.evaluation.metrics import Metric
from lymphokit.evaluation.uncertainty import COLUMNS_OF, patient_draws, widening
from lymphokit.models.cross_fit import held_out_parts
from lymphokit.pseudo_labels.head_learner import fit_head
from lymphokit.pseudo_labels.selection import probability
from lymphokit.solvers.logistic import Logistic

PATIENTS, TUMORAL, FOLDS, RIDGE, RULE = 100, 69, 5, 0.01, "midpoint"
RESAMPLES, LEVEL, CHANCE, FRESH = 1000, 0.95, 0.5, 2000
PAIR: tuple[Metric, ...] = ("balanced_accuracy", "auc")
WIDER = widening(FOLDS, FOLDS - 1)
IDS = [f"{patient:03d}" for patient in range(PATIENTS)]
LABELS = np.arange(PATIENTS) < TUMORAL
Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def fit(features: Floats, labels: Labels, ids: list[str], seed: int) -> tuple[Logistic, float]:
    """A regression on all these patients, and the threshold chosen on inner folds."""
    inner = np.empty(len(labels))
    for seen, unseen in held_out_parts(ids, labels, parts=FOLDS, seed=seed):
        inner[unseen] = predict(fit_head(features[seen], labels[seen], RIDGE), features[unseen])
    return fit_head(features, labels, RIDGE), threshold.choose(RULE, labels, inner)


def predict(head: Logistic, features: Floats) -> Floats:
    return probability(head.log_odds(features))


def patients(labels: Labels, n_features: int, signal: float, rng: np.random.Generator) -> Floats:
    """Features (n, n_features) of patients with these labels."""
    features = rng.normal(size=(len(labels), n_features))
    features[:, 0] += signal * labels
    return features


def in_folds(features: Floats, labels: Labels, seed: int) -> tuple[Floats, Labels, Logistic, float]:
    """Out-of-fold probabilities and decisions of all patients, and the model of one fold."""
    probabilities, decided = np.empty(PATIENTS), np.empty(PATIENTS, dtype=np.int64)
    for seen, unseen in held_out_parts(IDS, labels, parts=FOLDS, seed=seed):
        ids = [IDS[patient] for patient in seen]
        head, cut = fit(features[seen], labels[seen], ids, seed)
        probabilities[unseen] = predict(head, features[unseen])
        decided[unseen] = threshold.decide(probabilities[unseen], cut)
    return probabilities, decided, head, cut


def row(labels: Labels, probabilities: Floats, decided: Labels, draws: Floats) -> dict[str, float]:
    """Scores, and intervals over resampled patients only."""
    found = {}
    for metric in PAIR:
        column, low, high = COLUMNS_OF[metric]
        resampled = metrics.resampled(metric, labels, decided, probabilities, draws)
        found[column] = metrics.score(metric, labels, decided, probabilities)
        found[low], found[high] = percentile_interval(resampled, LEVEL)
    cut = threshold.choose("balanced_accuracy", labels, probabilities)
    best = threshold.decide(probabilities, cut)
    naive = metrics.score("balanced_accuracy", labels, best, probabilities)
    return {**found, "naive": naive}


def cohort(seed: int, n_features: int, signal: float, draws: Floats) -> Iterator[dict[str, Any]]:
    """Scores of the cohort in folds, of its last model on as many new patients, and on FRESH."""
    rng, labels = np.random.default_rng([seed, n_features]), LABELS.astype(np.int64)
    make = partial(patients, n_features=n_features, signal=signal, rng=rng)
    probabilities, decided, head, cut = in_folds(make(labels), labels, seed)
    yield {"cohort": seed, "where": "in folds", **row(labels, probabilities, decided, draws)}
    fresh = predict(head, make(labels))
    called = threshold.decide(fresh, cut)
    yield {"cohort": seed, "where": "fresh", **row(labels, fresh, called, draws)}
    many = np.resize(labels, FRESH)
    fresh = predict(head, make(many))
    called = threshold.decide(fresh, cut)
    scores = {COLUMNS_OF[metric][0]: metrics.score(metric, many, called, fresh) for metric in PAIR}
    yield {"cohort": seed, "where": "truth", **scores}


def lines(cohorts: int, n_features: int, signal: float) -> Iterator[tuple[str, ...]]:
    """How often the intervals of these cohorts miss, a line for each score and kind of interval."""
    draws = patient_draws(LABELS.astype(np.int64), resamples=RESAMPLES, seed=0)
    seeds = range(1, cohorts + 1)
    rows = pd.DataFrame([one for seed in seeds for one in cohort(seed, n_features, signal, draws)])
    rows_of = dict(iter(rows.groupby("where")))
    for metric in PAIR:
        column = COLUMNS_OF[metric][0]
        truth = float(rows_of["truth"][column].mean()) if signal else CHANCE
        kinds = {
            f"{FOLDS} folds": rows_of["in folds"],
            f"{FOLDS} folds, {WIDER:g} times as wide": widened(rows_of["in folds"], metric, WIDER),
            "new patients": rows_of["fresh"],
        }
        for kind, scored in kinds.items():
            found = [
                miss_rate(scored, metric, truth=truth, level=LEVEL, side=side)
                for side in ("above", "below", "either")
            ]
            either = f"{found[-1].estimate:.1%} [{found[-1].low:.1%}, {found[-1].high:.1%}]"
            sides = (f"{one.estimate:.1%}" for one in found[:2])
            yield (
                str(n_features),
                metric,
                f"{truth:.3f}",
                kind,
                f"{scored[column].mean():.3f}",
                *sides,
                either,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=300)
    parser.add_argument("--features", type=int, nargs="+", default=[2, 10, 50])
    parser.add_argument("--signal", type=float, default=0.0)
    arguments = parser.parse_args()
    title = (
        f"{LEVEL:.0%} intervals that miss, {arguments.cohorts} cohorts, signal {arguments.signal:g}"
    )
    table = Table(
        "features", "score", "truth", "scored on", "mean", "above", "below", "either", title=title
    )
    with threadpool_limits(1):
        for n_features in arguments.features:
            for line in lines(arguments.cohorts, n_features, arguments.signal):
                table.add_row(*line)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()

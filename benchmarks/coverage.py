"""Why intervals around cross-validated scores are too narrow: logistic regression on noise.

    python benchmarks/coverage.py [--cohorts 300] [--features 2 10 50]

Cohorts of 100 patients, 69 of them tumoral, with features that are noise. Each is scored twice by
the same models and the same rule of thresholds: in five folds with five inner folds, and on 100
patients whom no model learned from. Both get the package's intervals over resampled patients,
and those of the folds also intervals as much wider as Nadeau and Bengio (2003) propose. Every
true score is 0.5, whatever was fitted.
"""

import argparse
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from threadpoolctl import threadpool_limits

from lymphokit.evaluation import metrics, threshold
from lymphokit.evaluation.coverage import widened
from lymphokit.evaluation.uncertainty import COLUMNS_OF, patient_draws
from lymphokit.figures.coverage import PANELS, coverage_terminal_table
from lymphokit.mil.cell_choice import probability
from lymphokit.mil.cross_fit import held_out_parts
from lymphokit.mil.ridge_logistic import LinearHead, fit_head

PATIENTS, TUMORAL, FOLDS, RIDGE, RULE = 100, 69, 5, 0.01, "midpoint"
RESAMPLES, LEVEL, CHANCE = 1000, 0.95, 0.5
WIDER = float(np.sqrt(1 + FOLDS / (FOLDS - 1)))
IDS = [f"{patient:03d}" for patient in range(PATIENTS)]
LABELS = np.arange(PATIENTS) < TUMORAL
Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def learned(
    features: Floats, labels: Labels, ids: list[str], seed: int
) -> tuple[LinearHead, float]:
    """A regression on all these patients, and the threshold from its inner folds."""
    inner = np.empty(len(labels))
    for seen, unseen in held_out_parts(ids, labels, parts=FOLDS, seed=seed):
        inner[unseen] = said(fit_head(features[seen], labels[seen], RIDGE), features[unseen])
    return fit_head(features, labels, RIDGE), threshold.choose(RULE, labels, inner)


def said(head: LinearHead, features: Floats) -> Floats:
    return probability(head.log_odds(features))


def cohort(seed: int, n_features: int) -> Iterator[tuple[str, Floats, Labels]]:
    """Probabilities and decisions of the patients in folds, then of fresh patients."""
    rng = np.random.default_rng([seed, n_features])
    labels = LABELS.astype(np.int64)
    features, others = rng.normal(size=(2, PATIENTS, n_features))
    probabilities, decided = np.empty(PATIENTS), np.empty(PATIENTS, dtype=np.int64)
    for seen, unseen in held_out_parts(IDS, labels, parts=FOLDS, seed=seed):
        ids = [IDS[patient] for patient in seen]
        head, cut = learned(features[seen], labels[seen], ids, seed)
        probabilities[unseen] = said(head, features[unseen])
        decided[unseen] = threshold.decide(probabilities[unseen], cut)
    yield f"{FOLDS} folds", probabilities, decided
    fresh = said(head, others)
    yield "fresh", fresh, threshold.decide(fresh, cut)


def row(probabilities: Floats, decided: Labels, draws: Floats) -> dict[str, float]:
    """Scores and intervals as the score table has them."""
    labels, found = LABELS.astype(np.int64), {}
    for metric, _ in PANELS:
        column, low, high = COLUMNS_OF[metric]
        resampled = metrics.resampled(metric, labels, decided, probabilities, draws)
        found[column] = metrics.score(metric, labels, decided, probabilities)
        found[low], found[high] = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    cut = threshold.choose("balanced_accuracy", labels, probabilities)
    best = threshold.decide(probabilities, cut)
    naive = metrics.score("balanced_accuracy", labels, best, probabilities)
    return {**found, "naive": naive}


def scores_of(cohorts: int, n_features: int) -> pd.DataFrame:
    """The score tables of these cohorts: in folds, the same wider, and on fresh patients."""
    draws = patient_draws(LABELS.astype(np.int64), resamples=RESAMPLES, seed=0)
    table = pd.DataFrame(
        [
            {"cohort": seed, "model": f"{n_features} features, {where}", **row(p, decided, draws)}
            for seed in range(1, cohorts + 1)
            for where, p, decided in cohort(seed, n_features)
        ]
    )
    wide = table[~table["model"].str.endswith("fresh")]
    for metric, _ in PANELS:
        wide = widened(wide, metric, WIDER)
    return pd.concat([table, wide.assign(model=wide["model"] + f", {WIDER:g} times as wide")])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=300)
    parser.add_argument("--features", type=int, nargs="+", default=[2, 10, 50])
    arguments = parser.parse_args()
    with threadpool_limits(1):
        tables = [scores_of(arguments.cohorts, n_features) for n_features in arguments.features]
    scores = pd.concat(tables, ignore_index=True)
    table = coverage_terminal_table(scores, truth=CHANCE, level=LEVEL)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()

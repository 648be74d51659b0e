"""Permutation test: stacked refits against joblib over the models' classes.

    python benchmarks/refit.py [--stacked 50] [--classes 20] [--features 50]

121 patients, five folds, five inner folds and the whole training part of each, for a clinical
model, a pooled model and their stack, as in `snakemake permutation`: labels shuffled with new
folds, and bags shuffled on the same folds. Each way runs in one process on one core (CPU seconds)
and in two processes (wall seconds, which other load on the machine distorts), scaled to 1,000
shuffles of labels and three times 1,000 of bags. The probabilities of both ways are compared on
the same shuffles; the ratio is printed last.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lymphokit.bags.packed import Bags, Clinical, bags_of, clinical_of
from lymphokit.cohort.folds import make_folds
from lymphokit.ensemble.blend import Stack
from lymphokit.models.registry import create
from lymphokit.studies.refit import (
    TOLERANCE,
    Batch,
    ClinicalRefit,
    RefitCohort,
    refit,
    stack_name,
)

PATIENTS, TUMORAL, BATCH, STACK_C = 121, 84, 25, 0.1
SHUFFLES = {"labels": 1000, "bags": 3000}  # in a permutation test
FOLDS: dict[str, Any] = {
    "scheme": "kfold",
    "k": 5,
    "repeats": 1,
    "validation": 0.2,
    "inner": 5,
    "stratify": ["label", "gender", "age", "count"],
    "age_edge_years": "median",
    "count_edge_giga_per_litre": "median",
    "seed": 1,
}
MODELS: Mapping[str, Mapping[str, Any]] = {
    "clinical": {"kind": "clinical_logistic", "enabled": True, "C": 1.0},
    "pooled": {
        "kind": "pooled_logistic",
        "enabled": True,
        "features": "bank",
        "pca": 32,
        "C": 1.0,
    },
}
STACK = stack_name("pooled")
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Way = Callable[[RefitCohort, Bags, str, Sequence[int]], dict[str, Floats]]


def simulated(features: int) -> tuple[RefitCohort, Bags]:
    """Patients whose age predicts the label, and bags that do not."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(16, 41, PATIENTS)
    label = rng.permutation((np.arange(PATIENTS) < TUMORAL).astype(int))
    columns = {
        "patient": [f"P{number}" for number in range(PATIENTS)],
        "part": "train",
        "label": label,
        "gender": rng.choice(["F", "M"], PATIENTS),
        "age_years": 60 + 10 * (rng.normal(size=PATIENTS) + label),
        "lymphocytes_giga_per_litre": np.exp(rng.normal(2, 0.8, PATIENTS)),
        "n_cells": sizes,
    }
    patients = pd.DataFrame(columns)
    shift = 0.5 * rng.normal(size=(PATIENTS, features)).repeat(sizes, axis=0)
    bank = (rng.normal(size=shift.shape) + shift).astype(np.float32)
    cohort = RefitCohort.from_tables(patients, MODELS, {"bank": bank}, stack_C=STACK_C)
    return cohort, bags_of(patients, bank)


def batches(cohort: RefitCohort, kind: str, numbers: Sequence[int], size: int) -> Iterator[Batch]:
    """The shuffled cohorts, `size` in a batch."""
    plain = cohort.batch(make_folds(cohort.patients, **FOLDS))
    for first in range(0, len(numbers), size):
        drawn = []
        for number in numbers[first : first + size]:
            order = np.random.default_rng(number).permutation(PATIENTS)
            if kind == "bags":
                drawn.append((cohort.labels, order, plain.inner[0]))
                continue
            labels = cohort.labels[order]
            new_folds = make_folds(cohort.patients.assign(label=labels), **FOLDS)
            drawn.append((labels, np.arange(PATIENTS), cohort.batch(new_folds).inner[0]))
        yield Batch(*(np.stack(each) for each in zip(*drawn, strict=True)), plain.repeat)


def names(cohort: RefitCohort, kind: str) -> list[str]:
    """The models to refit: a shuffle of bags does not change the clinical model."""
    return [
        name
        for name, model in cohort.models.items()
        if kind == "labels" or not isinstance(model, ClinicalRefit)
    ]


def stacked(
    cohort: RefitCohort,
    bags: Bags,  # noqa: ARG001
    kind: str,
    numbers: Sequence[int],
) -> dict[str, Floats]:
    """Probabilities of every model after these shuffles: (n_shuffles, n_folds, n)."""
    models = {name: cohort.models[name] for name in names(cohort, kind)}
    found = [refit(models, batch) for batch in batches(cohort, kind, numbers, BATCH)]
    return {name: np.concatenate([each[name] for each in found]) for name in models}


def classes(
    cohort: RefitCohort, bags: Bags, kind: str, numbers: Sequence[int]
) -> dict[str, Floats]:
    """The same by the models' classes, one fit after the other."""
    clinical, n_folds = clinical_of(cohort.patients), FOLDS["k"]
    found = {name: np.empty((len(numbers), n_folds, PATIENTS)) for name in names(cohort, kind)}
    for place, batch in enumerate(batches(cohort, kind, numbers, 1)):
        taken = bags.take(batch.bags[0])
        shuffled = Bags(taken.instances, taken.offsets, bags.ids)
        for fold in range(n_folds):
            for name, rows in found.items():
                probabilities = rows[place, fold]
                for masks in batch.fits(fold):
                    fitted, predicted = (np.flatnonzero(mask) for mask in masks)
                    inputs = found["pooled"][place, fold] if name == STACK else shuffled
                    probabilities[predicted] = fit_predict(
                        name, inputs, batch.labels[0], clinical, fitted, predicted
                    )
    return found


def fit_predict(
    name: str,
    inputs: Bags | Floats,
    labels: Integers,
    clinical: Clinical,
    fitted: Integers,
    predicted: Integers,
) -> Floats:
    """Probabilities of some patients by a model's class fitted on others; inputs: of all."""
    if isinstance(inputs, Bags):
        model = create(MODELS[name], seed=0)
        model.fit(inputs.take(fitted), labels[fitted], clinical.take(fitted))
        return model.predict_proba(inputs.take(predicted), clinical.take(predicted))
    stack = Stack(models=["pooled"], image_models=["pooled"], C=STACK_C)
    stack.fit(inputs[fitted, None], labels[fitted], clinical.take(fitted))
    return stack.predict_proba(inputs[predicted, None], clinical.take(predicted))


def two_processes(way: Way, cohort: RefitCohort, bags: Bags, kind: str, n: int) -> float:
    """Wall seconds of a shuffle in two processes of one thread each."""
    with parallel_config("loky", inner_max_num_threads=1), Parallel(n_jobs=2) as pool:
        pool(delayed(way)(cohort, bags, kind, range(1)) for _ in range(2))  # imports: not timed
        began = time.perf_counter()
        pool(delayed(way)(cohort, bags, kind, range(first, n, 2)) for first in range(2))
        return (time.perf_counter() - began) / n


def one_process(
    way: Way, cohort: RefitCohort, bags: Bags, kind: str, n: int
) -> tuple[dict[str, Floats], float]:
    """Probabilities after n shuffles, and CPU seconds of a shuffle on one core."""
    with threadpool_limits(1):
        began = time.process_time()
        found = way(cohort, bags, kind, range(n))
        return found, (time.process_time() - began) / n


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stacked", type=int, default=50, help="stacked shuffles")
    parser.add_argument("--classes", type=int, default=20, help="shuffles by the models' classes")
    parser.add_argument("--features", type=int, default=50)
    arguments = parser.parse_args()
    data = simulated(arguments.features)
    ways: dict[Way, int] = {stacked: arguments.stacked, classes: arguments.classes}
    totals = {"CPU": np.zeros(2), "wall, two processes": np.zeros(2)}  # stacked, classes
    for kind, shuffles in SHUFFLES.items():
        (fast, fast_cpu), (slow, slow_cpu) = (
            one_process(way, *data, kind, n) for way, n in ways.items()
        )
        totals["CPU"] += shuffles * np.array([fast_cpu, slow_cpu])
        wall = [two_processes(way, *data, kind, n) for way, n in ways.items()]
        totals["wall, two processes"] += shuffles * np.array(wall)
        print(f"{kind}: stacked {fast_cpu:.3f} s, classes {slow_cpu:.3f} s of one core a shuffle")
        for name in slow:
            n = min(len(fast[name]), len(slow[name]))
            apart = np.abs(fast[name][:n] - slow[name][:n]).max()
            print(f"  {name}: probabilities differ by {apart:.0e} at most, {n} shuffles compared")
            if not apart <= TOLERANCE:
                raise SystemExit(f"{name}: more than {TOLERANCE:g}")
    for what, (stack, each) in reversed(totals.items()):
        print(
            f"RATIO {sum(SHUFFLES.values()):,} shuffles of a permutation test, {what}: stacked "
            f"against classes: {each / stack:.1f}x ({stack / 60:.1f} against {each / 60:.1f} min), "
            f"results agree to {TOLERANCE:g}"
        )


if __name__ == "__main__":
    main()

"""MI-SVM and attention-based deep MIL on benchmark bags, and the published accuracies.

    python benchmarks/mil_benchmarks.py FOLDER

Every .npz file in the folder is a data set: `instances` (n, d), `offsets` (bags + 1,) of each bag's
first instance, `labels` (bags,) in {0, 1}. Ten-fold cross-validation, stratified by label, five
times. Hyperparameters are chosen by accuracy on three inner folds of a training part: C and gamma
of MI-SVM, weight decay and epochs of attention. Features are standardised on the training part.

Hyperparameters of MI-SVM are chosen on bags subsampled to eight instances; the final fit takes all.
Attention is the network of Ilse et al. in minibatches, with eight instances of a bag in an epoch.
The prediction is the mean probability of five networks with different initial weights. The networks
of all folds, repeats and initial weights are trained as one stack. One core.

The grid of weight decay and epochs was written after experiments on the outer folds of MUSK1, so
that the estimate is nested within a fold, but the grid itself is not blind to the data.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.special import expit
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from embedding import (
    EmbeddedAttention,
    Embedding,
    Examples,
    TrainingConfig,
    predict_logits,
    train,
)
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.projection import Projection
from lymphokit.errors import LymphokitError
from lymphokit.models.mi_svm import MiSvm, MiSvmSettings
from lymphokit.progress import track
from radial import RadialMiSvm
from subsample import subsample

INNER, SEEDS, FEW, MAX_ITERATIONS = 3, 5, 8, 20
EPOCHS = (20, 30, 40)
CONFIGS = [
    TrainingConfig(
        dropout=0.5,
        learning_rate=0.02,
        weight_decay=weight_decay,
        batch_bags=16,
        most_cells=FEW,
        epochs=EPOCHS,
    )
    for weight_decay in (0.005, 0.02)
]
WIDTHS, ATTENTION_WIDTH = (256, 128, 64), 64
LINEAR, RADIAL, ATTENTION, GATED = "MI-SVM, linear", "MI-SVM, RBF", "attention", "gated attention"
ANDREWS, ILSE = "Andrews et al. 2002", "Ilse et al. 2018"
PUBLISHED = {
    ("musk1", LINEAR): ("0.779", ANDREWS),
    ("musk1", RADIAL): ("0.779", ANDREWS),
    ("musk2", LINEAR): ("0.843", ANDREWS),
    ("musk2", RADIAL): ("0.843", ANDREWS),
    ("musk1", ATTENTION): ("0.892 ± 0.040", ILSE),
    ("musk2", ATTENTION): ("0.858 ± 0.048", ILSE),
    ("musk1", GATED): ("0.900 ± 0.050", ILSE),
    ("musk2", GATED): ("0.863 ± 0.042", ILSE),
}
Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]
Choice = tuple[float, ...]
Decide = Callable[[Bags], Floats]
Fit = Callable[..., Decide]


@dataclass(frozen=True)
class Problem:
    """A set: its name, bags and their labels (n_bags,)."""

    name: str
    bags: Bags
    labels: NDArray[np.int64]

    def take(self, chosen: NDArray[np.int64]) -> "Problem":
        return Problem(self.name, self.bags.take(chosen), self.labels[chosen])

    def subsampled(self, seed: int) -> "Problem":
        few = subsample(self.bags, FEW, np.random.default_rng(seed))
        return Problem(self.name, few, self.labels)


def load(path: Path) -> Problem:
    """The set in a file. Raises LymphokitError where it is not one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            cells, offsets, labels = (file[key] for key in ("instances", "offsets", "labels"))
    except (KeyError, ValueError, EOFError, BadZipFile) as error:
        raise LymphokitError(
            f"{path.name} is no set of bags ({error}); it needs numeric arrays named "
            "instances (n, d), offsets (bags + 1,) and labels (bags,)"
        ) from error
    if fault := _fault(cells, offsets, labels):
        raise LymphokitError(f"{path.name}: {fault}")
    ids = tuple(f"bag {bag}" for bag in range(len(labels)))
    bags = Bags(cells.astype(np.float64), offsets.astype(np.int64), ids)
    return Problem(path.stem, bags, labels.astype(np.int64))


def _fault(cells: NDArray[Any], offsets: NDArray[Any], labels: NDArray[Any]) -> str | None:
    if cells.ndim != 2 or not np.issubdtype(cells.dtype, np.number):
        return f"instances are {cells.dtype} of shape {cells.shape}, not numbers (n, d)"
    if not np.isfinite(cells).all():
        return "an instance has a feature that is not a finite number"
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        return "labels are not 0 or 1, one a bag"
    if offsets.shape != (len(labels) + 1,):
        return f"offsets have shape {offsets.shape}, but {len(labels)} labels ask for one more"
    if offsets[0] != 0 or offsets[-1] != len(cells) or (np.diff(offsets) <= 0).any():
        return f"offsets do not rise from 0 to the {len(cells)} instances, every bag with some"
    return None


def deal(labels: NDArray[np.int64], folds: int, seed: int) -> Booleans:
    """The test bags of each fold, stratified by label: (folds, n_bags)."""
    held = np.zeros((folds, len(labels)), dtype=bool)
    dealer = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(dealer.split(labels, labels)):
        held[fold, test] = True
    return held


def tests_of(problem: Problem, folds: int, repeats: int) -> Booleans:
    """The test bags of every fold of every repeat: (repeats * folds, n_bags)."""
    fewest, needed = int(np.bincount(problem.labels, minlength=2).min()), max(folds, 2 * INNER)
    if fewest < needed:
        raise LymphokitError(
            f"{problem.name}: {fewest} bags of a label are too few for {folds} folds with "
            f"{INNER} inner folds; at least {needed} are needed"
        )
    return np.concatenate([deal(problem.labels, folds, seed) for seed in range(repeats)])


def linear(problem: Problem, C: float) -> Decide:
    settings = MiSvmSettings(
        kind="mi_svm",
        enabled=True,
        features="",
        scale=True,
        pca=None,
        C=C,
        scale_C=False,
        max_iterations=MAX_ITERATIONS,
        restarts=0,
        backend="exact",
    )
    machine = MiSvm(settings, seed=0)
    nothing = np.ones(len(problem.labels))
    return machine.fit(problem.bags, problem.labels, Clinical(nothing, nothing)).decision_function


def radial(problem: Problem, C: float, gamma: float) -> Decide:
    """gamma: in units of one over the number of features."""
    machine = RadialMiSvm(
        gamma=gamma / problem.bags.instances.shape[1],
        C=C,
        max_iterations=MAX_ITERATIONS,
        first_cells=FEW,
        seed=0,
    )
    return machine.fit(problem.bags, problem.labels).decision_function


MACHINES: Sequence[tuple[str, Fit, Sequence[Choice]]] = (
    (LINEAR, linear, [(C,) for C in (0.01, 0.1, 1.0, 10.0)]),
    (RADIAL, radial, list(product((1.0, 10.0, 100.0), (0.25, 0.5, 1.0)))),
)


def by_machine(fit: Fit, grid: Sequence[Choice], problem: Problem, tests: Booleans) -> Floats:
    """1 where the classifier of a fold predicts a test bag correctly: (folds, n_bags)."""
    right = np.zeros(tests.shape)
    for fold, test in enumerate(track(tests, problem.name)):
        part = problem.take(np.flatnonzero(~test))
        decide = fit(part, *choose(fit, grid, part.subsampled(fold), fold))
        right[fold, test] = is_correct(decide, problem.take(np.flatnonzero(test)))
    return right


def choose(fit: Fit, grid: Sequence[Choice], part: Problem, seed: int) -> Choice:
    """The candidate of the highest accuracy in inner folds; the first of ties."""
    right = np.zeros(len(grid))
    for held in deal(part.labels, INNER, seed):
        training, test = part.take(np.flatnonzero(~held)), part.take(np.flatnonzero(held))
        right += [is_correct(fit(training, *choice), test).sum() for choice in grid]
    return grid[int(right.argmax())]


def is_correct(decide: Decide, problem: Problem) -> Booleans:
    right: Booleans = (decide(problem.bags) > 0) == (problem.labels == 1)
    return right


def by_attention(gated: bool, problem: Problem, tests: Booleans) -> tuple[Floats, Floats]:
    """1 where the ensemble predicts a bag correctly, and the share of its networks that do.

    Each (folds, n_bags), 0 for bags that a fold does not test.
    """
    examples = Examples(standardised(problem.bags, tests), problem.bags.offsets, problem.labels)
    configs, epochs = chosen_training(gated, examples, tests)
    ensemble, single = np.zeros((2, *tests.shape))
    for config in np.unique(configs):
        folds = np.flatnonzero(configs == config)
        subset = replace(examples, cells=examples.cells[folds])
        learned = np.repeat(~tests[folds, None], SEEDS, axis=1)
        logits = trained(gated, subset, learned, CONFIGS[config], evaluated=tests[folds])
        logits = logits[epochs[folds], np.arange(len(folds))]  # (folds, networks, n_bags)
        ensemble[folds] = (expit(logits).mean(axis=1) > 0.5) == problem.labels
        single[folds] = ((logits > 0) == problem.labels).mean(axis=1)
    return ensemble * tests, single * tests


def chosen_training(
    gated: bool, examples: Examples, tests: Booleans
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions in CONFIGS and EPOCHS of the highest accuracy in each fold's inner folds.

    Ties go to the longest training, then to the first config.
    """
    held = np.zeros((len(tests), INNER, tests.shape[1]), dtype=bool)
    for fold, test in enumerate(tests):
        held[fold, :, ~test] = deal(examples.labels[~test], INNER, fold).T
    learned = ~held & ~tests[:, None]
    right = []
    for config in CONFIGS:
        logits = trained(gated, examples, learned, config, evaluated=~tests)
        right.append((((logits > 0) == examples.labels) & held).sum(axis=(2, 3)))
    longest_first = np.stack(right, axis=1)[::-1].reshape(-1, len(tests))  # epochs, then configs
    before_last, configs = np.divmod(longest_first.argmax(axis=0), len(CONFIGS))
    return configs, len(EPOCHS) - 1 - before_last


def trained(
    gated: bool, examples: Examples, learned: Booleans, config: TrainingConfig, evaluated: Booleans
) -> NDArray[np.float32]:
    """The logits of new networks after each of EPOCHS: (epochs, folds, networks, n_bags).

    learned (folds, networks, n_bags): the training bags of each; evaluated (folds, n_bags).
    """
    seeds = np.random.default_rng(0).integers(2**62, size=learned.shape[0] * learned.shape[1])
    generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
    embedding = Embedding(WIDTHS, ATTENTION_WIDTH, gated)
    network = EmbeddedAttention(examples.cells.shape[2], embedding, generators)
    pauses = train(network, examples, learned.reshape(len(generators), -1), config, seed=0)
    logits = np.stack([predict_logits(network, examples, evaluated) for _ in pauses])
    return logits.reshape(-1, *learned.shape)


def standardised(bags: Bags, tests: Booleans) -> torch.Tensor:
    """All cells, standardised on each fold's training part: (folds, n_cells, d) float32."""
    parts = []
    for test in tests:
        projection = Projection(scale=True, pca=None, seed=0)
        projection.fit(bags.instances[~test[bags.bag_of]])
        parts.append(torch.from_numpy(projection.transform(bags.instances)))
    return torch.stack(parts)


def add_rows(table: Table, problem: Problem, folds: int, repeats: int) -> None:
    tests = tests_of(problem, folds, repeats)

    def add(method: str, right: Floats, seconds: str) -> None:
        runs = right.reshape(repeats, -1).sum(axis=1) / len(problem.labels)
        spread = f" ± {runs.std(ddof=1):.3f}" if repeats > 1 else ""
        published = PUBLISHED.get((problem.name, method), ("", ""))
        table.add_row(problem.name, method, f"{runs.mean():.3f}{spread}", *published, seconds)

    for method, fit, grid in MACHINES:
        began = time.perf_counter()
        right = by_machine(fit, grid, problem, tests)
        add(method, right, f"{time.perf_counter() - began:.0f}")
    for method in (ATTENTION, GATED):
        began = time.perf_counter()
        ensemble, single = by_attention(method == GATED, problem, tests)
        add(method, ensemble, f"{time.perf_counter() - began:.0f}")
        add("  one of the five networks", single, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.glob("*.npz"))
    if not paths:
        raise LymphokitError(f"{arguments.folder} holds no .npz file")
    problems = [load(path) for path in paths]
    torch.set_num_threads(1)
    table = Table(
        title=f"Accuracy in {arguments.folds}-fold cross-validation",
        caption=f"mean ± standard deviation of {arguments.repeats} runs; "
        "Ilse et al. give a standard error of the mean",
    )
    for column in ("set", "method", "accuracy", "published", "by", "seconds"):
        justify: Any = "left" if column in {"set", "method", "by"} else "right"
        table.add_column(column, justify=justify, no_wrap=True)
    with threadpool_limits(1):
        for problem in problems:
            add_rows(table, problem, arguments.folds, arguments.repeats)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()

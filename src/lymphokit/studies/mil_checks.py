"""Unit tests of the multiple-instance assumption on three synthetic problems.

Under the assumption a bag is positive because of what it holds, so a further cell never makes it
less positive. In training the negative bags also hold poison: cells that are easy to recognise and
have nothing to do with the label. In testing the positive bags hold it. For a model that keeps to
the assumption poison can only help in testing: its AUC there is no lower than on new bags of the
training kind. A model that learned "positive, unless there is evidence against it" ranks the test
bags upside down.

Cells are points in 16 dimensions: 5 to 9 background cells N(0, I) in every bag; cells of concept A
or B, N(m, I) with |m| = 6; and poison, N(m, 0.01 I) with |m| = 12: tight, far away, easily learned.
The three means are orthogonal, in random directions. Concept and poison are added to the
background and do not replace it: with less background in poisoned bags, a model that looks for
background would be misled too, and correctly so.

Source: Raff and Holt, "Reproducibility in Multiple Instance Learning: A Case For Algorithmic Unit
Tests", NeurIPS 2023.
Departs: written from the paper's argument, not from its algorithms line by line. The design of
the single-concept test (background, 1 to 4 cells of the concept, a tight poison with the negative
label in training and with the positive one in testing) and the criterion are the paper's. Its
distributions differ; as far as we know the concept there is N(0, 3 I), where a shifted mean lets
linear models pass. Of the other two tests only the idea is the paper's: numbers of cells are ours,
negative bags of `multi_concept` have as many concept cells as positive ones, so that counting does
not solve it, and `false_frequency` has one concept and misleads by the number of poison cells. The
paper requires an AUC on one side of 0.5; here it has to be three standard errors from it.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Column, Table

from lymphokit.bags.contract import AnyModel
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.evaluation.metrics import score
from lymphokit.evaluation.out_of_fold import derive_seed

Kind = Literal["a", "b", "poison"]
Counts = dict[Kind, int]
Verdict = Literal["passed", "failed", "undecided"]

FEATURES = 16
BACKGROUND = (5, 9)  # cells a bag
DISTANCES: dict[Kind, float] = {"a": 6.0, "b": 6.0, "poison": 12.0}  # from the background mean
DEVIATIONS: dict[Kind, float] = {"a": 1.0, "b": 1.0, "poison": 0.1}
STANDARD_ERRORS = 3.0  # of the AUC of random scores
STYLES = {"passed": "green", "failed": "bold red", "undecided": "yellow"}
AGE_YEARS, LYMPHOCYTES_GIGA_PER_LITRE = 70.0, 8.0  # of every patient, so without information


def single_concept(rng: np.random.Generator, positive: bool, testing: bool) -> Counts:
    """A bag is positive if it holds A. Poison: negative bags in training, positive in testing."""
    counts: Counts = {"a": _from_to(rng, 1, 4) if positive else 0}
    return counts | {"poison": _from_to(rng, 1, 4) if positive == testing else 0}


def multi_concept(rng: np.random.Generator, positive: bool, testing: bool) -> Counts:
    """A bag is positive if it holds A and B; negative ones hold as many cells of one of them."""
    first, second = _from_to(rng, 1, 2), _from_to(rng, 1, 2)
    if not positive:
        both = first + second
        first, second = (both, 0) if rng.random() < 0.5 else (0, both)
    return {
        "a": first,
        "b": second,
        "poison": _from_to(rng, 1, 4) if positive == testing else 0,
    }


def false_frequency(rng: np.random.Generator, positive: bool, testing: bool) -> Counts:
    """A bag is positive if it holds A. All bags hold poison, those of one label much more."""
    counts: Counts = {"a": _from_to(rng, 1, 2) if positive else 0}
    return counts | {"poison": _from_to(rng, 4, 6) if positive == testing else 1}


PROBLEMS: tuple[Callable[[np.random.Generator, bool, bool], Counts], ...] = (
    single_concept,
    multi_concept,
    false_frequency,
)


def run_mil_checks(
    make: Callable[..., AnyModel], *, seed: int, n_train: int, n_test: int
) -> pd.DataFrame:
    """Fit and test an unfitted model of `make(seed=...)` on each of the three problems.

    n_train, n_test: bags, half of them positive. The clinical attributes are the same for all.
    The problems depend on `seed` alone, so that models can be compared.
    Returns a row for each problem: `check, train_auc, test_auc, verdict`; the AUCs are those on
    the training bags and on the test bags, the verdict is that of `verdict_on`.
    """
    rows = []
    for number, problem in enumerate(PROBLEMS):
        training, labels = draw_bags(number, n_train, seed=seed, testing=False)
        test, test_labels = draw_bags(number, n_test, seed=seed, testing=True)
        model = make(seed=derive_seed(seed, number))
        model = model.fit(training, labels, _constant_clinical(n_train))
        train_auc = _auc(model, training, labels)
        test_auc = _auc(model, test, test_labels)
        verdict = verdict_on(train_auc, test_auc, chance_margin(labels), chance_margin(test_labels))
        rows.append((problem.__name__, train_auc, test_auc, verdict))
    return pd.DataFrame(rows, columns=["check", "train_auc", "test_auc", "verdict"])


def draw_bags(number: int, n: int, *, seed: int, testing: bool) -> tuple[Bags, NDArray[np.int64]]:
    """Bags of the problem at this position of PROBLEMS, and their labels (n,), half of them 1."""
    rng = np.random.default_rng([seed, number, testing])
    means = concept_means(seed)
    labels = rng.permutation(np.arange(n) % 2).astype(np.int64)
    cells = [_draw_bag(rng, PROBLEMS[number](rng, bool(label), testing), means) for label in labels]
    return Bags.pack(cells, [f"{'test' if testing else 'train'}{i}" for i in range(n)]), labels


def concept_means(seed: int) -> dict[Kind, NDArray[np.float64]]:
    """The mean of the cells of each kind: orthogonal vectors (16,)."""
    square = np.random.default_rng(seed).normal(size=(FEATURES, FEATURES))
    directions = np.linalg.qr(square)[0].T
    return {
        kind: distance * directions[place]
        for place, (kind, distance) in enumerate(DISTANCES.items())
    }


def verdict_on(
    train_auc: float, test_auc: float, train_margin: float, test_margin: float
) -> Verdict:
    """The verdict on two AUCs, given how far from 0.5 each has to be to differ from chance.

    `passed`: above chance in testing; `failed`: above chance in training and below in testing;
    `undecided`: neither, as where nothing was learned.
    """
    if test_auc > 0.5 + test_margin:
        return "passed"
    if train_auc > 0.5 + train_margin and test_auc < 0.5 - test_margin:
        return "failed"
    return "undecided"


def chance_margin(labels: NDArray[np.int64]) -> float:
    """How far from 0.5 an AUC on bags with these labels has to be: three standard errors.

    The standard error of the AUC of random ranks. Source: Mann and Whitney 1947.
    """
    n, n_positive = len(labels), int(labels.sum())
    return STANDARD_ERRORS * float(np.sqrt((n + 1) / (12 * n_positive * (n - n_positive))))


def mil_checks_terminal_table(checks: pd.DataFrame) -> Table:
    """The checks for a terminal, a row for each model and a column for each check.

    checks: a column `model`, and the rows of `run_mil_checks` for each.
    """
    names = [str(check).replace("_", " ") for check in checks["check"].unique()]
    table = Table(
        *(Column(heading, no_wrap=True) for heading in ("model", *names)),
        title="Multiple-instance checks on synthetic bags: verdict, AUC in training > in testing",
        caption="passed: test AUC above chance; failed: below; undecided: neither",
    )
    for model, rows in checks.groupby("model", sort=False):
        cells = [
            f"[{STYLES[row['verdict']]}]{row['verdict']:9}[/] "
            f"{row['train_auc']:.2f} > {row['test_auc']:.2f}"
            for row in rows.to_dict("records")
        ]
        table.add_row(str(model), *cells)
    return table


def _draw_bag(
    rng: np.random.Generator, counts: Counts, means: Mapping[Kind, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The cells of one bag, background among them, in random order: (n_cells, 16)."""
    parts = [rng.normal(size=(_from_to(rng, *BACKGROUND), FEATURES))]
    for kind, count in counts.items():
        parts.append(means[kind] + DEVIATIONS[kind] * rng.normal(size=(count, FEATURES)))
    return rng.permutation(np.concatenate(parts))


def _from_to(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high, endpoint=True))


def _constant_clinical(n: int) -> Clinical:
    return Clinical(np.full(n, AGE_YEARS), np.full(n, LYMPHOCYTES_GIGA_PER_LITRE))


def _auc(model: AnyModel, bags: Bags, labels: NDArray[np.int64]) -> float:
    probabilities = model.predict_proba(bags, _constant_clinical(len(bags)))
    return score("auc", labels, np.zeros_like(labels), probabilities)

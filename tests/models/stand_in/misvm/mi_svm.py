"""MI-SVM as an alternation over a quadratic program in the dual, solved by cvxopt."""

from collections.abc import Callable

import numpy as np
from cvxopt import matrix, solvers

from misvm.svm import SVM


class MISVM:
    def __init__(
        self,
        kernel: str = "linear",
        C: float = 1.0,
        scale_C: bool = True,
        max_iters: int = 50,
        restarts: int = 0,
        verbose: bool = True,
    ) -> None:
        assert kernel == "linear"
        self.C, self.scale_C, self.verbose = C, scale_C, verbose
        self.max_iters, self.restarts = max_iters, restarts
        self.svm: SVM | None = None

    def fit(self, bags: list[np.ndarray], y: np.ndarray) -> None:
        positives = [np.asmatrix(bag) for bag, label in zip(bags, y, strict=True) if label > 0]
        negatives = [np.asmatrix(bag) for bag, label in zip(bags, y, strict=True) if label <= 0]
        best = float("inf")
        for restart in range(self.restarts + 1):
            start = [_start(bag, restart) for bag in positives]
            svm, objective = self._alternate(positives, negatives, np.vstack(start))
            if svm is not None and objective < best:
                self.svm, best = svm, objective

    def _alternate(
        self, positives: list[np.matrix], negatives: list[np.matrix], start: np.matrix
    ) -> tuple[SVM | None, float]:
        svm, objective, chosen = None, float("inf"), None
        representatives, cells = start, np.vstack(negatives)
        examples = len(cells) + len(start)
        C = self.C / float(examples) if self.scale_C else self.C
        y = np.asmatrix(np.where(np.arange(examples) < len(cells), -1.0, 1.0)).T
        bag_of = np.repeat(np.arange(len(negatives)), [len(bag) for bag in negatives])
        groups = np.concatenate([bag_of, len(negatives) + np.arange(len(start))])
        for _ in range(self.max_iters):
            try:
                X = np.vstack([cells, representatives])
                alphas, objective = solve(X, y, groups, C)
                svm = SVM(X, y, alphas)
            except Exception as error:  # noqa: BLE001 -- as the original does
                self._mention(f"Warning: Bailing due to error: {error}")
                return svm, objective
            highest = [int(np.argmax(svm.predict(bag))) for bag in positives]
            if highest == chosen:
                break
            chosen = highest
            representatives = np.vstack(
                [bag[cell] for bag, cell in zip(positives, chosen, strict=True)]
            )
        return svm, objective

    def predict(self, bags: list[np.ndarray]) -> np.ndarray:
        if self.svm is None:
            return np.zeros(len(bags))
        return np.array([self.svm.predict(np.asmatrix(bag)).max() for bag in bags])

    def _mention(self, text: str) -> None:
        if self.verbose:
            print(text)  # noqa: T201


def _start(bag: np.matrix, restart: int) -> np.matrix:
    if restart == 0:
        return np.average(bag, axis=0)
    return np.asmatrix(np.random.dirichlet(np.ones(len(bag)))) * bag  # noqa: NPY002


def solve(X: np.matrix, y: np.matrix, groups: np.ndarray, C: float) -> tuple[np.matrix, float]:
    """The dual variables, which add up to at most C in each group, and the primal objective."""
    n = len(X)
    sums = np.zeros((groups.max() + 1, n))
    sums[groups, np.arange(n)] = 1.0
    result = QP(
        matrix(np.multiply(y * y.T, X * X.T)),
        matrix(-np.ones(n)),
        matrix(np.concatenate([-np.eye(n), sums])),
        matrix(np.concatenate([np.zeros(n), np.full(len(sums), C)])),
        matrix(np.asarray(y).reshape(1, n)),
        matrix(np.zeros(1)),
        options={"show_progress": False, "abstol": 1e-10, "reltol": 1e-10, "feastol": 1e-10},
    )
    return np.asmatrix(np.array(result["x"])), -result["primal objective"]


QP: Callable[..., dict] = solvers.qp

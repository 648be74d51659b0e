"""A linear support vector machine on matrices: the dual variables are given, the bias is not."""

import numpy as np

CUTOFF = 1e-5  # above it a dual variable makes a support vector


class SVM:
    def __init__(self, X: np.matrix, y: np.matrix, alphas: np.matrix) -> None:
        chosen = np.flatnonzero(np.asarray(alphas).ravel() > CUTOFF)
        self.X, self.y, self.alphas = X[chosen], y[chosen], alphas[chosen]
        self.b = self.bias()

    def bias(self) -> float:
        """The mean of y - w.x over all support vectors; the sum is a 1x1 matrix."""
        ones = np.asmatrix(np.ones((len(self.y), 1)))
        signed = np.multiply(self.alphas, self.y)
        total = ones.T * self.y - signed.T * (self.X * self.X.T) * ones
        return float(total) / len(self.y)

    def predict(self, X: np.matrix) -> np.ndarray:
        scores = X * self.X.T * np.multiply(self.alphas, self.y) + self.b
        return np.asarray(scores, dtype=float).ravel()

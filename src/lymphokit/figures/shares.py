"""A share of a few cells, as it should be said: with its interval."""

from scipy.stats import binomtest

LEVEL = 0.95


def share_in_words(share: float, n: int) -> str:
    """A share of n cells with its Wilson interval: `0.98 (0.94 to 0.99)`."""
    interval = binomtest(round(share * n), n).proportion_ci(LEVEL, method="wilson")
    return f"{share:.2f} ({interval.low:.2f} to {interval.high:.2f})"

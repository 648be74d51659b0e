"""A share of a few cells, as it should be said: with its interval."""

from lymphokit.evaluation.proportions import wilson

LEVEL = 0.95


def share_in_words(share: float, n: int) -> str:
    """A share of n cells with its Wilson interval: `0.98 (0.94 to 0.99)`."""
    found = wilson(round(share * n), n, LEVEL)
    return f"{share:.2f} ({found.low:.2f} to {found.high:.2f})"

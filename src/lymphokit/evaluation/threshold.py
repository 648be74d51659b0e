"""Rules that choose a decision threshold on out-of-fold predictions of training patients."""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import expit

from lymphokit.errors import ConfigError, LymphokitError
from lymphokit.evaluation.log_odds import clipped_log_odds, least_probability
from lymphokit.evaluation.metrics import Floats, Labels

Rule = str | float | Mapping[str, float]  # the last: a wanted sensitivity


class OneClassError(LymphokitError):
    """A threshold was to be chosen on patients of one class only."""


def decide(probabilities: Floats, threshold: float | Floats) -> Labels:
    """1 where the probability reaches the threshold, else 0: a tie is called tumoral.

    probabilities (n,) or (n, m) -> labels of that shape; threshold: one, or (m,), one a column.
    """
    return (probabilities >= threshold).astype(np.int64)


def choose(rule: Rule, labels: Labels, probabilities: Floats) -> float:
    """The threshold in [0, 1] that a rule chooses from labels (n,) and inner predictions (n,).

    rule: `prevalence`, `midpoint`, `balanced_accuracy`, `half`, `{"sensitivity": 0.95}` for a
    wanted sensitivity, or the threshold itself.
    The predictions must come from models that were not fitted on these patients.
    Raises ConfigError for any other rule, OneClassError without both classes.
    """
    if isinstance(rule, int | float):
        if not 0 <= rule <= 1:
            raise ConfigError(f"decision.threshold: {rule} is outside 0 to 1")
        return float(rule)
    wanted = None if isinstance(rule, str) else _wanted_sensitivity(rule)
    if isinstance(rule, str) and rule not in RULES:
        raise ConfigError(
            f"decision.threshold: {rule!r} is none of {', '.join(RULES)}; "
            "write one of these, {sensitivity: 0.95}, or a number from 0 to 1"
        )
    if len(np.unique(labels)) < 2:
        raise OneClassError(
            f"all {len(labels)} training patients have label {labels[0] if len(labels) else '?'}: "
            "no threshold can be chosen; use fewer or larger folds"
        )
    if wanted is not None:
        return sensitivity(labels, probabilities, wanted)
    return RULES[str(rule)](labels, probabilities)


def sensitivity(labels: Labels, probabilities: Floats, wanted: float) -> float:
    """The highest threshold with at least the wanted sensitivity on new tumoral patients.

    The k-th lowest of the n tumoral predictions, k = floor((n + 1)(1 - wanted)). A new tumoral
    patient is equally likely to take any of the n + 1 ranks, so on average over cohorts at most
    the share k / (n + 1) is missed. (The lowest threshold with the wanted sensitivity on these n
    would be too optimistic.) Where k is 0, below 19 tumoral patients for 0.95, only calling
    every patient tumoral guarantees it: the threshold is 0.
    Source: split conformal prediction within one class (Vovk 2013, Conditional validity of
    inductive conformal predictors).
    """
    tumoral = np.sort(probabilities[labels == 1])
    # Rounded before the floor: in floating point (9 + 1)(1 - 0.9) is 0.9999999999999998.
    k = int(np.floor(round((len(tumoral) + 1) * (1 - wanted), 9)))
    return float(tumoral[k - 1]) if k else 0.0


def prevalence(labels: Labels, _probabilities: Floats) -> float:
    """The share of tumoral patients, whatever the predictions.

    Bayes' rule for balanced accuracy where probabilities are calibrated: calling tumoral pays
    where p / prevalence >= (1 - p) / (1 - prevalence), hence where p >= prevalence. For biased
    probabilities this threshold is wrong.
    """
    return float(labels.mean())


def midpoint(labels: Labels, probabilities: Floats) -> float:
    """Halfway, in log odds, between the mean tumoral and the mean reactive prediction.

    Follows a bias of the probabilities, which `prevalence` cannot, and averages over all
    patients, so it varies less than the best threshold does. Log odds are clipped to those of
    1 : n + 1 (Laplace's rule of succession), so that one certain prediction does not move it.
    """
    odds = clipped_log_odds(probabilities, least_probability(len(labels)))
    return float(expit((odds[labels == 1].mean() + odds[labels == 0].mean()) / 2))


def balanced_accuracy(labels: Labels, probabilities: Floats) -> float:
    """The middle of the plateau of thresholds with the best balanced accuracy.

    labels (n,) in {0, 1}, probabilities (n,) in [0, 1].
    All thresholds between two neighbouring predictions decide alike. Of several best plateaus
    the widest is taken, and the lowest of those.
    """
    tumoral, reactive = np.sort(probabilities[labels == 1]), np.sort(probabilities[labels == 0])
    just_below_0 = np.nextafter(0.0, -1.0)  # so that a threshold of 0 calls every patient tumoral
    edges = np.unique(np.concatenate([[just_below_0, 0.0, 1.0], probabilities]))
    # Plateau i is (edges[i], edges[i + 1]]: predictions up to its lower edge are called reactive.
    true_positives = len(tumoral) - np.searchsorted(tumoral, edges[:-1], side="right")
    true_negatives = np.searchsorted(reactive, edges[:-1], side="right")
    # Balanced accuracy times a constant, in whole numbers, so that ties are exact.
    merit = true_positives * len(reactive) + true_negatives * len(tumoral)
    # The middle of two neighbouring floats may round down to the lower edge, outside the plateau.
    middles = np.maximum((edges[:-1] + edges[1:]) / 2, np.nextafter(edges[:-1], 2.0))
    best = np.flatnonzero(merit == merit.max())
    widest = best[np.argmax(np.diff(edges)[best])]
    return float(middles[widest])


def half(_labels: Labels, _probabilities: Floats) -> float:
    """0.5, whatever the predictions."""
    return 0.5


RULES: dict[str, Callable[[Labels, Floats], float]] = {
    "prevalence": prevalence,
    "midpoint": midpoint,
    "balanced_accuracy": balanced_accuracy,
    "half": half,
}


def _wanted_sensitivity(rule: Mapping[str, float]) -> float:
    """The wanted sensitivity in a rule. Raises ConfigError unless it is between 0 and 1."""
    wanted = rule.get("sensitivity", -1.0)
    if len(rule) != 1 or not 0 < wanted < 1:
        raise ConfigError(
            f"decision.threshold: {dict(rule)} is no rule; write {{sensitivity: 0.95}}, "
            "with a number between 0 and 1"
        )
    return wanted

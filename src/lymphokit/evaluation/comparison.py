"""Is one model better than another? Asked of the same patients, never of two intervals.

Two answers for every pair: the difference of the scores over resampled patients, and McNemar's
exact test of the decisions. Of 121 patients both need a large difference to say yes.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from lymphokit.evaluation.metrics import Floats, Labels
from lymphokit.evaluation.uncertainty import Outcomes, difference, patient_draws


def comparison_table(
    decisions: pd.DataFrame,
    models: Sequence[str],
    reference: str,
    *,
    resamples: int,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """By how much each model is better than the reference, a row a model.

    decisions: the long table; its validation rows are compared. Columns `model, reference,
    balanced_accuracy, low, high, auc, auc_low, auc_high` are differences, above 0 where the model
    is better, with their intervals (`uncertainty`);
    `only_model_right, only_reference_right` patients that one alone decides rightly; `mcnemar_p`,
    two-sided, of as many or more; `n_patients`.
    """
    outcomes = Outcomes.from_decisions(decisions, list(dict.fromkeys([reference, *models])))
    draws = patient_draws(outcomes.labels, resamples=resamples, seed=seed)
    return pd.DataFrame(
        [_row(outcomes, model, reference, draws, level) for model in models if model != reference]
    )


def comparison_sentence(row: pd.Series) -> str:
    """What a row of the comparison table says about balanced accuracy, for a busy person."""
    model, reference = row["model"], row["reference"]
    if row["low"] > 0:
        verdict = f"{model} is better than {reference}"
    elif row["high"] < 0:
        verdict = f"{model} is worse than {reference}"
    else:
        verdict = f"not shown on {row['n_patients']} patients"
    p = row["mcnemar_p"]
    return (
        f"{model} against {reference}: {row['balanced_accuracy']:+.3f} "
        f"[{row['low']:+.2f}, {row['high']:+.2f}] balanced accuracy, {row['auc']:+.3f} "
        f"[{row['auc_low']:+.2f}, {row['auc_high']:+.2f}] AUC; {row['only_model_right']} patients "
        f"right by {model} alone, {row['only_reference_right']} by {reference} alone "
        f"(McNemar p {f'= {p:.3f}' if p >= 0.001 else '< 0.001'}): {verdict}"
    )


def mcnemar(labels: Labels, first: Labels, second: Labels) -> tuple[int, int, float]:
    """Patients whom the first alone, or the second alone, decides rightly, and the exact p-value.

    labels, first, second: (n,) in {0, 1}. Under the null hypothesis either is as likely to be the
    one that is right, so their numbers are two sides of a fair coin.
    """
    only_first = int(np.sum((first == labels) & (second != labels)))
    only_second = int(np.sum((second == labels) & (first != labels)))
    both = only_first + only_second
    return only_first, only_second, float(binomtest(only_first, both).pvalue) if both else 1.0


def _row(
    outcomes: Outcomes, model: str, reference: str, draws: Floats, level: float
) -> dict[str, object]:
    accuracy = difference(outcomes, model, reference, "balanced_accuracy", draws, level)
    auc = difference(outcomes, model, reference, "auc", draws, level)
    scored = outcomes.scored.any(axis=0)
    sides = (_majority(outcomes, name)[scored] for name in (model, reference))
    only_model, only_reference, p = mcnemar(outcomes.labels[scored], *sides)
    return {
        "model": model,
        "reference": reference,
        "balanced_accuracy": accuracy.estimate,
        "low": accuracy.low,
        "high": accuracy.high,
        "auc": auc.estimate,
        "auc_low": auc.low,
        "auc_high": auc.high,
        "only_model_right": only_model,
        "only_reference_right": only_reference,
        "mcnemar_p": p,
        "n_patients": int(scored.sum()),
    }


def _majority(outcomes: Outcomes, model: str) -> Labels:
    """One decision a patient (n,): where folds are repeated that of most repeats, a tie tumoral.

    So a patient counts once in the test, however often predicted.
    """
    called = outcomes.decisions[outcomes.models.index(model)]
    times = np.maximum(outcomes.scored.sum(axis=0), 1)
    share = (called * outcomes.scored).sum(axis=0) / times
    return np.where(share >= 0.5, 1, 0).astype(np.int64)

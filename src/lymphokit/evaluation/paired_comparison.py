"""Paired comparison of models: is one better than another on the same patients?

Two tests per pair: the bootstrap interval of the difference of their scores, and McNemar's exact
test of their decisions. With 121 patients both need a large difference.
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
    """Compare each model with the reference: a row per model.

    decisions: the long table; its validation rows are compared. Columns `model, reference,
    balanced_accuracy, low, high, auc, auc_low, auc_high` are differences, above 0 where the model
    is better, with their intervals (`uncertainty`); `only_model_right, only_reference_right` are
    numbers of patients; `mcnemar_p` is two-sided; `n_patients`.
    """
    outcomes = Outcomes.from_decisions(decisions, list(dict.fromkeys([reference, *models])))
    draws = patient_draws(outcomes.labels, resamples=resamples, seed=seed)
    return pd.DataFrame(
        [_row(outcomes, model, reference, draws, level) for model in models if model != reference]
    )


def comparison_sentence(row: pd.Series) -> str:
    """Summarise one row of the comparison table."""
    model, reference = row["model"], row["reference"]
    if row["low"] > 0:
        verdict = f"{model} is better than {reference}"
    elif row["high"] < 0:
        verdict = f"{model} is worse than {reference}"
    else:
        verdict = f"no difference shown on {row['n_patients']} patients"
    p = row["mcnemar_p"]
    return (
        f"{model} against {reference}: {row['balanced_accuracy']:+.3f} "
        f"[{row['low']:+.2f}, {row['high']:+.2f}] balanced accuracy, {row['auc']:+.3f} "
        f"[{row['auc_low']:+.2f}, {row['auc_high']:+.2f}] AUC; {row['only_model_right']} patients "
        f"right by {model} alone, {row['only_reference_right']} by {reference} alone "
        f"(McNemar p {f'= {p:.3f}' if p >= 0.001 else '< 0.001'}): {verdict}"
    )


def mcnemar(labels: Labels, first: Labels, second: Labels) -> tuple[int, int, float]:
    """Numbers of patients that only the first or only the second gets right, and the exact p-value.

    labels, first, second: (n,) in {0, 1}. Under the null hypothesis each discordant patient is
    equally likely to be right for either, so the counts are binomial with p = 0.5.
    """
    only_first = int(np.sum((first == labels) & (second != labels)))
    only_second = int(np.sum((second == labels) & (first != labels)))
    discordant = only_first + only_second
    p = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return only_first, only_second, p


def _row(
    outcomes: Outcomes, model: str, reference: str, draws: Floats, level: float
) -> dict[str, object]:
    accuracy = difference(outcomes, model, reference, "balanced_accuracy", draws, level)
    auc = difference(outcomes, model, reference, "auc", draws, level)
    scored = outcomes.scored.any(axis=0)
    majorities = (_majority(outcomes, name)[scored] for name in (model, reference))
    only_model, only_reference, p = mcnemar(outcomes.labels[scored], *majorities)
    return {
        "model": model,
        "reference": reference,
        "balanced_accuracy": accuracy.estimate,
        "low": accuracy.low,
        "high": accuracy.high,
        **auc.columns("auc"),
        "only_model_right": only_model,
        "only_reference_right": only_reference,
        "mcnemar_p": p,
        "n_patients": int(scored.sum()),
    }


def _majority(outcomes: Outcomes, model: str) -> Labels:
    """The majority decision of the repeats for each patient (n,); a tie is tumoral.

    One decision per patient, because the exact test takes each patient as one independent trial.
    """
    decided = outcomes.decisions[outcomes.models.index(model)]
    repeats = np.maximum(outcomes.scored.sum(axis=0), 1)
    share = (decided * outcomes.scored).sum(axis=0) / repeats
    return np.where(share >= 0.5, 1, 0).astype(np.int64)

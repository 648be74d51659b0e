"""Naive scores: everything is chosen on the patients that are scored.

On the out-of-fold predictions of all patients, each naive score takes the threshold with the best
score, and ranks voters, fits the stack and selects the best model on the same patients. The
optimism, naive minus nested score, is the bias that nested cross-validation removes. (Early
stopping is nested in either score: networks stop on a part of their training patients.)
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lymphokit.ensemble.fold import MemberPredictions, Recipe
from lymphokit.evaluation import metrics, threshold
from lymphokit.evaluation.metrics import Floats, Labels
from lymphokit.evaluation.threshold import Rule

RULE: Rule = "balanced_accuracy"  # chooses the threshold with the best score


def naive_scores(
    predictions: Mapping[str, Sequence[pd.DataFrame]],
    repeat_of: Sequence[int],
    patients: pd.DataFrame,
    blends: Mapping[str, Recipe],
) -> dict[str, float]:
    """Naive balanced accuracy of every model and every blend, in [0, 1], averaged over repeats.

    predictions: for each model its predictions in every fold; repeat_of: the repeat of each of
    these folds; patients: patients.csv; blends: made with the threshold rule `RULE`.
    """
    by_repeat = []
    for repeat in dict.fromkeys(repeat_of):
        validation = {
            model: pd.concat(
                [
                    table[table["part"] == "validation"]
                    for table, its_repeat in zip(folds, repeat_of, strict=True)
                    if its_repeat == repeat
                ],
                ignore_index=True,
            )
            for model, folds in predictions.items()
        }
        by_repeat.append(_scores(MemberPredictions.from_tables(validation, patients), blends))
    return {str(name): float(score) for name, score in pd.DataFrame(by_repeat).mean().items()}


def best_threshold_score(labels: Labels, probabilities: Floats) -> float:
    """Balanced accuracy at the threshold where it is best on these same patients."""
    decided = threshold.decide(probabilities, threshold.choose(RULE, labels, probabilities))
    return metrics.score("balanced_accuracy", labels, decided, probabilities)


def _scores(members: MemberPredictions, blends: Mapping[str, Recipe]) -> dict[str, float]:
    """The naive score of every model, and of every blend fitted on the patients it scores."""
    probabilities = dict(zip(members.models, members.probabilities.T, strict=True))
    all_rows = np.arange(len(members.labels))
    for name, recipe in blends.items():
        entering = members.select(recipe.models)
        blend = entering.fit(recipe.make(), all_rows)
        probabilities[name] = entering.predict(blend, all_rows)
        members = members.joined(name, probabilities[name])
    return {
        name: best_threshold_score(members.labels, column) for name, column in probabilities.items()
    }

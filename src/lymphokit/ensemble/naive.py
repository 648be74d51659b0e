"""What a score would have looked like, had the choices been made on the patients it scores.

The naive score takes the out-of-fold predictions of all patients and does on them what tempts
people of an evening: moves the threshold to where it scores best, ranks the voters, fits the
stack, keeps the best of several models. What it exceeds the nested score by is the optimism that
such choices buy. Epochs are not among them: models stop on parts of their own training patients.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lymphokit.ensemble.fold import MemberPredictions, Recipe
from lymphokit.evaluation import metrics, threshold
from lymphokit.evaluation.metrics import Floats, Labels
from lymphokit.evaluation.threshold import Rule

RULE: Rule = "balanced_accuracy"  # of naive thresholds: where the score is best


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
    panels = [
        MemberPredictions.from_tables(_validated(predictions, repeat_of, repeat), patients)
        for repeat in dict.fromkeys(repeat_of)
    ]
    each = pd.DataFrame([_scores(panel, blends) for panel in panels])
    return {str(name): float(score) for name, score in each.mean().items()}


def best_cut_score(labels: Labels, probabilities: Floats) -> float:
    """Balanced accuracy at the threshold where, on these very patients, it is best."""
    cut = threshold.choose(RULE, labels, probabilities)
    decided = threshold.decide(probabilities, cut)
    return metrics.score("balanced_accuracy", labels, decided, probabilities)


def _validated(
    predictions: Mapping[str, Sequence[pd.DataFrame]], repeat_of: Sequence[int], repeat: int
) -> dict[str, pd.DataFrame]:
    """The validation rows of one repeat, all its folds together."""
    return {
        model: pd.concat(
            [
                table[table["part"] == "validation"]
                for table, own in zip(folds, repeat_of, strict=True)
                if own == repeat
            ],
            ignore_index=True,
        )
        for model, folds in predictions.items()
    }


def _scores(panel: MemberPredictions, blends: Mapping[str, Recipe]) -> dict[str, float]:
    """The naive score of every model, then of every blend fitted on the patients it scores."""
    said = dict(zip(panel.models, panel.probabilities.T, strict=True))
    everyone = np.arange(len(panel.labels))
    for name, recipe in blends.items():
        own = panel.only(recipe.models)
        said[name] = own.predict(own.fit(recipe.make(), everyone), everyone)
    return {name: best_cut_score(panel.labels, each) for name, each in said.items()}

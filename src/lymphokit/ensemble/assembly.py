"""All folds of all models and blends put together: decisions, and scores nested and naive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lymphokit.ensemble import naive
from lymphokit.ensemble.fold import recipes, rule_for
from lymphokit.evaluation.out_of_fold import decision_table
from lymphokit.evaluation.threshold import Rule
from lymphokit.evaluation.uncertainty import score_table


@dataclass(frozen=True)
class Assembled:
    """All models and blends over all folds.

    predictions: of each model and blend its table in every fold; decisions: the long table; scores:
    the score table, with a column `naive`.
    """

    predictions: Mapping[str, Sequence[pd.DataFrame]]
    decisions: pd.DataFrame
    scores: pd.DataFrame


def split_blends(blended: Sequence[pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Each blend's predictions in every fold, from a table of all blends a fold."""
    names = blended[0]["blend"].unique()
    return {name: [table[table["blend"] == name] for table in blended] for name in names}


def assemble(
    predictions: Mapping[str, Sequence[pd.DataFrame]],
    blended: Sequence[pd.DataFrame],
    folds: pd.DataFrame,
    patients: pd.DataFrame,
    *,
    blends: Mapping[str, Any],
    rule: Rule,
    uncertainty: Mapping[str, Any],
    seed: int,
) -> Assembled:
    """Decide and score every model, then every blend, over all folds.

    predictions: of each model its predictions.csv in every fold; blended: those of all blends, a
    table a fold; folds, patients: folds.csv and patients.csv; blends: the arguments of `recipes`
    except the rule; uncertainty: the arguments of `score_table`.
    """
    repeat_of: dict[Any, int] = folds.groupby("fold")["repeat"].first().to_dict()
    made = recipes(rule=naive.RULE, **blends)
    optimistic = naive.naive_scores(predictions, list(repeat_of.values()), patients, made)
    everything = {**predictions, **split_blends(blended)}
    decisions = pd.concat(
        decision_table(
            table, model=name, fold=fold, repeat=repeat_of[fold], rule=rule_for(name, rule)
        )
        for name, tables in everything.items()
        for fold, table in zip(repeat_of, tables, strict=True)
    )
    scores = score_table(decisions, list(everything), seed=seed, **uncertainty)
    place = scores.columns.tolist().index("high") + 1
    scores.insert(place, "naive", scores["model"].map(optimistic))
    return Assembled(everything, decisions, scores)

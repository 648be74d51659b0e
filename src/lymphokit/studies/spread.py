"""The spread of single splits: the folds drawn repeatedly, the models refitted on each drawing.

A patient is in validation once in every repeat, so repeats share all their patients: their spread
shows how much the drawing of the folds matters, never how precisely the score is known. The only
interval here comes from the bootstrap over patients (`evaluation.uncertainty`). The spread of
single validation parts is compared with what their size alone explains.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lymphokit.cohort.folds import make_folds
from lymphokit.evaluation import metrics, uncertainty
from lymphokit.evaluation import threshold as thresholds
from lymphokit.evaluation.intervals import percentile_interval
from lymphokit.evaluation.metrics import Floats, Labels, Metric
from lymphokit.evaluation.threshold import Rule
from lymphokit.evaluation.uncertainty import Outcomes
from lymphokit.studies.refit import SCORES, RefitCohort, choose_thresholds, refit


def spread_decisions(
    cohort: RefitCohort,
    *,
    repeats: int,
    fold_settings: Mapping[str, Any],
    rule: Rule,
    seed: int,
) -> pd.DataFrame:
    """Draw the k folds `repeats` times, refit all models and decide on the validation patients.

    fold_settings: those `make_folds` takes; the first repeat's folds are the run's where it has k
    folds. Returns the validation rows of the long table of decisions, as `decision_table` does.
    """
    settings = {**fold_settings, "scheme": "kfold", "repeats": repeats}
    batch = cohort.batch(make_folds(cohort.patients, seed=seed, **settings))
    (inner,) = batch.inner  # (n_folds, n)
    folds, patients = np.nonzero(inner < 0)
    tables = []
    for model, probabilities in refit(cohort.models, batch).items():
        cuts = choose_thresholds(batch, probabilities, rule)[0, folds]
        predicted = probabilities[0, folds, patients]
        columns = {
            "fold": folds + 1,
            "repeat": batch.repeat[folds],
            "patient": cohort.patients["patient"].to_numpy()[patients],
            "part": "validation",
            "label": cohort.labels[patients],
            "model": model,
            "n_fitted": (inner[folds] >= 0).sum(axis=1),
            "probability": predicted,
            "threshold": cuts,
            "decision": thresholds.decide(predicted, cuts),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def split_scores(decisions: pd.DataFrame) -> pd.DataFrame:
    """The scores of every split of every model by itself.

    decisions: as of `spread_decisions`. Rows `model, split, number, n_patients, n_tumoral,
    <SCORES>`: split is `part`, one validation part, number its fold; or `repeat`, the k parts of
    one drawing pooled.
    """
    rows = []
    for model, model_rows in decisions.groupby("model", sort=False):
        for split, column in (("part", "fold"), ("repeat", "repeat")):
            for number, scored in model_rows.groupby(column):
                outcome = _outcome(scored)
                row = {"model": model, "split": split, "number": number}
                row |= {"n_patients": len(scored), "n_tumoral": outcome[0].sum()}
                rows.append(row | {name: metrics.score(name, *outcome) for name in SCORES})
    return pd.DataFrame(rows)


def spread_table(
    decisions: pd.DataFrame, *, resamples: int, level: float, seed: int
) -> pd.DataFrame:
    """A row for each model and score: over all patients, of drawings, of parts, by size alone.

    decisions: as of `spread_decisions`. Columns `model, metric, pooled, low, high`: the mean of
    the repeats and its interval over resampled patients; `repeats_min, _max, _sd, parts_min, _max,
    _sd, n_repeats, n_parts, part_patients`; and `by_n_low, by_n_high, by_n_sd`: of
    `scores_by_size_alone`.
    """
    models = decisions["model"].unique().tolist()
    outcomes = Outcomes.from_decisions(decisions, models)
    draws = uncertainty.patient_draws(outcomes.labels, resamples=resamples, seed=seed)
    splits = split_scores(decisions)
    rows = []
    for model in models:
        for metric in SCORES:
            pooled = uncertainty.interval(outcomes, model, metric, draws, level)
            row = {"model": model, "metric": metric, "pooled": pooled.estimate}
            row |= {"low": pooled.low, "high": pooled.high}
            for split, split_rows in splits[splits["model"] == model].groupby("split"):
                scores = split_rows[metric]
                row |= {f"{split}s_min": scores.min(), f"{split}s_max": scores.max()}
                row |= {f"{split}s_sd": scores.std(), f"n_{split}s": len(scores)}
            by_size = scores_by_size_alone(
                decisions[decisions["model"] == model], metric, resamples=resamples, seed=seed
            )
            low, high = percentile_interval(by_size, level)
            row |= {"by_n_low": low, "by_n_high": high, "by_n_sd": np.nanstd(by_size)}
            # Parts differ by one patient at most.
            part_patients = splits.loc[splits["split"] == "part", "n_patients"].max()
            rows.append(row | {"part_patients": part_patients})
    return pd.DataFrame(rows)


def scores_by_size_alone(
    decisions: pd.DataFrame, metric: Metric, *, resamples: int, seed: int
) -> Floats:
    """Scores of patient samples as large as a validation part: (about resamples,).

    decisions: those of one model. Each sample is drawn with replacement from all patients of one
    repeat, with as many of each label as a part has. Models and folds stay the same, so that only
    the choice of patients varies.
    """
    generator = np.random.default_rng(seed)
    each = -(-resamples // decisions["repeat"].nunique())
    scores = []
    for _, repeat in decisions.groupby("repeat"):
        labels, decided, probabilities = _outcome(repeat)
        draws = np.zeros((each, len(labels)))
        for label in (0, 1):
            members = np.flatnonzero(labels == label)
            share = np.full(len(members), 1 / len(members))
            number = round(len(members) / repeat["fold"].nunique())
            draws[:, members] = generator.multinomial(number, share, size=each)
        scores.append(metrics.resampled(metric, labels, decided, probabilities, draws))
    return np.concatenate(scores)


def _outcome(rows: pd.DataFrame) -> tuple[Labels, Labels, Floats]:
    """Labels, decisions and probabilities of rows of the table of decisions."""
    return (
        rows["label"].to_numpy(np.int64),
        rows["decision"].to_numpy(np.int64),
        rows["probability"].to_numpy(np.float64),
    )

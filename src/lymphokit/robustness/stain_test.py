"""Does the image score rest on staining? Colours are removed from it, and it is scored again.

Stain and light belong to the laboratory and the day, and so may the label, where the patients of
one kind were photographed elsewhere or later. In every fold a model is fitted on the training part
as in the run; from the descriptors of the patients the columns of a set are removed by linear
regression, and the model's logistic regression is fitted again on what is left. Everything is
fitted on the training part.

Any removal costs something: in a hundred patients 6 of 96 directions hold signal whatever they
are. The control removes the same columns of other patients, which are as many directions without
meaning. What staining carries is the difference between the two.

It can be concluded that a score which falls no further than the control does not rest on these
colours, linearly. It cannot be concluded that a score which falls is an artefact: red cells are
paler in anaemia, which malignancies cause, and one cohort cannot tell anaemia from acquisition.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lymphokit.errors import LymphokitError
from lymphokit.evaluation.intervals import Interval, percentile_interval
from lymphokit.evaluation.metrics import Floats, Metric
from lymphokit.evaluation.uncertainty import Outcomes, patient_draws, widening
from lymphokit.robustness.stain_cohort import NONE, StainCohort, Versions
from lymphokit.robustness.stain_columns import densities

METRICS: tuple[Metric, ...] = ("balanced_accuracy", "auc")
ALONE, PRODUCT = "images", "with age and count"  # values of the column `score`
KNOWN = "with age, count and nuisance"
TOGETHER = "images"  # the model that averages the log odds of those in the product
NO_IMAGES = "no images"
COLUMNS = ("model", "score", "columns", "quantity", "metric", "estimate", "low", "high")
Row = dict[str, Any]


@dataclass(frozen=True)
class Drawn:
    """A score, and that of each resample of the patients (resamples,)."""

    score: float
    resampled: Floats


@dataclass(frozen=True)
class Scorer:
    """Scores of log odds with intervals over patients; all from the same draws, so paired.

    draws (resamples, n): of `patient_draws`.
    """

    cohort: StainCohort
    draws: Floats
    level: float

    def drawn(self, log_odds: Floats) -> dict[Metric, Drawn]:
        """The scores of log odds (n_copies, n_repeats, n), averaged over copies and repeats."""
        target = self.cohort.target
        rows = log_odds.reshape(-1, log_odds.shape[-1])
        scored = np.tile(target.scored, (len(log_odds), 1))
        decisions = (rows >= 0).astype(np.int64)
        outcomes = Outcomes(
            target.patients,
            target.labels,
            ("",),
            rows[None],
            decisions[None],
            scored,
            target.n_fitted,
        )
        return {
            metric: Drawn(outcomes.score("", metric), outcomes.resampled("", metric, self.draws))
            for metric in METRICS
        }

    def interval(self, first: Drawn, second: Drawn | None = None) -> Interval:
        """The widened interval of a score, or of a paired difference, first minus second."""
        estimate, resampled, least = first.score, first.resampled, 0.0
        if second is not None:
            estimate, resampled, least = estimate - second.score, resampled - second.resampled, -1.0
        return self._widened(estimate, resampled, (least, 1.0))

    def correlation(self, log_odds: Floats, column: Floats) -> Interval:
        """Spearman's rank correlation of log odds (n_repeats, n) with a column (n,), over repeats.

        Ranks are taken anew in each resample.
        """
        each = [
            _rank_correlations(odds[scored], column[scored], self.draws[:, scored])
            for odds, scored in zip(log_odds, self.cohort.target.scored, strict=True)
        ]
        estimate, *resampled = np.mean(each, axis=0)
        return self._widened(float(estimate), np.array(resampled), (-1.0, 1.0))

    def _widened(self, estimate: float, resampled: Floats, bounds: tuple[float, float]) -> Interval:
        target = self.cohort.target
        found = Interval(estimate, *percentile_interval(resampled, self.level))
        factor = widening(target.scored.any(axis=0).sum(), target.n_fitted)
        return found.widened(factor, bounds)


def require_models(models: Iterable[str]) -> None:
    """Raises LymphokitError where there is no model to test."""
    if not list(models):
        raise LymphokitError(
            "nothing to test: none of ensemble.product.images has descriptors and runs, or "
            "ensemble.product.clinical does not; enable bag_kernel or cell_types, and clinical"
        )


def stain_table(
    cohort: StainCohort,
    versions: Mapping[str, Versions],
    *,
    product: Sequence[str],
    clinical: Floats,
    resamples: int,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """The stain test of several models, a number a row.

    versions: of `StainCohort.versions`, by model; a model that is only scored has no more than
    `(NONE, "score")`. product: the models whose log odds the product averages. clinical
    (n_repeats, n): log odds by age and count.
    Columns `COLUMNS` and n_patients. score: `images`, `with age and count` or `with age, count and
    nuisance`: the sum of log odds, of which nothing is fitted. columns: the set removed. quantity:
    `score`, `removed`, `control`, `removed - score`, `removed - control`; `gain`, that of the sum
    over the score without images, `gain, removed` and `gain, control`; `correlation`, by ranks,
    with the density of the columns.
    """
    draws = patient_draws(cohort.target.labels, resamples=resamples, seed=seed)
    scorer = Scorer(cohort, draws, level)
    models = {**_together([versions[name] for name in product]), **versions}
    without = {PRODUCT: clinical[None], KNOWN: cohort.known_log_odds()[None]}
    rows = [
        row
        for score, log_odds in without.items()
        for row in _score_rows(scorer, _names(NO_IMAGES, score), {(NONE, "score"): log_odds})
    ]
    for model, found in models.items():
        rows += _score_rows(scorer, _names(model, ALONE), found)
        for score, log_odds in without.items():
            kept = found if score == PRODUCT else {(NONE, "score"): found[NONE, "score"]}
            sums = {key: each + log_odds for key, each in kept.items()}
            rows += _score_rows(scorer, _names(model, score), sums, scorer.drawn(log_odds))
        rows += _correlation_rows(scorer, model, found[NONE, "score"][0])
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(n_patients=int(cohort.target.scored.any(axis=0).sum()))


def _together(models: Sequence[Versions]) -> dict[str, Versions]:
    """The mean log odds of several models; none where there is one, which is the mean itself."""
    if len(models) < 2:
        return {}
    return {TOGETHER: {key: np.mean([each[key] for each in models], axis=0) for key in models[0]}}


def _names(model: str, score: str) -> Row:
    return {"model": model, "score": score}


def _score_rows(
    scorer: Scorer, names: Row, versions: Versions, without: Mapping[Metric, Drawn] | None = None
) -> list[Row]:
    """The rows of one score; without: the score without images, for the gain."""
    drawn = {key: scorer.drawn(log_odds) for key, log_odds in versions.items()}
    rows = []
    for metric in METRICS:
        for (columns, quantity), found in drawn.items():
            compared: dict[str, Drawn | None] = {quantity: None}
            if quantity == "removed":
                compared["removed - score"] = drawn[NONE, "score"][metric]
                compared["removed - control"] = drawn[columns, "control"][metric]
            if without:
                suffix = "" if quantity == "score" else f", {quantity}"
                compared[f"gain{suffix}"] = without[metric]
            for name, other in compared.items():
                rows.append(
                    _row(names, columns, name, metric, scorer.interval(found[metric], other))
                )
    return rows


def _correlation_rows(scorer: Scorer, model: str, log_odds: Floats) -> list[Row]:
    """The rank correlation of a model's log odds (n_repeats, n) with each density."""
    return [
        _row(
            _names(model, ALONE),
            place,
            "correlation",
            "rank_correlation",
            scorer.correlation(log_odds, density),
        )
        for place, density in densities(scorer.cohort.sets).items()
    ]


def _row(names: Row, columns: str, quantity: str, metric: str, found: Interval) -> Row:
    values = {"estimate": found.estimate, "low": found.low, "high": found.high}
    return {**names, "columns": columns, "quantity": quantity, "metric": metric, **values}


def _rank_correlations(first: Floats, second: Floats, draws: Floats) -> Floats:
    """Spearman's correlation of two values (n,) of all patients, then of each resample.

    draws (resamples, n): how often each patient is drawn -> (1 + resamples,).
    """
    counts = np.vstack([np.ones(len(first)), draws])
    ranks = [_weighted_ranks(values, counts) for values in (first, second)]
    sizes = counts.sum(axis=1, keepdims=True)
    # The mean of mid-ranks is the same whatever the values.
    x, y = (each - (sizes + 1) / 2 for each in ranks)
    covariance, *variances = ((counts * each).sum(axis=1) for each in (x * y, x * x, y * y))
    scale = np.sqrt(variances[0] * variances[1])
    return np.asarray(
        np.divide(covariance, scale, out=np.full(len(counts), np.nan), where=scale > 0)
    )


def _weighted_ranks(values: Floats, counts: Floats) -> Floats:
    """Mid-ranks of values (n,) in resamples that hold each `counts` times: (n_resamples, n)."""
    _, group = np.unique(values, return_inverse=True)
    in_group = np.zeros((len(counts), group.max() + 1))
    np.add.at(in_group.T, group, counts.T)
    below = np.cumsum(in_group, axis=1) - in_group
    return np.asarray((below + (in_group + 1) / 2)[:, group])

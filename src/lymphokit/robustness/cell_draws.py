"""How much the score of a model on cells depends on how many cells it sees, and on which.

A patient's images are a sample of their cells. Drawing fewer of them at random, many times, and
fitting everything anew on each draw shows how far scores differ where only the cells do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from lymphokit.bags.packed import Bags, Clinical, bags_of, clinical_of, labels_of
from lymphokit.ensemble.blend import Product
from lymphokit.evaluation import uncertainty
from lymphokit.evaluation.intervals import Interval, percentile_interval
from lymphokit.evaluation.log_odds import clipped_log_odds
from lymphokit.evaluation.metrics import Floats, Labels, Metric
from lymphokit.evaluation.out_of_fold import cross_predict, decision_table, derive_seed, inner_rows
from lymphokit.evaluation.threshold import Rule
from lymphokit.evaluation.uncertainty import Outcomes
from lymphokit.models.registry import create
from lymphokit.progress import quiet, track

Number = int | Literal["all"]
Block = Mapping[str, Any]

ALL: Literal["all"] = "all"
MEAN_OF_DRAWS = 0  # in the column `draw`: log odds averaged over all draws
SCORES: tuple[Metric, ...] = ("balanced_accuracy", "auc")
_KEY = ["model", "cells", "with_clinical"]
_OF_A_SCORE = ["model", "with_clinical", "metric"]
_OF_A_ROW = ["fold", "repeat", "part", "inner", "patient"]
_LEAST = float(np.finfo(np.float64).eps)  # a probability of 0 or 1 keeps finite log odds


@dataclass(frozen=True)
class DrawCohort:
    """The training patients and their cells.

    labels (n,); banks: bags of all their cells, by the name of the feature bank; folds: the rows
    of folds.csv.
    """

    labels: Labels
    clinical: Clinical
    banks: Mapping[str, Bags]
    folds: pd.DataFrame

    @classmethod
    def from_tables(
        cls,
        patients: pd.DataFrame,
        banks: Mapping[str, NDArray[np.floating]],
        folds: pd.DataFrame,
    ) -> Self:
        """From the table of all patients and features of all cells (n_cells, d), by bank."""
        training = np.flatnonzero(patients["part"] == "train")
        return cls(
            labels_of(patients)[training],
            clinical_of(patients).take(training),
            {name: bags_of(patients, bank).take(training) for name, bank in banks.items()},
            folds,
        )

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Cells of each patient: (n,)."""
        return next(iter(self.banks.values())).sizes

    def predict(self, block: Block, bags: Bags, seed: int) -> pd.DataFrame:
        """Inner and validation predictions of a model in every fold, fitted on these bags.

        Columns `fold, repeat` and those of predictions.csv.
        """
        tables, no_test = [], np.array([], dtype=np.int64)
        for _, fold in self.folds.groupby("fold"):
            cohort = bags, self.labels, self.clinical, fold, no_test
            with quiet():
                predictions = cross_predict(lambda seed: create(block, seed=seed), *cohort, seed)
            first = fold.iloc[0]
            tables.append(predictions.assign(fold=first["fold"], repeat=first["repeat"]))
        return pd.concat(tables, ignore_index=True)

    def product_of_experts(self, images: pd.DataFrame, clinical: pd.DataFrame) -> pd.DataFrame:
        """Predictions of the run's product of experts, of one model of images and one without.

        images, clinical: of `predict`, on the same rows.
        """
        tables = []
        both = images.assign(clinical=clinical["probability"].to_numpy())
        for _, fold in both.groupby("fold", sort=False):
            columns = fold[["probability", "clinical"]].to_numpy(np.float64)
            product = Product(models=("images", "clinical"), clinical="clinical")
            product.fit(columns, inner_rows(fold)[0], self.clinical)
            probabilities = product.predict_proba(columns, self.clinical)
            tables.append(fold.assign(probability=probabilities).drop(columns="clinical"))
        return pd.concat(tables, ignore_index=True)


def draw_cells(bags: Bags, number: Number, seed: int) -> Bags:
    """At most `number` cells of every bag, at random without replacement, in the order of the bag.

    A bag with fewer keeps all. A seed puts the cells of a bag into one random order, so that what
    it draws of few cells is part of what it draws of more.
    """
    if number == ALL:
        return bags
    places = np.random.default_rng(seed).random(len(bags.instances))
    order = np.lexsort((places, bags.bag_of))  # bag after bag, at random within a bag
    rank = np.arange(len(order)) - np.repeat(bags.offsets[:-1], bags.sizes)
    kept = np.sort(order[rank < number])
    offsets = np.concatenate([[0], np.cumsum(np.minimum(bags.sizes, number))]).astype(np.int64)
    return Bags(bags.instances[kept], offsets, bags.ids)


def draw_predictions(
    cohort: DrawCohort,
    models: Mapping[str, Block],
    clinical: Block | None,
    *,
    numbers: Sequence[Number],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Predictions of models that see so many cells of each patient, for every draw.

    models: blocks of config.yaml by name, each reading a bank of the cohort; clinical: that of a
    model on age and count, None for none. Everything is fitted in the fold on the drawn cells;
    seeds of models are those of the run in every draw, so that only the cells differ. Where a
    number leaves no cell out there is one draw.
    Columns: `model, cells, draw` (from 1; cells as text), `fold, repeat`, those of
    predictions.csv, and `with_clinical`, False for the model alone and True for its product with
    age and count.
    """
    all_cells = next(iter(cohort.banks.values()))
    of_clinical = None if clinical is None else cohort.predict(clinical, all_cells, seed)
    tables = []
    steps = list(_steps(cohort, models, numbers, draws))
    for name, number, draw in track(steps, "draws of cells"):
        bags = draw_cells(cohort.banks[models[name]["features"]], number, derive_seed(seed, draw))
        alone = cohort.predict(models[name], bags, seed)
        alone = alone.assign(model=name, cells=str(number), draw=draw)
        tables.append(alone.assign(with_clinical=False))
        if of_clinical is not None:
            product = cohort.product_of_experts(alone, of_clinical)
            tables.append(product.assign(with_clinical=True))
    return pd.concat([*tables, *_mean_of_draws(tables)], ignore_index=True)


def _steps(
    cohort: DrawCohort, models: Mapping[str, Block], numbers: Sequence[Number], draws: int
) -> Iterator[tuple[str, Number, int]]:
    """Every draw: the model, the number of cells, and the number of the draw."""
    for name, block in models.items():
        most = cohort.banks[block["features"]].sizes.max()
        for number in numbers:
            leaves_out = number != ALL and number < most
            yield from ((name, number, draw) for draw in range(1, (draws if leaves_out else 1) + 1))


def _mean_of_draws(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Predictions that average the log odds over the draws, where there are several."""
    table = pd.concat(tables, ignore_index=True)
    found = []
    for _, rows in table.groupby(_KEY, sort=False):
        first = rows[rows["draw"] == rows["draw"].min()]
        if len(first) == len(rows):
            continue
        odds = clipped_log_odds(rows["probability"].to_numpy(np.float64), _LEAST)
        means = rows.assign(odds=odds).groupby(_OF_A_ROW)["odds"].mean()
        wanted = means.loc[pd.MultiIndex.from_frame(first[_OF_A_ROW])].to_numpy(np.float64)
        found.append(first.assign(probability=expit(wanted), draw=MEAN_OF_DRAWS))
    return found


def draw_decisions(predictions: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Decisions on the validation patients of every draw, by thresholds of its inner predictions.

    predictions: as of `draw_predictions`. Columns `cells, draw, with_clinical` and those of the
    run's table of decisions.
    """
    tables = []
    for _, rows in predictions.groupby([*_KEY, "draw", "fold"], sort=False):
        first = rows.iloc[0]
        fold, repeat = int(first["fold"]), int(first["repeat"])
        decided = decision_table(rows, model=first["model"], fold=fold, repeat=repeat, rule=rule)
        tables.append(decided.assign(**first[["cells", "draw", "with_clinical"]]))
    return pd.concat(tables, ignore_index=True)


def draw_scores(decisions: pd.DataFrame) -> pd.DataFrame:
    """A row for each draw: `model, cells, draw, with_clinical, balanced_accuracy, auc`."""
    rows = []
    for (model, cells, with_clinical), of_key in decisions.groupby(_KEY, sort=False):
        outcomes = _outcomes(of_key[of_key["draw"] != MEAN_OF_DRAWS])
        for name in outcomes.models:
            row = {"model": model, "cells": cells, "draw": int(name)}
            row |= {"with_clinical": with_clinical}
            rows.append(row | {metric: outcomes.score(name, metric) for metric in SCORES})
    return pd.DataFrame(rows)


def draw_summary(
    decisions: pd.DataFrame, sizes: NDArray[np.int64], *, resamples: int, level: float, seed: int
) -> pd.DataFrame:
    """A row for each model, number of cells, with and without age and count, and score.

    decisions: as of `draw_decisions`; sizes (n,): cells of each patient.
    Columns `model, cells, with_clinical, metric, draws, n_patients`; `mean, sd, lowest, highest`
    over the draws; `low, high`: the interval over resampled patients, as in the score table, of a
    draw on average; `drawn_low, drawn_high`: over resampled patients and over draws, one at random
    in each resample; `averaged` with `averaged_low, averaged_high`: the log odds averaged over all
    draws; `patients_sd` and `other_cells_sd`: deviations for other patients, widened, and for other
    cells, of `other_cells_deviation`. With all cells there is one draw: its sd is 0, and drawn_low
    and drawn_high allow for other cells by the deviation that fewer cells show.
    """
    rows = []
    for (model, cells, with_clinical), of_key in decisions.groupby(_KEY, sort=False):
        averages = of_key["draw"] == MEAN_OF_DRAWS
        averaged = _outcomes(of_key[averages]) if averages.any() else None
        outcomes = _outcomes(of_key[~averages])
        patients = uncertainty.patient_draws(outcomes.labels, resamples=resamples, seed=seed)
        for metric in SCORES:
            over_draws = _over_draws(outcomes, metric)
            deviation = other_cells_deviation(over_draws["sd"], sizes, str(cells))
            row: dict[str, object] = {
                "model": model,
                "cells": cells,
                "with_clinical": with_clinical,
            }
            row |= {"metric": metric, **over_draws, "other_cells_sd": deviation}
            row |= _intervals(outcomes, metric, patients, level=level, seed=seed)
            mean = Interval(np.nan, np.nan, np.nan)
            if averaged:
                name = averaged.models[0]
                mean = uncertainty.interval(averaged, name, metric, patients, level)
            rows.append(row | mean.columns("averaged"))
    return _widen_for_other_cells(pd.DataFrame(rows))


def other_cells_deviation(sd: float, sizes: NDArray[np.int64], cells: str) -> float:
    """The deviation of the score with all cells, had other cells been photographed.

    sd: of the score over draws of so many cells from patients with these sizes. Drawing n of N
    cells without replacement varies a mean by 1/n - 1/N, photographing N others by 1/N, so that
    variances are as n : N - n. NaN where nothing was left out.
    Source: the delete-d jackknife, Shao and Wu 1989, which also holds for scores that are not
    smooth, such as a share of right calls, if much is left out.
    """
    kept = sizes.sum() if cells == ALL else np.minimum(sizes, int(cells)).sum()
    left_out = sizes.sum() - kept
    return float(sd * np.sqrt(kept / left_out)) if left_out else float("nan")


def _outcomes(decisions: pd.DataFrame) -> Outcomes:
    """The outcomes of every draw of one model, named by the draws' numbers."""
    named = decisions.assign(model=decisions["draw"].astype(str))
    return Outcomes.from_decisions(named, named["model"].unique().tolist())


def _over_draws(outcomes: Outcomes, metric: Metric) -> dict[str, float]:
    scores = np.array([outcomes.score(name, metric) for name in outcomes.models])
    return {
        "draws": len(scores),
        "n_patients": len(outcomes.patients),
        "mean": float(scores.mean()),
        "sd": float(scores.std(ddof=1)) if len(scores) > 1 else 0.0,
        "lowest": float(scores.min()),
        "highest": float(scores.max()),
    }


def _intervals(
    outcomes: Outcomes, metric: Metric, patients: Floats, *, level: float, seed: int
) -> dict[str, float]:
    """The ends of the interval over patients, and of that over patients and draws."""
    resampled = np.array([outcomes.resampled(name, metric, patients) for name in outcomes.models])
    estimates = [outcomes.score(name, metric) for name in outcomes.models]
    ends = [
        Interval(estimate, *percentile_interval(scores, level)).widened(
            outcomes.widening, (0.0, 1.0)
        )
        for estimate, scores in zip(estimates, resampled, strict=True)
    ]
    # Not the stream of the patients' draws: which draw is taken must not depend on who is drawn.
    drawn = np.random.default_rng([seed, 1]).integers(len(resampled), size=resampled.shape[1])
    either = resampled[drawn, np.arange(resampled.shape[1])]
    both = Interval(float(np.mean(estimates)), *percentile_interval(either, level))
    both = both.widened(outcomes.widening, (0.0, 1.0))
    return {
        "low": float(np.mean([each.low for each in ends])),
        "high": float(np.mean([each.high for each in ends])),
        "drawn_low": both.low,
        "drawn_high": both.high,
        "patients_sd": float(outcomes.widening * np.mean(np.nanstd(resampled, axis=1))),
    }


def _widen_for_other_cells(summary: pd.DataFrame) -> pd.DataFrame:
    """Where nothing was left out: the deviation found by drawing fewer, and a wider interval."""
    table = summary.copy()
    squares = (table["other_cells_sd"] ** 2).groupby([table[column] for column in _OF_A_SCORE])
    table["other_cells_sd"] = table["other_cells_sd"].fillna(np.sqrt(squares.transform("mean")))
    for place, row in table[table["draws"] == 1].dropna(subset="other_cells_sd").iterrows():
        stretch = np.hypot(1.0, row["other_cells_sd"] / row["patients_sd"])
        found = Interval(row["mean"], row["low"], row["high"]).widened(stretch, (0.0, 1.0))
        table.loc[place, ["drawn_low", "drawn_high"]] = found.low, found.high
    return table

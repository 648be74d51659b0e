"""Linear probes of candidate confounders, for the label and for the shift from train to test.

A probe meets the same conditions as a model: it is fitted on the training part of every fold and
predicts the patients held out, direction included. Its AUC comes with an interval over resampled
patients and with the AUCs on shuffled labels. Out of fold those lie a little below 0.5, because a
label held out is missing on the other side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control
from sklearn.model_selection import StratifiedKFold

from lymphokit.evaluation.intervals import percentile_interval
from lymphokit.evaluation.metrics import Floats
from lymphokit.evaluation.uncertainty import Outcomes, difference, interval, patient_draws
from lymphokit.studies.nuisance_columns import (
    AGE_AND_COUNT,
    CLINICAL,
    CONFOUNDERS,
    WITHOUT_CELLS,
    Confounder,
    varying,
)
from lymphokit.studies.probes import ProbeResult, ProbeSettings, ProbeTarget, probe

MIN_SHUFFLES = 1000
CONSTANT = {
    "varies": False,
    **dict.fromkeys(("auc", "low", "high", "balanced_accuracy", "chance_low", "chance_high"), 0.5),
    "adjusted_p": 1.0,
}
Results = Mapping[Confounder, ProbeResult]


@dataclass(frozen=True)
class ConfounderStudy:
    """Settings of the probes, the bootstrap over patients, and the seed of shuffles and draws."""

    probes: ProbeSettings
    resamples: int
    level: float
    seed: int

    @property
    def shuffles(self) -> int:
        """Shuffles of the labels, enough that one confounder of many can be significant."""
        return max(self.resamples, MIN_SHUFFLES)

    def probe(
        self,
        table: pd.DataFrame,
        target: ProbeTarget,
        confounders: Sequence[Confounder],
        *,
        shuffles: int,
    ) -> dict[Confounder, ProbeResult]:
        """The result of each confounder's probe, all on the same shuffles."""
        values = table.set_index("patient").loc[list(target.patients)]
        shuffled = target.shuffled(shuffles, self.seed)
        return {
            each: probe(
                target,
                values[list(each.columns)].to_numpy(np.float64),
                each.learner,
                self.probes,
                shuffled,
            )
            for each in confounders
        }

    def scores(
        self, confounders: Sequence[Confounder], outcomes: Outcomes, results: Results
    ) -> pd.DataFrame:
        """A row for each confounder, in their order; without a result, that of a constant one."""
        draws = self.draws(outcomes)
        rows = []
        for each in confounders:
            row = {"confounder": each.name, "family": each.family, **CONSTANT}
            row["n_patients"] = int(outcomes.scored.any(axis=0).sum())
            if each in results:
                auc = interval(outcomes, each.name, "auc", draws, self.level)
                low, high = percentile_interval(results[each].null_aucs, self.level)
                row |= {"varies": True, "auc": auc.estimate, "low": auc.low, "high": auc.high}
                row["balanced_accuracy"] = outcomes.score(each.name, "balanced_accuracy")
                row |= {"chance_low": low, "chance_high": high}
                row["adjusted_p"] = results[each].p_value(auc.estimate)
            rows.append(row)
        scores = pd.DataFrame(rows)
        varies = scores["varies"]
        adjusted = false_discovery_control(scores.loc[varies, "adjusted_p"])
        scores.loc[varies, "adjusted_p"] = adjusted
        return scores

    def draws(self, outcomes: Outcomes) -> Floats:
        """The resampled patients, the same for all confounders: (resamples, n)."""
        return patient_draws(outcomes.labels, resamples=self.resamples, seed=self.seed)


def label_scores(table: pd.DataFrame, folds: pd.DataFrame, study: ConfounderStudy) -> pd.DataFrame:
    """How well each confounder predicts the label of the patients in folds, and what it adds.

    table: of `confounder_columns`. Columns `confounder, family, varies, auc, low, high,
    balanced_accuracy, chance_low, chance_high` (the interval of AUCs on shuffled labels),
    `adjusted_p` (of a permutation test, after Benjamini and Hochberg's correction for the number
    of confounders), `n_patients`, and `added, added_low, added_high`: the gain of AUC over age and
    count when the confounder joins them, NaN where it cannot, or where these are constant. A
    constant confounder has AUC 0.5. All intervals are from the same draws of patients.
    """
    labelled = table[table["label"] >= 0]
    target = ProbeTarget.from_folds(labelled.set_index("patient")["label"], folds)
    present = varying(labelled, CONFOUNDERS)
    joined = {
        each.name: each.with_clinical()
        for each in present
        if each.learner == "trend"
        and not set(each.columns) & set(CLINICAL)
        and AGE_AND_COUNT in present  # else nothing can be added to them
    }
    results = study.probe(table, target, present, shuffles=study.shuffles)
    joined_results = study.probe(table, target, list(joined.values()), shuffles=0)
    outcomes = _outcomes(target, results | joined_results)
    scores = study.scores(CONFOUNDERS, outcomes, results)
    draws = study.draws(outcomes)
    scores[["added", "added_low", "added_high"]] = np.nan
    for name, both in joined.items():
        gain = difference(outcomes, both.name, AGE_AND_COUNT.name, "auc", draws, study.level)
        row = scores["confounder"] == name
        scores.loc[row, ["added", "added_low", "added_high"]] = [gain.estimate, gain.low, gain.high]
    return scores


def train_or_test_scores(
    table: pd.DataFrame, study: ConfounderStudy, *, k: int, repeats: int
) -> pd.DataFrame:
    """How well each confounder separates test from training patients: adversarial validation.

    Cross-validated over all patients in k parts, `repeats` times; a patient counts once. Columns
    as of `label_scores`, without what is added; the last row joins all that a model could use
    without looking at a cell.
    """
    target = train_or_test_target(table, k=k, repeats=repeats, seed=study.seed)
    confounders = (*CONFOUNDERS, WITHOUT_CELLS)
    results = study.probe(table, target, varying(table, confounders), shuffles=study.shuffles)
    return study.scores(confounders, _outcomes(target, results), results)


def train_or_test_target(table: pd.DataFrame, *, k: int, repeats: int, seed: int) -> ProbeTarget:
    """Label 1 for test patients, 0 for training patients, in folds stratified by it.

    k: at most as many folds a repeat as the rarer of the two has patients.
    """
    is_test = np.asarray(table["part"] == "test", dtype=np.int64)
    k = min(k, int(np.bincount(is_test).min()))
    held_out = np.empty((repeats, len(table)), dtype=np.int64)
    for repeat in range(repeats):
        splitter = StratifiedKFold(k, shuffle=True, random_state=(seed + repeat) % 2**32)
        for fold, (_, members) in enumerate(splitter.split(is_test, is_test), start=1):
            held_out[repeat, members] = repeat * k + fold
    return ProbeTarget(tuple(table["patient"]), is_test, held_out)


def _outcomes(target: ProbeTarget, results: Results) -> Outcomes:
    """The probes' predictions in the form that the bootstrap takes."""
    return Outcomes(
        target.patients,
        target.labels,
        tuple(each.name for each in results),
        np.stack([result.scores for result in results.values()]),
        np.stack([result.calls for result in results.values()]),
        target.scored,
        target.n_fitted,
    )

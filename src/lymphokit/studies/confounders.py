"""What predicts the label without being medicine, and what tells train from test patients.

A suspect is held to what a model is held to: a small classifier, fitted on the training part of
every fold, predicts the patients it has not seen, direction included. Its AUC comes with an
interval over resampled patients, and with what it reaches on shuffled labels: out of fold that is
not quite 0.5, and rather under it, because whoever is held out lacks on the other side.
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
    CLINICAL,
    MEDICINE,
    SUSPECTS,
    TOGETHER,
    Suspect,
    varying,
)
from lymphokit.studies.probes import Answers, Learners, Question, ask

LEAST_SHUFFLES = 1000
CONSTANT = {
    "varies": False,
    **dict.fromkeys(("auc", "low", "high", "balanced_accuracy", "chance_low", "chance_high"), 0.5),
    "adjusted_p": 1.0,
}


@dataclass(frozen=True)
class Trial:
    """How suspects are judged: the learners, the bootstrap, and as many shuffles of the labels.

    Of shuffles there are at least `LEAST_SHUFFLES`, so that one suspect among many can stand out.
    """

    learners: Learners
    resamples: int
    level: float
    seed: int

    @property
    def shuffles(self) -> int:
        """How often the labels are shuffled."""
        return max(self.resamples, LEAST_SHUFFLES)

    def hear(
        self,
        table: pd.DataFrame,
        question: Question,
        suspects: Sequence[Suspect],
        *,
        shuffles: int,
    ) -> dict[Suspect, Answers]:
        """What each suspect says of the question's patients, all on the same shuffles."""
        values = table.set_index("patient").loc[list(question.patients)]
        shuffled = question.shuffled(shuffles, self.seed)
        return {
            each: ask(
                question,
                values[list(each.columns)].to_numpy(np.float64),
                each.by,
                self.learners,
                shuffled,
            )
            for each in suspects
        }


def label_scores(table: pd.DataFrame, folds: pd.DataFrame, trial: Trial) -> pd.DataFrame:
    """How well each suspect tells the label of the patients in folds, alone and beside medicine.

    table: of `suspect_table`. Columns `suspect, family, varies, auc, low, high,
    balanced_accuracy, chance_low, chance_high` (the interval of AUCs on shuffled labels),
    `adjusted_p` (how often these reach the AUC, after Benjamini and Hochberg's correction for the
    number of suspects), `n_patients`, and `added, added_low, added_high`: by how much the AUC of
    age and count is higher with the suspect beside them, NaN for those that cannot stand there. A
    suspect that is the same for everybody tells nothing: 0.5. All intervals are from the same
    draws.
    """
    labelled = table[table["label"] >= 0]
    question = Question.of(labelled.set_index("patient")["label"], folds)
    alone = varying(labelled, SUSPECTS)
    beside = {
        each: each.beside_medicine()
        for each in alone
        if each.by == "trend" and not set(each.columns) & set(CLINICAL)
    }
    answers = trial.hear(table, question, alone, shuffles=trial.shuffles)
    answers |= trial.hear(table, question, list(beside.values()), shuffles=0)
    outcomes = _outcomes(question, answers)
    draws = patient_draws(question.labels, resamples=trial.resamples, seed=trial.seed)
    added = {}
    for each, together in beside.items():
        more = difference(outcomes, together.name, MEDICINE.name, "auc", draws, trial.level)
        added[each.name] = (more.estimate, more.low, more.high)
    scores = _scores(SUSPECTS, answers, outcomes, draws, trial.level)
    scores[["added", "added_low", "added_high"]] = [
        added.get(name, (np.nan,) * 3) for name in scores["suspect"]
    ]
    return scores


def train_or_test_scores(
    table: pd.DataFrame, trial: Trial, *, k: int, repeats: int
) -> pd.DataFrame:
    """How well each suspect tells test patients from training patients: adversarial validation.

    Cross-validated over all patients in k parts, `repeats` times anew; a patient counts once.
    Columns as of `label_scores`, less what is added; a last row asks together what a model could
    see without looking at a cell.
    """
    is_test = (table["part"] == "test").astype(int).set_axis(table["patient"])
    folds = train_or_test_folds(is_test, k=k, repeats=repeats, seed=trial.seed)
    question = Question.of(is_test, folds)
    suspects = (*SUSPECTS, TOGETHER)
    present = varying(table, suspects)
    answers = trial.hear(table, question, present, shuffles=trial.shuffles)
    draws = patient_draws(question.labels, resamples=trial.resamples, seed=trial.seed)
    return _scores(suspects, answers, _outcomes(question, answers), draws, trial.level)


def train_or_test_folds(
    is_test: "pd.Series[int]", *, k: int, repeats: int, seed: int
) -> pd.DataFrame:
    """Folds of all patients with their share of test patients each: as folds.csv has them.

    is_test (n,) by patient; k: at most as many as the rarer of the two has patients.
    """
    k = min(k, int(is_test.value_counts().min()))
    folds = []
    for repeat in range(repeats):
        splitter = StratifiedKFold(k, shuffle=True, random_state=seed + repeat)
        for fold, (_, held_out) in enumerate(splitter.split(is_test, is_test), start=1):
            own = pd.DataFrame({"patient": is_test.index, "part": "train"})
            own.loc[held_out, "part"] = "validation"
            folds.append(own.assign(fold=repeat * k + fold, repeat=repeat + 1))
    return pd.concat(folds, ignore_index=True)


def _outcomes(question: Question, answers: Mapping[Suspect, Answers]) -> Outcomes:
    """What the suspects say, as the bootstrap takes what models say."""
    return Outcomes(
        question.patients,
        question.labels,
        tuple(each.name for each in answers),
        np.stack([answer.scores for answer in answers.values()]),
        np.stack([answer.called for answer in answers.values()]),
        question.scored,
        question.n_fitted,
    )


def _scores(
    suspects: Sequence[Suspect],
    answers: Mapping[Suspect, Answers],
    outcomes: Outcomes,
    draws: Floats,
    level: float,
) -> pd.DataFrame:
    """A row a suspect, in their order."""
    p_values = {}
    rows: dict[Suspect, dict[str, object]] = {}
    for each in suspects:
        rows[each] = {"suspect": each.name, "family": each.family, **CONSTANT}
        rows[each]["n_patients"] = int(outcomes.scored.any(axis=0).sum())
        if each not in answers:
            continue
        told = interval(outcomes, each.name, "auc", draws, level)
        chance_low, chance_high = percentile_interval(answers[each].by_chance, level)
        p_values[each] = answers[each].p_value(told.estimate)
        rows[each] |= {
            "varies": True,
            "auc": told.estimate,
            "low": told.low,
            "high": told.high,
            "balanced_accuracy": outcomes.score(each.name, "balanced_accuracy"),
            "chance_low": chance_low,
            "chance_high": chance_high,
        }
    adjusted = false_discovery_control(list(p_values.values()))
    for each, p_value in zip(p_values, adjusted, strict=True):
        rows[each]["adjusted_p"] = p_value
    return pd.DataFrame(list(rows.values()))

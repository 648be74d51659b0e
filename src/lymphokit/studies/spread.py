"""What a single split would have told: the folds drawn again and again, the models refitted.

A patient is in validation once in every repeat, so repeats share all their patients: how far
they lie apart says how much the draw of the folds matters, never how well the score is known.
The only interval here is of a bootstrap over patients (`uncertainty`). How far single validation
parts lie apart is set beside what their size alone explains.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.cohort.folds import make_folds
from lymphokit.evaluation import metrics, uncertainty
from lymphokit.evaluation.intervals import percentile_interval
from lymphokit.evaluation.metrics import Floats, Metric
from lymphokit.evaluation.threshold import Rule
from lymphokit.evaluation.uncertainty import Outcomes
from lymphokit.studies.refit import Batch, Plan, refit
from lymphokit.studies.refit_scores import SCORES, Labelled, Verdicts, decide


@dataclass(frozen=True)
class Spread:
    """The repeats' folds and what every model decided in them."""

    cohort: Labelled
    plan: Plan
    verdicts: Mapping[str, Verdicts]

    @classmethod
    def of(
        cls,
        cohort: Labelled,
        *,
        repeats: int,
        fold_settings: Mapping[str, Any],
        rule: Rule,
        seed: int,
    ) -> "Spread":
        """Draw the k folds `repeats` times and refit all models on each.

        fold_settings: those `make_folds` takes; the first repeat's folds are the run's where it
        has k folds.
        """
        settings = {**fold_settings, "scheme": "kfold", "repeats": repeats}
        plan = cohort.plan(make_folds(cohort.patients, seed=seed, **settings))
        batch = Batch.single(cohort.labels, plan)
        said = refit(cohort.models, batch)
        return cls(cohort, plan, {name: decide(batch, own, rule)[0] for name, own in said.items()})

    def parts(self) -> pd.DataFrame:
        """The scores of every split of every model, as if there were no other.

        Rows `model, split, number, n_patients, n_tumoral, <SCORES>`: split is `part`, one
        validation part, number its fold; or `repeat`, the k parts of one drawing pooled.
        """
        numbers = {"part": np.arange(1, len(self.plan.repeat) + 1), "repeat": self.plan.repeat}
        return pd.DataFrame(
            [
                {"model": name, "split": split, "number": int(number)}
                | _scores(verdicts, number_of == number)
                for name, verdicts in self.verdicts.items()
                for split, number_of in numbers.items()
                for number in np.unique(number_of)
            ]
        )

    def decisions(self) -> pd.DataFrame:
        """The validation rows of the long table of decisions, as `decision_table` has them."""
        names = self.cohort.patients["patient"].to_numpy()
        tables = []
        for model, verdicts in self.verdicts.items():
            folds, patients = np.nonzero(verdicts.scored)
            columns = {
                "fold": folds + 1,
                "repeat": self.plan.repeat[folds],
                "patient": names[patients],
                "part": "validation",
                "label": verdicts.labels[patients],
                "model": model,
                "n_fitted": (self.plan.inner[folds] >= 0).sum(axis=1),
                "probability": verdicts.probabilities[folds, patients],
                "threshold": verdicts.thresholds[folds],
                "decision": verdicts.decisions[folds, patients],
            }
            tables.append(pd.DataFrame(columns))
        return pd.concat(tables, ignore_index=True)

    def table(self, *, resamples: int, level: float, seed: int) -> pd.DataFrame:
        """A row a model and score: pooled with its interval, repeats, parts, and n's own band.

        Columns `model, metric, pooled, low, high`: the mean of the repeats and its interval over
        resampled patients; `repeats_min, _max, _sd, parts_min, _max, _sd, n_repeats, n_parts,
        part_patients`; and `by_n_low, by_n_high, by_n_sd`: of `by_size_alone`.
        """
        outcomes = Outcomes.from_decisions(self.decisions(), list(self.verdicts))
        draws = uncertainty.patient_draws(outcomes.labels, resamples=resamples, seed=seed)
        parts = self.parts()
        rows = []
        for model in self.verdicts:
            for metric in SCORES:
                known = uncertainty.interval(outcomes, model, metric, draws, level)
                row = {"model": model, "metric": metric, "pooled": known.estimate}
                row |= {"low": known.low, "high": known.high}
                for split, own in parts[parts["model"] == model].groupby("split"):
                    scores = own[metric]
                    row |= {f"{split}s_min": scores.min(), f"{split}s_max": scores.max()}
                    row |= {f"{split}s_sd": scores.std(), f"n_{split}s": len(scores)}
                alone = self.by_size_alone(model, metric, resamples=resamples, seed=seed)
                low, high = percentile_interval(alone, level)
                row |= {"by_n_low": low, "by_n_high": high, "by_n_sd": np.nanstd(alone)}
                rows.append(row | {"part_patients": self._part_size()})
        return pd.DataFrame(rows)

    def by_size_alone(self, model: str, metric: Metric, *, resamples: int, seed: int) -> Floats:
        """Scores of sets of patients as large as a part, drawn from all: (about resamples,).

        Each is drawn with replacement from the patients as one repeat's models saw them, with as
        many of each label as a part has. No model and no fold differs: only who happens to be in.
        """
        verdicts, repeats = self.verdicts[model], np.unique(self.plan.repeat)
        generator = np.random.default_rng(seed)
        each = -(-resamples // len(repeats))
        scores = []
        for repeat in repeats:
            seen = verdicts.scored & (self.plan.repeat == repeat)[:, None]
            _, patients = np.nonzero(seen)
            labels = verdicts.labels[patients]
            draws = np.zeros((each, len(labels)))
            for label in (0, 1):
                of_label = np.flatnonzero(labels == label)
                share = np.full(len(of_label), 1 / len(of_label))
                number = round(len(of_label) / (self.plan.repeat == repeat).sum())
                draws[:, of_label] = generator.multinomial(number, share, size=each)
            said = verdicts.probabilities[seen]
            scores.append(metrics.resampled(metric, labels, verdicts.decisions[seen], said, draws))
        return np.concatenate(scores)

    def _part_size(self) -> int:
        """Patients in a validation part; parts differ by one at most."""
        return int((self.plan.inner < 0).sum(axis=1).max())


def _scores(verdicts: Verdicts, folds: NDArray[np.bool_]) -> dict[str, float]:
    """How many patients these folds (n_folds,) have in validation, and the scores of them."""
    _, seen = np.nonzero(verdicts.scored & folds[:, None])
    sizes = {"n_patients": len(seen), "n_tumoral": int(verdicts.labels[seen].sum())}
    return sizes | {metric: verdicts.score(metric, folds) for metric in SCORES}

"""Predictions of patients by models that never saw them, and the decisions taken on them.

Within the training part of a fold, every patient is predicted by a model fitted on the other
inner folds ("inner" rows); thresholds, voters and weights are chosen on these. Validation and
test patients are predicted by a model fitted on the whole training part.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.bags.contract import BagModel
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.cohort.tables import read_table
from lymphokit.errors import LymphokitError
from lymphokit.evaluation import threshold as thresholds
from lymphokit.evaluation.threshold import Rule
from lymphokit.progress import track

COLUMNS = ["patient", "part", "inner", "label", "probability"]
Positions = NDArray[np.integer]


class LeakError(LymphokitError):
    """A model was about to be scored on patients that it was fitted on, or to see test labels."""


class PredictionsError(LymphokitError):
    """Predictions do not belong together: a patient is missing, doubled, or out of range."""


def derive_seed(seed: int, fold: int, inner: int = -1) -> int:
    """The seed of one fit, from the run's seed, its fold and its inner fold (-1: none).

    31 bits, which every library accepts.
    """
    return int(np.random.SeedSequence([seed, fold, inner + 1]).generate_state(1)[0]) >> 1


@dataclass(frozen=True)
class Fit:
    """Whose bags one model was handed to learn from, and whom it predicted afterwards.

    inner: the inner fold that it holds out, -1 for the model of the whole training part.
    """

    inner: int
    fitted_on: tuple[str, ...]
    predicted: tuple[str, ...]


@dataclass(frozen=True)
class _Cohort:
    """All patients; only the bags that a step needs are copied, and dropped after it."""

    bags: Bags
    labels: NDArray[np.int64]
    clinical: Clinical

    def fit(self, model: BagModel, on: Positions) -> tuple[BagModel, tuple[str, ...]]:
        """Fit the model on the patients at these positions; the ids of the bags it was handed."""
        bags = self.bags.take(on)
        return model.fit(bags, self.labels[on], self.clinical.take(on)), bags.ids

    def predict(
        self, model: BagModel, fitted_on: Positions, of: Positions, part: str, inner: int = -1
    ) -> pd.DataFrame:
        """Rows of predictions.csv for the patients at positions `of`."""
        self.refuse_overlap(fitted_on, of, part)
        bags = self.bags.take(of)
        columns = {
            "patient": bags.ids,
            "part": part,
            "inner": inner,
            "label": self.labels[of],
            "probability": model.predict_proba(bags, self.clinical.take(of)),
        }
        return pd.DataFrame(columns, columns=COLUMNS)

    def refuse_overlap(self, fitted_on: Positions, of: Positions, part: str) -> None:
        """Raise LeakError where a patient to be predicted is among those fitted on."""
        both = np.intersect1d(fitted_on, of)
        if len(both):
            names = ", ".join(self.names(both))
            raise LeakError(f"{part} patients are also fitted on: {names}; make the folds anew")

    def names(self, of: Positions) -> list[str]:
        """The ids of the patients at these positions."""
        return [self.bags.ids[position] for position in of]


def cross_predict(
    make_model: Callable[[int], BagModel],
    bags: Bags,
    labels: NDArray[np.int64],
    clinical: Clinical,
    fold: pd.DataFrame,
    test: Positions,
    seed: int,
    *,
    fits: list[Fit] | None = None,
) -> tuple[pd.DataFrame, BagModel]:
    """Predictions of all patients of one fold, and the model fitted on its whole training part.

    make_model takes a seed. bags, labels (n,) and clinical hold all patients, label -1 for a test
    patient; fold is the rows of folds.csv of one fold; test the positions of the test patients.
    fits, where given, is added to: one Fit a model, taken from the bags that it really was handed,
    so that an audit need not trust the fold table.
    Returns the rows of predictions.csv: `patient, part, inner, label, probability`.
    Raises LeakError where a patient would be predicted by a model fitted on them, PredictionsError
    where the fold is not of these patients.
    """
    cohort = _Cohort(bags, labels, clinical)
    number, inner_of, validation = _parts(cohort, fold, np.asarray(test, dtype=np.int64))
    training = np.flatnonzero(inner_of >= 0)
    tables = []
    evidence: list[Fit] = [] if fits is None else fits
    for inner in track(np.unique(inner_of[training]).tolist(), f"fold {number}, inner folds"):
        others, held_out = training[inner_of[training] != inner], np.flatnonzero(inner_of == inner)
        model, handed = cohort.fit(make_model(derive_seed(seed, number, inner)), others)
        tables.append(cohort.predict(model, others, held_out, "inner", inner))
        evidence.append(Fit(inner, handed, tuple(tables[-1]["patient"])))
    n_inner = len(tables)
    model, handed = cohort.fit(make_model(derive_seed(seed, number)), training)
    for part, of in {"validation": validation, "test": np.asarray(test, dtype=np.int64)}.items():
        if len(of):
            tables.append(cohort.predict(model, training, of, part))
    predicted = tuple(patient for table in tables[n_inner:] for patient in table["patient"])
    evidence.append(Fit(-1, handed, predicted))
    return pd.concat(tables, ignore_index=True), model


def check(predictions: pd.DataFrame) -> pd.DataFrame:
    """The predictions of one model in one fold as they are, if they can be used.

    Raises PredictionsError for a patient named twice or a probability outside [0, 1].
    """
    lacking = [column for column in COLUMNS if column not in predictions]
    _refuse(PredictionsError, "predictions lack columns", lacking)
    doubled = predictions.loc[predictions["patient"].duplicated(), "patient"]
    _refuse(PredictionsError, "predicted more than once in one fold", doubled)
    outside = predictions.loc[~predictions["probability"].between(0, 1), "patient"]
    _refuse(PredictionsError, "no probability from 0 to 1 was predicted for", outside)
    return predictions


def read_predictions(path: Path) -> pd.DataFrame:
    """The rows of a predictions.csv, bit for bit those that were written, patients as text."""
    return read_table(path, COLUMNS)


def decisions(
    predictions: pd.DataFrame, *, model: str, fold: int, repeat: int, rule: Rule
) -> pd.DataFrame:
    """What one model decides on the validation and test patients of one fold.

    The threshold is chosen on the fold's inner rows alone. Rows `fold, repeat, patient, part,
    label, model, n_fitted, probability, threshold, decision`; n_fitted: the number of patients in
    the training part.
    """
    inner = check(predictions).query("part == 'inner'")
    threshold = thresholds.choose(
        rule, inner["label"].to_numpy(np.int64), inner["probability"].to_numpy(np.float64)
    )
    decided = predictions.loc[predictions["part"] != "inner"]
    return pd.DataFrame(
        {
            "fold": fold,
            "repeat": repeat,
            "patient": decided["patient"].to_numpy(),
            "part": decided["part"].to_numpy(),
            "label": decided["label"].to_numpy(np.int64),
            "model": model,
            "n_fitted": len(inner),
            "probability": decided["probability"].to_numpy(np.float64),
            "threshold": threshold,
            "decision": thresholds.decide(decided["probability"].to_numpy(np.float64), threshold),
        }
    )


def assemble(
    predictions: Mapping[str, Sequence[pd.DataFrame]], patients: Sequence[str]
) -> pd.DataFrame:
    """The out-of-fold table: a row a training patient, a column a model.

    predictions: for each model, its predictions in every fold; patients: all training patients in
    the order of the rows. Columns `patient, label`, then the models': the mean probability over
    the folds that had the patient in validation (one a repeat), NaN where none had.
    """
    label_of: dict[str, int] = {}
    columns = {}
    for model, folds in predictions.items():
        table = pd.concat([check(fold) for fold in folds], ignore_index=True)
        known = table.loc[table["part"] != "test"]
        label_of |= dict(zip(known["patient"], known["label"].astype(int), strict=True))
        validation = table.loc[table["part"] == "validation"]
        columns[model] = validation.groupby("patient")["probability"].mean().reindex(list(patients))
    _refuse(PredictionsError, "no prediction of", [p for p in patients if p not in label_of])
    _refuse(PredictionsError, "not training patients", sorted(set(label_of) - set(patients)))
    table = pd.DataFrame({"patient": list(patients), "label": [label_of[p] for p in patients]})
    return table.assign(**{model: column.to_numpy() for model, column in columns.items()})


def _parts(
    cohort: _Cohort, fold: pd.DataFrame, test: Positions
) -> tuple[int, Positions, Positions]:
    """The fold's number, each patient's inner fold (-1: not in training), who validates.

    Raises LeakError unless training, validation and test share no patient.
    """
    numbers = fold["fold"].unique().tolist()
    if len(numbers) != 1:
        raise PredictionsError(f"expected the rows of one fold, found those of {numbers}")
    name = f"fold {numbers[0]}"
    _refuse(LeakError, f"{name} holds twice", fold.loc[fold["patient"].duplicated(), "patient"])
    position_of = {patient: position for position, patient in enumerate(cohort.bags.ids)}
    foreign = fold.loc[~fold["patient"].isin(list(position_of)), "patient"]
    _refuse(PredictionsError, f"{name} holds patients without a bag", foreign)
    positions = fold["patient"].map(position_of).to_numpy(np.int64)
    cohort.refuse_overlap(positions, test, "test")
    unlabelled = positions[~np.isin(cohort.labels[positions], (0, 1))]
    _refuse(LeakError, f"{name} holds patients without a label", cohort.names(unlabelled))
    labelled = test[cohort.labels[test] != -1]
    _refuse(LeakError, "test patients come with a label, not -1", cohort.names(labelled))
    is_training = (fold["part"] == "train").to_numpy()
    inner_of = np.full(len(cohort.bags), -1, dtype=np.int64)
    inner_of[positions[is_training]] = fold.loc[is_training, "inner"].to_numpy(np.int64)
    nowhere = positions[is_training][inner_of[positions[is_training]] < 0]
    _refuse(PredictionsError, f"{name} trains on patients of no inner fold", cohort.names(nowhere))
    return int(numbers[0]), inner_of, np.sort(positions[~is_training])


def _refuse(error: type[LymphokitError], finding: str, patients: Iterable[str]) -> None:
    """Raise the error if it concerns anybody, naming them."""
    names = list(patients)
    if names:
        raise error(f"{finding}: {', '.join(names)}")

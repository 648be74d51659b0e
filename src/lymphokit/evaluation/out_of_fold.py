"""Nested cross-validation: out-of-fold predictions of a model, and the decisions taken on them.

Each training part is divided into inner folds. Inner rows hold out-of-fold predictions of the
training patients; thresholds, voters and weights are chosen on these rows alone. Validation and
test rows come from the model fitted on the whole training part.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.bags.contract import AnyModel
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.errors import LymphokitError
from lymphokit.evaluation import threshold as thresholds
from lymphokit.evaluation.metrics import Floats, Labels
from lymphokit.evaluation.threshold import Rule
from lymphokit.progress import track

COLUMNS = ["patient", "part", "inner", "label", "probability"]
DECISION_COLUMNS = [
    *("fold", "repeat", "patient", "part", "label", "model", "n_fitted"),
    *("probability", "threshold", "decision"),
]
Positions = NDArray[np.integer]


class LeakError(LymphokitError):
    """A model would be scored on patients that it was fitted on, or test labels are visible."""


class PredictionsError(LymphokitError):
    """Predictions do not belong together: a patient is missing, doubled, or out of range."""


def derive_seed(seed: int, fold: int, inner: int = -1) -> int:
    """The seed of one fit, from the run's seed, its fold and its inner fold (-1: none).

    31 bits, which every library accepts.
    """
    return int(np.random.SeedSequence([seed, fold, inner + 1]).generate_state(1)[0]) >> 1


@dataclass(frozen=True)
class Fit:
    """The patients whose bags one fit received, and the patients it predicted.

    inner: the inner fold that it held out, -1 for the fit on the whole training part.
    """

    inner: int
    fitted_on: tuple[str, ...]
    predicted: tuple[str, ...]


@dataclass(frozen=True)
class _Patients:
    """All patients; label -1 for a test patient."""

    bags: Bags
    labels: Labels
    clinical: Clinical

    def fit_and_predict(
        self, model: AnyModel, training: Positions, scored: Mapping[str, Positions], inner: int
    ) -> tuple[list[pd.DataFrame], Fit]:
        """Fit at the positions `training`, predict each part in `scored`: rows of predictions.csv.

        Only the bags of one step are in memory at a time. Fit records the ids of the bags that the
        model really received. Raises LeakError where a patient to predict is among the training.
        """
        bags = self.bags.take(training)
        model = model.fit(bags, self.labels[training], self.clinical.take(training))
        fitted_on, tables = bags.ids, []
        for part, positions in scored.items():
            self.raise_on_overlap(training, positions, part)
            bags = self.bags.take(positions)
            columns = {
                "patient": bags.ids,
                "part": part,
                "inner": inner,
                "label": self.labels[positions],
                "probability": model.predict_proba(bags, self.clinical.take(positions)),
            }
            tables.append(pd.DataFrame(columns, columns=COLUMNS))
        predicted = tuple(patient for table in tables for patient in table["patient"])
        return tables, Fit(inner, fitted_on, predicted)

    def raise_on_overlap(self, training: Positions, scored: Positions, part: str) -> None:
        """Raise LeakError where a patient to predict is among those fitted on."""
        both = self.names(np.intersect1d(training, scored))
        if both:
            names = ", ".join(both)
            raise LeakError(f"{part} patients are also fitted on: {names}; make the folds anew")

    def names(self, positions: Positions) -> list[str]:
        """The ids of the patients at these positions."""
        return [self.bags.ids[position] for position in positions]


def cross_predict(
    make_model: Callable[[int], AnyModel],
    bags: Bags,
    labels: Labels,
    clinical: Clinical,
    fold: pd.DataFrame,
    test: Positions,
    seed: int,
    *,
    fits: list[Fit] | None = None,
    models: list[AnyModel] | None = None,
) -> pd.DataFrame:
    """Predict all patients of one fold.

    make_model takes a seed. bags, labels (n,) and clinical hold all patients, label -1 for a test
    patient; fold holds the rows of folds.csv of one fold; test the positions of the test patients.
    fits, where given, receives one Fit per model, so that the audit can check who was fitted on
    without trusting the fold table. models, where given, receives the model that predicted the
    validation and test patients.
    Returns the rows of predictions.csv: `patient, part, inner, label, probability`.
    Raises LeakError where a patient would be predicted by a model fitted on them, PredictionsError
    where the fold does not belong to these patients.
    """
    patients, test = _Patients(bags, labels, clinical), np.asarray(test, dtype=np.int64)
    number, inner_of, validation = _positions(patients, fold, test)
    training = np.flatnonzero(inner_of >= 0)
    rows: list[pd.DataFrame] = []
    records: list[Fit] = [] if fits is None else fits
    for inner in track(np.unique(inner_of[training]).tolist(), f"fold {number}, inner folds"):
        others, held_out = training[inner_of[training] != inner], np.flatnonzero(inner_of == inner)
        model = make_model(derive_seed(seed, number, inner))
        tables, record = patients.fit_and_predict(model, others, {"inner": held_out}, inner)
        rows += tables
        records.append(record)
    parts = {"validation": validation, "test": test}
    scored = {part: positions for part, positions in parts.items() if len(positions)}
    model = make_model(derive_seed(seed, number))
    tables, record = patients.fit_and_predict(model, training, scored, -1)
    records.append(record)
    if models is not None:
        models.append(model)
    return pd.concat([*rows, *tables], ignore_index=True)


def fit_training_part(
    make_model: Callable[[int], AnyModel],
    bags: Bags,
    labels: Labels,
    clinical: Clinical,
    fold: pd.DataFrame,
    seed: int,
) -> AnyModel:
    """Fit again the model of `cross_predict` that predicts the validation and test patients.

    The same arguments give the same model: none is stored.
    """
    training = np.flatnonzero(np.isin(bags.ids, fold.loc[fold["part"] == "train", "patient"]))
    model = make_model(derive_seed(seed, int(fold["fold"].iloc[0])))
    return model.fit(bags.take(training), labels[training], clinical.take(training))


def validate(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions of one model in one fold unchanged, if they can be used.

    Raises PredictionsError for a patient named twice or a probability outside [0, 1].
    """
    lacking = [column for column in COLUMNS if column not in predictions]
    _raise_if_any(PredictionsError, "predictions lack columns", lacking)
    doubled = predictions.loc[predictions["patient"].duplicated(), "patient"]
    _raise_if_any(PredictionsError, "predicted more than once in one fold", doubled)
    outside = predictions.loc[~predictions["probability"].between(0, 1), "patient"]
    _raise_if_any(PredictionsError, "no probability from 0 to 1 was predicted for", outside)
    return predictions


def inner_rows(predictions: pd.DataFrame, column: str = "probability") -> tuple[Labels, Floats]:
    """Labels and probabilities (n,) of the inner rows: all that a choice may be fitted on."""
    inner = predictions[predictions["part"] == "inner"]
    return inner["label"].to_numpy(np.int64), inner[column].to_numpy(np.float64)


def decision_table(
    predictions: pd.DataFrame, *, model: str, fold: int, repeat: int, rule: Rule
) -> pd.DataFrame:
    """Decide on the validation and test patients of one fold, with a threshold of its inner rows.

    Columns DECISION_COLUMNS; n_fitted is the number of patients in the training part.
    """
    labels, probabilities = inner_rows(validate(predictions))
    threshold = thresholds.choose(rule, labels, probabilities)
    scored = predictions[predictions["part"] != "inner"].reset_index(drop=True)
    decided = thresholds.decide(scored["probability"].to_numpy(np.float64), threshold)
    table = scored.assign(
        fold=fold,
        repeat=repeat,
        model=model,
        n_fitted=len(labels),
        threshold=threshold,
        decision=decided,
    )
    return table[DECISION_COLUMNS]


def out_of_fold_table(
    predictions: Mapping[str, Sequence[pd.DataFrame]], patients: Sequence[str]
) -> pd.DataFrame:
    """The out-of-fold table: a row per training patient, a column per model.

    predictions: for each model its predictions in every fold; patients: all training patients in
    the order of the rows. Columns `patient, label`, then the models': the mean probability over
    the folds in which the patient was in validation (one per repeat), NaN without any.
    """
    label_of: dict[str, int] = {}
    columns = {}
    for model, folds in predictions.items():
        table = pd.concat([validate(fold) for fold in folds], ignore_index=True)
        known = table.loc[table["part"] != "test"]
        label_of |= dict(zip(known["patient"], known["label"].astype(int), strict=True))
        validation = table.loc[table["part"] == "validation"]
        means = validation.groupby("patient")["probability"].mean()
        columns[model] = means.reindex(list(patients)).to_numpy()
    missing = [patient for patient in patients if patient not in label_of]
    _raise_if_any(PredictionsError, "no prediction of", missing)
    _raise_if_any(PredictionsError, "not training patients", sorted(set(label_of) - set(patients)))
    labels = [label_of[patient] for patient in patients]
    return pd.DataFrame({"patient": list(patients), "label": labels, **columns})


def _positions(
    patients: _Patients, fold: pd.DataFrame, test: Positions
) -> tuple[int, Positions, Positions]:
    """The fold's number, each patient's inner fold (-1: not in training), validation positions.

    Raises LeakError unless training, validation and test share no patient.
    """
    numbers = fold["fold"].unique().tolist()
    if len(numbers) != 1:
        raise PredictionsError(f"expected the rows of one fold, found those of {numbers}")
    name = f"fold {numbers[0]}"
    doubled = fold.loc[fold["patient"].duplicated(), "patient"]
    _raise_if_any(LeakError, f"{name} holds twice", doubled)
    position_of = {patient: position for position, patient in enumerate(patients.bags.ids)}
    foreign = fold.loc[~fold["patient"].isin(list(position_of)), "patient"]
    _raise_if_any(PredictionsError, f"{name} holds patients without a bag", foreign)
    positions = fold["patient"].map(position_of).to_numpy(np.int64)
    patients.raise_on_overlap(positions, test, "test")
    unlabelled = patients.names(positions[~np.isin(patients.labels[positions], (0, 1))])
    _raise_if_any(LeakError, f"{name} holds patients without a label", unlabelled)
    labelled = patients.names(test[patients.labels[test] != -1])
    _raise_if_any(LeakError, "test patients come with a label, not -1", labelled)
    is_training = (fold["part"] == "train").to_numpy()
    inner = fold.loc[is_training, "inner"].to_numpy(np.int64)
    nowhere = patients.names(positions[is_training][inner < 0])
    _raise_if_any(PredictionsError, f"{name} trains on patients of no inner fold", nowhere)
    inner_of = np.full(len(patients.bags), -1, dtype=np.int64)
    inner_of[positions[is_training]] = inner
    return int(numbers[0]), inner_of, np.sort(positions[~is_training])


def _raise_if_any(error: type[LymphokitError], finding: str, patients: Iterable[str]) -> None:
    """Raise the error where there is a patient with this finding, naming them."""
    names = list(patients)
    if names:
        raise error(f"{finding}: {', '.join(names)}")

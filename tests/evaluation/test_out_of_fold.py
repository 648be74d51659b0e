from typing import Self

import numpy as np
import pandas as pd
import pytest

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.cohort.tables import read_table
from lymphokit.evaluation import out_of_fold

N_TRAINING, N_TEST = 20, 4


class Spy:
    """Records the patients of each call and predicts a patient's number in hundredths."""

    def __init__(self, seed: int, log: list[tuple[str, tuple[str, ...]]]) -> None:
        self.seed, self.log = seed, log

    def fit(self, bags: Bags, labels: np.ndarray, clinical: Clinical) -> Self:
        assert set(labels) <= {0, 1}
        assert len(bags) == len(labels) == len(clinical)
        self.log.append(("fit", bags.ids))
        self.fitted_on = set(bags.ids)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> np.ndarray:
        assert self.fitted_on.isdisjoint(bags.ids)
        np.testing.assert_array_equal(bags.instances[bags.offsets[:-1], 0], clinical.age_years)
        self.log.append(("predict", bags.ids))
        return np.array([int(patient[1:]) for patient in bags.ids]) / 100 + self.seed % 997 / 1e4


def cohort() -> tuple[Bags, np.ndarray, Clinical]:
    """Training and test patients mixed; each cell's feature is its patient's age."""
    generator = np.random.default_rng(3)
    n = N_TRAINING + N_TEST
    ages = np.arange(n) + 30.0
    bags = Bags.pack(
        [np.full((generator.integers(1, 4), 1), age) for age in ages], [f"P{i}" for i in range(n)]
    )
    labels = np.arange(n) % 2
    labels[::6] = -1
    return bags, labels, Clinical(ages, np.ones(n))


def fold_of(bags: Bags, labels: np.ndarray, number: int = 2) -> pd.DataFrame:
    training = [patient for patient, label in zip(bags.ids, labels, strict=True) if label >= 0]
    parts = ["validation" if place % 5 == number % 5 else "train" for place in range(len(training))]
    inner = [place % 3 if part == "train" else -1 for place, part in enumerate(parts)]
    return pd.DataFrame(
        {"fold": number, "repeat": 1, "patient": training, "part": parts, "inner": inner}
    )


def run(log, *, labels=None, fold=None, test=None, seed=5, fits=None):
    bags, all_labels, clinical = cohort()
    labels = all_labels if labels is None else labels
    fold = fold_of(bags, all_labels) if fold is None else fold
    test = np.flatnonzero(all_labels < 0) if test is None else test
    return out_of_fold.cross_predict(
        lambda s: Spy(s, log), bags, labels, clinical, fold, test, seed, fits=fits
    )


def refitted(seed=5):
    """The model that predicts the validation and test patients, fitted again."""
    bags, labels, clinical = cohort()
    fold = fold_of(bags, labels)
    return out_of_fold.fit_training_part(lambda s: Spy(s, []), bags, labels, clinical, fold, seed)


def test_nobody_is_predicted_by_a_model_fitted_on_them():
    log: list[tuple[str, tuple[str, ...]]] = []
    predictions, model = run(log), refitted()
    fitted_on: set[str] = set()
    for what, patients in log:
        if what == "fit":
            fitted_on = set(patients)
        assert what == "fit" or fitted_on.isdisjoint(patients)
    bags, labels, _ = cohort()
    fold = fold_of(bags, labels)
    training = set(fold.loc[fold["part"] == "train", "patient"])
    assert model.fitted_on == training
    assert set(predictions.loc[predictions["part"] == "inner", "patient"]) == training


def test_every_inner_row_comes_from_a_model_of_the_other_inner_folds():
    log: list[tuple[str, tuple[str, ...]]] = []
    predictions = run(log)
    inner_of = predictions.set_index("patient")["inner"]
    pairs = list(zip(log[::2], log[1::2], strict=False))[:3]
    for inner, ((fit, fitted_on), (predict, predicted)) in enumerate(pairs):
        assert (fit, predict) == ("fit", "predict")
        assert {inner_of[patient] for patient in predicted} == {inner}
        assert {inner_of[patient] for patient in fitted_on} == {0, 1, 2} - {inner}


def test_everybody_is_predicted_once_and_belongs_to_their_own_probability():
    predictions, model = run([]), refitted()
    bags, labels, _ = cohort()
    assert sorted(predictions["patient"]) == sorted(bags.ids)
    assert list(predictions.columns) == out_of_fold.COLUMNS
    label_of = dict(zip(bags.ids, labels, strict=True))
    assert predictions["label"].tolist() == [label_of[p] for p in predictions["patient"]]
    last = predictions.loc[predictions["part"] != "inner"]
    numbers = last["patient"].str[1:].astype(int)
    np.testing.assert_allclose(last["probability"] - numbers / 100, model.seed % 997 / 1e4)
    assert (last["inner"] == -1).all()


def test_same_seed_same_predictions_and_every_fit_has_its_own_seed():
    first, second, other = run([]), run([]), run([], seed=6)
    pd.testing.assert_frame_equal(first, second)
    assert not first["probability"].equals(other["probability"])
    seeds = {
        out_of_fold.derive_seed(5, fold, inner) for fold in range(1, 11) for inner in range(-1, 5)
    }
    assert len(seeds) == 60
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_test_patient_inside_the_fold_is_refused():
    bags, labels, _ = cohort()
    fold = fold_of(bags, labels)
    stranger = list(bags.ids).index(fold.loc[fold["part"] == "train", "patient"].iloc[0])
    with pytest.raises(
        out_of_fold.LeakError, match=f"test patients are also fitted on: P{stranger}"
    ):
        run([], test=np.array([0, stranger]))


def test_a_patient_who_trains_and_validates_is_refused():
    bags, labels, _ = cohort()
    fold = fold_of(bags, labels)
    twice = fold.loc[fold["part"] == "train"].head(1).assign(part="validation", inner=-1)
    with pytest.raises(out_of_fold.LeakError, match="holds twice"):
        run([], fold=pd.concat([fold, twice]))


def test_a_test_patient_with_a_label_is_refused():
    _, labels, _ = cohort()
    with pytest.raises(out_of_fold.LeakError, match="come with a label"):
        run([], labels=np.abs(labels))
    without = labels.copy()
    without[1] = -1
    with pytest.raises(out_of_fold.LeakError, match="without a label: P1"):
        run([], labels=without)


def test_rows_of_two_folds_are_refused():
    bags, labels, _ = cohort()
    both = pd.concat([fold_of(bags, labels, 1), fold_of(bags, labels, 2)])
    with pytest.raises(out_of_fold.PredictionsError, match=r"\[1, 2\]"):
        run([], fold=both)


def test_training_patients_without_an_inner_fold_are_refused():
    bags, labels, _ = cohort()
    fold = fold_of(bags, labels).assign(inner=-1)
    with pytest.raises(out_of_fold.PredictionsError, match="no inner fold"):
        run([], fold=fold)


def predictions_of(validation: dict[str, float], inner: dict[str, float]) -> pd.DataFrame:
    rows = [(p, "inner", 0, int(p[1:]) % 2, q) for p, q in inner.items()]
    rows += [(p, "validation", -1, int(p[1:]) % 2, q) for p, q in validation.items()]
    rows += [("T1", "test", -1, -1, 0.4)]
    return pd.DataFrame(rows, columns=out_of_fold.COLUMNS)


def test_decisions_use_a_threshold_of_the_inner_rows_alone():
    inner = {"P1": 0.8, "P2": 0.2, "P3": 0.6, "P4": 0.3}
    table = predictions_of({"P5": 0.44, "P6": 0.46}, inner)
    settings = {"model": "m", "fold": 3, "repeat": 1, "rule": "balanced_accuracy"}
    decided = out_of_fold.decision_table(table, **settings)
    assert decided["threshold"].unique() == pytest.approx([0.45])
    assert dict(zip(decided["patient"], decided["decision"], strict=True)) == {
        "P5": 0,
        "P6": 1,
        "T1": 0,
    }
    swapped = table.assign(label=table["label"].where(table["part"] == "inner", 0))
    assert out_of_fold.decision_table(swapped, **settings)["threshold"].equals(decided["threshold"])


def test_the_out_of_fold_table_is_validation_only_and_averages_repeats():
    first = predictions_of({"P1": 0.2, "P2": 0.4}, {"P10": 0.99})
    second = predictions_of({"P10": 0.7}, {"P1": 0.01, "P2": 0.01})
    again = predictions_of({"P1": 0.4}, {"P2": 0.99, "P10": 0.99})
    patients = ["P1", "P2", "P10"]
    table = out_of_fold.out_of_fold_table({"m": [first, second, again], "k": [first]}, patients)
    assert table.columns.tolist() == ["patient", "label", "m", "k"]
    assert table["patient"].tolist() == patients
    assert table["label"].tolist() == [1, 0, 0]
    np.testing.assert_allclose(table["m"], [0.3, 0.4, 0.7])
    np.testing.assert_allclose(table["k"], [0.2, 0.4, np.nan])


def test_predictions_of_other_patients_are_refused():
    table = predictions_of({"P1": 0.2}, {"P2": 0.4})
    with pytest.raises(out_of_fold.PredictionsError, match="no prediction of: P9"):
        out_of_fold.out_of_fold_table({"m": [table]}, ["P1", "P2", "P9"])
    with pytest.raises(out_of_fold.PredictionsError, match="not training patients: P2"):
        out_of_fold.out_of_fold_table({"m": [table]}, ["P1"])


@pytest.mark.parametrize("wrong", [np.nan, 1.2, -0.1])
def test_a_probability_outside_its_range_names_the_patient(wrong):
    table = predictions_of({"P1": wrong}, {"P2": 0.4})
    with pytest.raises(out_of_fold.PredictionsError, match="P1"):
        out_of_fold.out_of_fold_table({"m": [table]}, ["P1", "P2"])


def test_predictions_survive_their_file_bit_for_bit(tmp_path):
    table = predictions_of({"P1": 0.1 + 0.2, "P007": 1 / 3}, {"P2": np.nextafter(0.7, 1)})
    table.loc[0, "patient"] = "NA"
    table.loc[1, "patient"] = "007"
    table.to_csv(tmp_path / "predictions.csv", index=False)
    read = read_table(tmp_path / "predictions.csv")
    assert read["patient"].tolist() == table["patient"].tolist()
    assert read["probability"].tolist() == table["probability"].tolist()


def test_the_recorded_fits_are_what_the_models_received():
    log: list[tuple[str, tuple[str, ...]]] = []
    fits: list[out_of_fold.Fit] = []
    run(log, fits=fits)
    handed = [ids for what, ids in log if what == "fit"]
    asked = [ids for what, ids in log if what == "predict"]
    assert [fit.inner for fit in fits] == [0, 1, 2, -1]
    assert [fit.fitted_on for fit in fits] == handed
    assert [fit.predicted for fit in fits] == [*asked[:3], asked[3] + asked[4]]

"""Who was fitted on, by the evidence in the records; what features were fitted on."""

from typing import Any

import pytest

from lymphokit.audit.record_checks import check_features, check_records
from tests.audit import runs

# In fold 1, P0 and P2 train (inner 0 and 1) and P1 validates; P24 is a test patient.


def fit_of(records: dict[tuple[int, str], Any], inner: int) -> Any:
    (fit,) = (fit for fit in records[1, "pooled"]["fits"] if fit["inner"] == inner)
    return fit


def checked(records: dict[tuple[int, str], Any]) -> str:
    return runs.findings(check_records(records, runs.folds(), runs.patients()))


def test_honest_records_pass() -> None:
    check = check_records(runs.records(), runs.folds(), runs.patients())
    assert check.faults == ()
    # Twelve patients of a training part, and half of them twice.
    assert check.compared.startswith("18 fits of 6 models and folds, 144 patients fitted on: 0")


@pytest.mark.parametrize(
    ("inner", "stranger", "finding"),
    [
        (-1, "P1", "the model of the whole part was fitted on them, a validation patient"),
        (-1, "P24", "the model of the whole part was fitted on them, a test patient"),
        (-1, "P99", "the model of the whole part was fitted on them, in no table"),
        (0, "P1", "the model without inner 0 was fitted on them, a validation patient"),
        (0, "P0", "the model without inner 0 was fitted on them, of the inner fold held out"),
    ],
)
def test_a_fit_that_saw_a_stranger_is_found(inner: int, stranger: str, finding: str) -> None:
    records = runs.records()
    fit_of(records, inner)["fitted_on"].append(stranger)
    found = checked(records)
    assert f"{stranger}: fold 1, record.json: {finding}: pooled" in found.splitlines()
    assert {line.partition(":")[0] for line in found.splitlines()} == {stranger}


def test_a_model_that_predicted_whom_it_was_fitted_on_is_found() -> None:
    records = runs.records()
    fit_of(records, 1)["predicted"].append("P0")
    assert checked(records) == (
        "P0: fold 1, record.json: the model without inner 1 was fitted on them and predicted them: "
        "pooled"
    )


def test_a_fit_of_another_fold_is_found() -> None:
    records = runs.records()
    records[1, "pooled"] = records[2, "pooled"]
    found = checked(records)
    assert "P0: fold 1, record.json: the model of the whole part was not fitted on them" in found
    assert "P1: fold 1, record.json: the model of the whole part was fitted on them" in found


def test_a_fit_that_is_not_recorded_is_found() -> None:
    records = runs.records()
    del records[1, "pooled"]["fits"][0]
    records[2, "pooled"]["fits"][0]["inner"] = 7
    found = checked(records)
    assert "fold1: fold 1, record.json: no fit of the model without inner 0: pooled" in found
    assert "fold2: fold 2, record.json: an unexpected fit of the model without i" in found


@pytest.mark.parametrize("record", [None, {"model": "pooled", "features": None}])
def test_a_record_without_evidence_is_found(record: dict[str, Any] | None) -> None:
    records = {**runs.records(), (1, "pooled"): record, (1, "d_mil"): record}
    assert checked(records) == ("fold1: record.json does not list who was fitted on: pooled, d_mil")


def test_features_that_saw_all_images_pass_while_it_is_declared() -> None:
    records = runs.records()
    about = {"source": "autoencoder", "fitted_on": "all images, without labels"}
    for fold in (1, 2):
        records[fold, "d_mil"]["features"] = about
        records[fold, "clinical"]["features"] = None
    check = check_features(records)
    assert check.faults == ()
    assert check.compared == (
        "banks fitted: 1 on nothing of this cohort, 1 on all images, without labels; 0 undeclared"
    )


@pytest.mark.parametrize("about", [{}, {"fitted_on": "everybody"}])
def test_features_that_do_not_declare_it_are_found_once(about: dict[str, str]) -> None:
    records = runs.records()
    for fold in (1, 2):
        records[fold, "d_mil"]["features"] = {"source": "autoencoder", **about}
    check = check_features(records)
    assert runs.findings(check) == (
        "autoencoder: read by d_mil, does not declare what it was fitted on"
    )

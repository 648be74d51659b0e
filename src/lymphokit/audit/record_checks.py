"""Checks of record.json: the patients each model was fitted on, and what its features were.

`cross_predict` recorded the patients from the bags that it passed to `fit`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pandas as pd

from lymphokit.audit.findings import Check, FindingsByModel, counted
from lymphokit.errors import Fault
from lymphokit.features.bank import FittedOn

WHOLE = -1  # the inner fold of the model that is fitted on the whole training part
_REFIT = "delete the folder of this model in this fold and run again"
_DECLARE = "make the bank again with a rule that declares what its features were fitted on"

Records = Mapping[tuple[int, str], "dict[str, Any] | None"]


def check_records(records: Records, folds: pd.DataFrame, patients: pd.DataFrame) -> Check:
    """Compare the fits in every record.json with the folds.

    records: of each (fold, model), None where the file is missing. The model of a whole training
    part must be fitted on exactly the patients of that part, an inner one on those of the other
    inner folds, and neither may predict a patient that it was fitted on.
    """
    found, n_fits, n_patients = FindingsByModel(_REFIT), 0, 0
    for (fold, model), record in records.items():
        fits = (record or {}).get("fits")
        if fits is None:
            found.add(f"fold{fold}", "record.json does not list who was fitted on", model)
            continue
        n_fits += len(fits)
        n_patients += sum(len(fit["fitted_on"]) for fit in fits)
        for patient, finding in _fit_findings(fits, folds[folds["fold"] == fold], patients):
            found.add(patient, f"fold {fold}, record.json: {finding}", model)
    faults = found.faults()
    compared = (
        f"{counted(n_fits, 'fit')} of {counted(len(records), 'model and fold', 'models and folds')}"
        f", {n_patients:,} patients fitted on: {len(faults)} from outside the training part"
    )
    return Check("fits", compared, faults)


def _fit_findings(
    fits: list[dict[str, Any]], fold: pd.DataFrame, patients: pd.DataFrame
) -> Iterator[tuple[str, str]]:
    """Findings in the fits of one model in one fold, by patient."""
    training = fold[fold["part"] == "train"]
    inner_of: dict[str, int] = dict(zip(training["patient"], training["inner"], strict=True))
    role_of = dict(zip(patients["patient"], patients["part"].map(_ROLES), strict=True))
    role_of |= dict.fromkeys(fold.loc[fold["part"] != "train", "patient"], "a validation patient")
    role_of |= dict.fromkeys(inner_of, "of the inner fold held out")
    expected, recorded = {WHOLE, *inner_of.values()}, {int(fit["inner"]) for fit in fits}
    for inner in sorted(expected ^ recorded):
        finding = "no fit" if inner in expected else "an unexpected fit"
        yield f"fold{fold['fold'].iloc[0]}", f"{finding} of {_model(inner)}"
    for fit in fits:
        inner, fitted_on = int(fit["inner"]), set(fit["fitted_on"])
        allowed = {name for name, held_out in inner_of.items() if held_out != inner}
        for patient in sorted(fitted_on - allowed):
            role = role_of.get(patient, "in no table")
            yield patient, f"{_model(inner)} was fitted on them, {role}"
        for patient in sorted(allowed - fitted_on):
            yield patient, f"{_model(inner)} was not fitted on them, of its training part"
        for patient in sorted(fitted_on & allowed & set(fit["predicted"])):
            yield patient, f"{_model(inner)} was fitted on them and predicted them"


_ROLES = {"train": "in no part of the fold", "test": "a test patient"}


def _model(inner: int) -> str:
    return "the model of the whole part" if inner == WHOLE else f"the model without inner {inner}"


def check_features(records: Records) -> Check:
    """Check that every feature bank in use declares what it was fitted on.

    Features fitted on images of all patients, test patients included, are no leak as long as no
    label was used; but it must be declared. Features fitted inside a fold have a lineage.
    """
    faults: dict[Fault, None] = {}
    declared: dict[str, set[str]] = {}
    for (_, model), record in records.items():
        bank = (record or {}).get("features")
        if bank is None:
            continue
        fitted_on, source = bank.get("fitted_on"), str(bank.get("source", "its features"))
        if fitted_on in get_args(FittedOn):
            declared.setdefault(str(fitted_on), set()).add(source)
        else:
            finding = f"read by {model}, does not declare what it was fitted on"
            faults[Fault(source, finding, _DECLARE)] = None
    banks = [f"{len(declared[kind])} on {kind}" for kind in get_args(FittedOn) if kind in declared]
    compared = f"banks fitted: {', '.join(banks) or 'none in use'}; {len(faults)} undeclared"
    return Check("features", compared, tuple(faults))

"""What every model was handed to learn from, against the folds; what its features were fitted on.

The evidence is what `cross_predict` noted down from the bags that it passed to `fit`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pandas as pd

from lymphokit.audit.findings import Check, FindingsByModel, counted
from lymphokit.errors import Fault
from lymphokit.features.bank import FittedOn

WHOLE = -1  # the inner fold of the model that is fitted on the whole training part
_REFIT = "delete the folder of this model in this fold and run again"
_DECLARE = "make the bank again with a rule that says what its features were fitted on"

Records = Mapping[tuple[int, str], "dict[str, Any] | None"]


def check_records(records: Records, folds: pd.DataFrame, patients: pd.DataFrame) -> Check:
    """Compare the fits in every record.json with the folds.

    records: of each (fold, model), None where there is none. The model of a whole training part
    was fitted on exactly the patients of that part; an inner one on those of the other inner folds;
    and neither predicted anybody that it was fitted on.
    """
    found, n_fits, n_patients = FindingsByModel(_REFIT), 0, 0
    tables = {int(str(number)): fold for number, fold in folds.groupby("fold")}
    for (fold, model), record in records.items():
        fits = (record or {}).get("fits")
        if fits is None:
            found.add(f"fold{fold}", "record.json does not tell who was fitted on", model)
            continue
        n_fits += len(fits)
        n_patients += sum(len(fit["fitted_on"]) for fit in fits)
        for patient, finding in _of_record(fits, tables[fold], patients):
            found.add(patient, f"fold {fold}, record.json: {finding}", model)
    faults = tuple(found.faults())
    compared = (
        f"{counted(n_fits, 'fit')} of {counted(len(records), 'model and fold', 'models and folds')}"
        f", {n_patients:,} patients handed to them: {len(faults)} from outside the training part"
    )
    return Check("fits", compared, faults)


def _of_record(
    fits: list[dict[str, Any]], fold: pd.DataFrame, patients: pd.DataFrame
) -> Iterator[tuple[str, str]]:
    """What is wrong with the fits of one model in one fold, by patient."""
    training = fold[fold["part"] == "train"]
    inner_of: dict[str, int] = dict(zip(training["patient"], training["inner"], strict=True))
    role_of = dict(zip(patients["patient"], patients["part"].map(_ROLES), strict=True))
    role_of |= dict.fromkeys(fold.loc[fold["part"] != "train", "patient"], "a validation patient")
    expected, told = {WHOLE, *inner_of.values()}, [int(fit["inner"]) for fit in fits]
    for inner in sorted(expected ^ set(told)):
        lacking = "no fit" if inner in expected else "a fit that the fold has not"
        yield f"fold{fold['fold'].iloc[0]}", f"{lacking} of {_fit(inner)}"
    for fit in fits:
        inner, seen = int(fit["inner"]), set(fit["fitted_on"])
        allowed = {name for name, own in inner_of.items() if own != inner}
        for patient in sorted(seen - allowed):
            role = role_of.get(patient, "in no table")
            role = "of the inner fold held out" if patient in inner_of else role
            yield patient, f"{_fit(inner)} was fitted on them, {role}"
        for patient in sorted(allowed - seen):
            yield patient, f"{_fit(inner)} was not fitted on them, of its training part"
        for patient in sorted(seen & allowed & set(fit["predicted"])):
            yield patient, f"{_fit(inner)} was fitted on them and predicted them"


_ROLES = {"train": "in no part of the fold", "test": "a test patient"}


def _fit(inner: int) -> str:
    return "the model of the whole part" if inner == WHOLE else f"the model without inner {inner}"


def check_features(records: Records) -> Check:
    """What the features that the models read were fitted on, as their makers declare.

    Features that saw images of all patients, those of test patients too, are no leak while they
    saw no label; but it has to be said. Those fitted inside a fold have a lineage of their own.
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

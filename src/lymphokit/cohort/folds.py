"""Cross-validation folds, stratified by label and attributes, and their inner folds."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, train_test_split

from lymphokit.cohort.layout import natural_order
from lymphokit.cohort.tables import FOLD_COLUMNS
from lymphokit.errors import ConfigError
from lymphokit.settings import Stratum

Edge = float | Literal["median"]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

_LABEL_SHIFT = 3  # a stratum's code: label, gender, age, count from the high bit to the low


def make_folds(
    patients: pd.DataFrame,
    *,
    scheme: Literal["kfold", "split"],
    k: int,
    repeats: int,
    validation: float,
    inner: int,
    stratify: Sequence[Stratum],
    age_edge_years: Edge,
    count_edge_giga_per_litre: Edge,
    seed: int,
) -> pd.DataFrame:
    """Draw the folds of the labelled patients, and the inner folds of each training part.

    patients: patients.csv, rows in any order. `kfold` draws k folds `repeats` times, so that each
    repeat validates on every patient once; `split` holds out the share `validation`, one fold a
    repeat. `stratify` lists what strata are made of, label always among them: gender, and age and
    count above their edges (`median`: of the labelled patients); rare strata are merged, see
    `merge_rare`. The sizes of the k folds, and of
    inner folds, differ by at most one patient, in total and within each label.
    Returns fold, repeat (from 1), patient, part (train or validation), inner (from 0; -1 in
    validation), by fold and in the natural order of patients.
    Raises ConfigError where a label has too few patients.
    Source: report 3.2. Departs: rare strata are merged; k folds rather than one split.

    Stratifying by attributes biases scores: a chance association of age or count with the label
    is the same in every part, so a model of age and count scores slightly too high where the true
    association is weak. Where it is strong, no bias is left. `stratify: [label]` has less of it.
    """
    labelled = _in_natural_order(patients[patients["part"] == "train"])
    codes = stratum_codes(labelled, stratify, age_edge_years, count_edge_giga_per_litre)
    folds: list[tuple[int, Booleans]] = []
    for repeat in range(1, repeats + 1):
        state = _random_state(seed, repeat)
        if scheme == "kfold":
            parts = _k_parts(codes, k, state, "folds.k")
            folds += [(repeat, parts == part) for part in range(k)]
        else:
            folds.append((repeat, _held_out(codes, validation, state)))
    tables = [
        _fold_table(labelled, codes, validated, inner, _random_state(seed, repeat, fold)).assign(
            fold=fold, repeat=repeat
        )
        for fold, (repeat, validated) in enumerate(folds, start=1)
    ]
    return pd.concat(tables, ignore_index=True)[list(FOLD_COLUMNS)]


def _in_natural_order(patients: pd.DataFrame) -> pd.DataFrame:
    rows = natural_order(range(len(patients)), lambda row: str(patients["patient"].iloc[row]))
    return patients.iloc[rows].reset_index(drop=True)


def _random_state(*numbers: int) -> int:
    """A seed for scikit-learn, distinct for each repeat and fold."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def stratum_codes(
    patients: pd.DataFrame, stratify: Sequence[Stratum], age_edge: Edge, count_edge: Edge
) -> Integers:
    """The stratum of each patient as 8 label + 4 female + 2 old + 1 high count: (n_patients,).

    An attribute that is not in `stratify` counts as 0 for everybody.
    """
    bits = {
        "label": patients["label"].to_numpy(np.int64) << _LABEL_SHIFT,
        "gender": 4 * np.asarray(patients["gender"] == "F", np.int64),
        "age": 2 * _above(patients["age_years"], age_edge),
        "count": _above(patients["lymphocytes_giga_per_litre"], count_edge),
    }
    codes = np.zeros(len(patients), np.int64)
    for attribute in stratify:
        codes += bits[attribute]
    return codes


def _above(values: "pd.Series[float]", edge: Edge) -> Integers:
    limit = values.median() if edge == "median" else edge
    return np.asarray(values > limit, np.int64)


def merge_rare(codes: Integers, at_least: int) -> Integers:
    """Merge strata of fewer than `at_least` patients into others of the same label.

    While there is one, the smallest stratum (among equals, the lowest code) takes the code of the
    stratum of its label that differs in the fewest attributes; among those, a difference in count
    is preferred to one in age, and that to one in gender. Every label must have `at_least`
    patients.
    """
    merged = codes.copy()
    while True:
        strata, sizes = np.unique(merged, return_counts=True)
        if sizes.min() >= at_least:
            return merged
        rare = strata[sizes.argmin()]
        same_label = strata >> _LABEL_SHIFT == rare >> _LABEL_SHIFT
        hosts = strata[same_label & (strata != rare)]
        # The bits in which two codes differ are the attributes, the count being the lowest.
        host = min(hosts, key=lambda code: ((code ^ rare).bit_count(), code ^ rare))
        merged[merged == rare] = host


def _k_parts(codes: Integers, k: int, state: int, setting: str) -> Integers:
    """The part of each patient, 0 to k - 1, with every stratum spread evenly: (n_patients,)."""
    _check_labels(codes, k, setting)
    strata = merge_rare(codes, k)
    order = np.argsort(strata, kind="stable")  # sorted: labels and attributes are even, too
    parts = np.empty(len(codes), np.int64)
    splitter = StratifiedKFold(k, shuffle=True, random_state=state)
    for part, (_, members) in enumerate(splitter.split(order, strata[order])):
        parts[order[members]] = part
    return parts


def _held_out(codes: Integers, validation: float, state: int) -> Booleans:
    """Which patients the report's split holds out: (n_patients,)."""
    at_least = int(np.ceil(1 / min(validation, 1 - validation)))
    _check_labels(codes, at_least, f"folds.validation {validation}")
    _, members = train_test_split(
        np.arange(len(codes)),
        test_size=validation,
        stratify=merge_rare(codes, at_least),
        random_state=state,
    )
    held_out = np.zeros(len(codes), np.bool_)
    held_out[members] = True
    return held_out


def _check_labels(codes: Integers, at_least: int, setting: str) -> None:
    """Raise ConfigError where a label cannot be in every part."""
    for label, name in enumerate(("reactive", "tumoral")):
        n_patients = int((codes >> _LABEL_SHIFT == label).sum())
        if n_patients < at_least:
            raise ConfigError(
                f"{n_patients} {name} patients (label {label}) are too few for {setting}, which "
                f"takes {at_least}: change it in config.yaml, or add patients"
            )


def _fold_table(
    patients: pd.DataFrame, codes: Integers, validated: Booleans, inner: int, state: int
) -> pd.DataFrame:
    """The rows of one fold: part, and inner fold of the training patients."""
    inner_parts = np.full(len(codes), -1, np.int64)
    inner_parts[~validated] = _k_parts(codes[~validated], inner, state, "folds.inner")
    part = np.where(validated, "validation", "train")
    return pd.DataFrame({"patient": patients["patient"], "part": part, "inner": inner_parts})

"""Pseudo-labels: the lineage of every fold, checked again and compared with its receipt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.audit.findings import Check, counted, some
from lymphokit.errors import Fault
from lymphokit.evaluation.out_of_fold import LeakError
from lymphokit.pseudo_labels.lineage import check_lineage
from lymphokit.pseudo_labels.selection import probability
from lymphokit.pseudo_labels.state import NONE_HELD_OUT, State

_AGAIN = "run the rounds of this fold again: snakemake -R round_zero pseudo_label"
_CLOSE = 1e-6  # banks hold float32


@dataclass(frozen=True)
class PseudoLabelRecord:
    """Files that a series of rounds of one fold wrote.

    receipt: lineage.json, None where it is missing; added: added.csv of the last round, and its
    sha256; records: record.json of all rounds; stain_patients: the patients whose images gave the
    stain; last: the state after the last phase; bank (n_cells,): probabilities that models read.
    drawn: see `check_lineage`.
    """

    receipt: dict[str, Any] | None
    added: pd.DataFrame
    added_sha256: str
    records: list[dict[str, Any]]
    stain_patients: list[str]
    last: State
    bank: NDArray[np.floating]
    drawn: int | None = None


def check_pseudo_labels(
    files: Mapping[tuple[int, str], PseudoLabelRecord],
    folds: pd.DataFrame,
    patients: pd.DataFrame,
    cells: pd.DataFrame,
    *,
    sizes: Sequence[int],
    exact: bool,
) -> Check:
    """Check the lineage of every fold's pseudo-labels from what its rounds wrote.

    The receipt must exist and equal the lineage found again; the last phase must have been trained
    on the cells whose lineage was checked; and every cell's probability must come from the network
    whose training subset lacks its patient. files: by fold and series; sizes, exact: see
    `check_lineage`.
    """
    faults = []
    for (number, series), fold in files.items():
        rows = folds[folds["fold"] == number]
        findings = _receipt_findings(series, fold, rows, patients, cells, sizes=sizes, exact=exact)
        if not _same_cells(fold.last.added, fold.added):
            findings.append(
                f"{series}/last/added.csv holds other cells than those whose lineage was checked"
            )
        findings += _bank_findings(series, fold, rows, cells)
        faults += [Fault(f"fold{number}", finding, _AGAIN) for finding in findings]
    n_added = sum(len(fold.added) for fold in files.values())
    n_bank = sum(len(fold.bank) for fold in files.values())
    compared = (
        f"{counted(len(files), 'lineage')}, {n_added:,} added cells, {n_bank:,} probabilities of "
        f"cells: {len(faults)} of a wrong lineage"
        if files
        else "no model of this run learns from pseudo-labels"
    )
    return Check("pseudo-labels", compared, tuple(faults))


def _receipt_findings(
    series: str,
    fold: PseudoLabelRecord,
    rows: pd.DataFrame,
    patients: pd.DataFrame,
    cells: pd.DataFrame,
    *,
    sizes: Sequence[int],
    exact: bool,
) -> list[str]:
    """Check the lineage again, and compare it with the receipt."""
    findings = []
    try:
        found = check_lineage(
            fold.added,
            rows,
            patients,
            cells,
            records=fold.records,
            sizes=sizes,
            exact=exact,
            stain_patients=fold.stain_patients,
            drawn=fold.drawn,
        )
    except LeakError as error:
        first, *others = str(error).splitlines()[:-1]  # the last line is the remedy
        findings, found = [f"{first}: {'; '.join(line.strip() for line in others)}"], {}
    if fold.receipt is None:
        findings.append(f"{series}/lineage.json is missing")
    else:
        receipt = {**fold.receipt}
        if receipt.pop("added_sha256", None) != fold.added_sha256:
            findings.append(f"{series}/lineage.json is of another added.csv (its sha256)")
        if found and receipt != found:
            findings.append(f"{series}/lineage.json lists other patients or cells than added")
    return findings


def _same_cells(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    columns = ["held_out", "round", "label", "patient", "cell"]
    return one[columns].to_numpy().tolist() == other[columns].to_numpy().tolist()


def _bank_findings(
    series: str, fold: PseudoLabelRecord, rows: pd.DataFrame, cells: pd.DataFrame
) -> list[str]:
    """Find cells whose probability is not that of the network trained without their patient."""
    inner = rows.drop_duplicates("patient").set_index("patient")["inner"]
    inner_of = cells["patient"].map(inner).fillna(NONE_HELD_OUT)
    expected = fold.last.held_out[:, None] == inner_of.to_numpy(np.int64)[None]
    probabilities = probability(np.where(expected, fold.last.log_odds, 0).sum(axis=0))
    wrong = ~expected.any(axis=0) | (np.abs(probabilities - fold.bank) > _CLOSE)
    if not wrong.any():
        return []
    names = cells["patient"].to_numpy()[wrong]
    return [
        f"features/{series}.npy: {counted(int(wrong.sum()), 'cell')} not scored by the network "
        f"trained without the patient: {some(names)}"
    ]

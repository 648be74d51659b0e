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
from lymphokit.pseudo_labels.rounds import WHOLE, State
from lymphokit.pseudo_labels.selection import probability

_AGAIN = "run the rounds of this fold again: snakemake -R round_zero pseudo_label"
_CLOSE = 1e-6  # banks hold float32


@dataclass(frozen=True)
class PseudoLabelRecord:
    """What the pseudo-labelling of one fold left behind.

    receipt: lineage.json, None where it is missing; added: what the last round has added, and the
    sha256 of that file; records of all steps; stain_patients: whose images gave the stain; last:
    the state after the last phase; bank (n_cells,): the probabilities that the models read.
    """

    receipt: dict[str, Any] | None
    added: pd.DataFrame
    added_sha256: str
    records: list[dict[str, Any]]
    stain_patients: list[str]
    last: State
    bank: NDArray[np.floating]


def check_pseudo_labels(
    chains: Mapping[int, PseudoLabelRecord],
    folds: pd.DataFrame,
    patients: pd.DataFrame,
    cells: pd.DataFrame,
    *,
    sizes: Sequence[int],
    exact: bool,
) -> Check:
    """Check the lineage of every fold's pseudo-labels from what its rounds wrote.

    The receipt must be there and tell what is found again; the last phase must have learned from
    the cells whose lineage was checked; and every cell's probability must come from the chain that
    knew no label of its patient. sizes, exact: as for `check_lineage`.
    """
    faults = []
    for number, fold in chains.items():
        rows = folds[folds["fold"] == number]
        faults += _of_receipt(number, fold, rows, patients, cells, sizes=sizes, exact=exact)
        if not _same_cells(fold.last.added, fold.added):
            finding = "last/added.csv holds other cells than those whose lineage was checked"
            faults.append(Fault(f"fold{number}", finding, _AGAIN))
        faults += _of_bank(number, fold, rows, cells)
    n_added = sum(len(fold.added) for fold in chains.values())
    n_bank = sum(len(fold.bank) for fold in chains.values())
    compared = (
        f"{counted(len(chains), 'lineage')}, {n_added:,} added cells, {n_bank:,} probabilities of "
        f"cells: {len(faults)} of a wrong lineage"
        if chains
        else "no model of this run learns from pseudo-labels"
    )
    return Check("pseudo-labels", compared, tuple(faults))


def _of_receipt(
    number: int,
    fold: PseudoLabelRecord,
    rows: pd.DataFrame,
    patients: pd.DataFrame,
    cells: pd.DataFrame,
    *,
    sizes: Sequence[int],
    exact: bool,
) -> list[Fault]:
    """The lineage found again, and where the receipt tells something else."""
    name, findings = f"fold{number}", []
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
        )
    except LeakError as error:
        first, *others = str(error).splitlines()[:-1]  # the last line is the remedy
        findings, found = [f"{first}: {'; '.join(line.strip() for line in others)}"], {}
    if fold.receipt is None:
        findings.append("pseudo_label/lineage.json is missing")
    else:
        told = {**fold.receipt}
        if told.pop("added_sha256", None) != fold.added_sha256:
            findings.append("pseudo_label/lineage.json is of another added.csv (its sha256)")
        if found and told != found:
            findings.append("pseudo_label/lineage.json tells other patients or cells than added")
    return [Fault(name, finding, _AGAIN) for finding in findings]


def _same_cells(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    columns = ["chain", "round", "label", "patient", "cell"]
    return one[columns].to_numpy().tolist() == other[columns].to_numpy().tolist()


def _of_bank(
    number: int, fold: PseudoLabelRecord, rows: pd.DataFrame, cells: pd.DataFrame
) -> list[Fault]:
    """Whose cells' probabilities are not those of the chain that has not seen the patient."""
    inner = rows.drop_duplicates("patient").set_index("patient")["inner"]
    inner_of = cells["patient"].map(inner).fillna(WHOLE)
    own = fold.last.chains[:, None] == inner_of.to_numpy(np.int64)[None]
    judged = probability(np.where(own, fold.last.log_odds, 0).sum(axis=0))
    wrong = ~own.any(axis=0) | (np.abs(judged - fold.bank) > _CLOSE)
    if not wrong.any():
        return []
    whose = cells["patient"].to_numpy()[wrong]
    finding = (
        f"features/pseudo_label.npy: {counted(int(wrong.sum()), 'cell')} not judged by the chain "
        f"that knows no label of the patient: {some(whose)}"
    )
    return [Fault(f"fold{number}", finding, _AGAIN)]

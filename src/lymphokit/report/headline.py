"""The start of the report: the score, what it is compared with, and what to trust."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lymphokit.audit.findings import failed_checks
from lymphokit.figures.terminal_tables import in_words, with_interval
from lymphokit.robustness.stain_verdict import stain_sentences, verdict


@dataclass(frozen=True)
class Fact:
    """A number of the start page: `good` is None where it is neither good nor bad news."""

    name: str
    value: str
    note: str
    good: bool | None = None


def facts(
    receipt: Mapping[str, Any],
    scores: pd.DataFrame,
    comparisons: pd.DataFrame,
    audit: Mapping[str, Any],
    stain: pd.DataFrame | None,
) -> list[Fact]:
    """The facts of the start page.

    receipt: of the submission; scores, comparisons: tables of the run; audit: its checks; stain:
    the table of the stain test, None where it was not made.
    """
    row = _row(scores, str(receipt["blend"]))
    return [
        Fact(
            f"Balanced accuracy of {receipt['blend']}",
            with_interval(row["balanced_accuracy"], row["low"], row["high"]),
            f"out of fold, {row['n_patients']:.0f} patients; "
            f"AUC {with_interval(row['auc'], row['auc_low'], row['auc_high'])}",
        ),
        *_against(comparisons, str(receipt["blend"])),
        _audited(audit),
        *([] if stain is None else [_stained(stain)]),
        Fact(
            "Optimism avoided",
            f"{row['naive'] - row['balanced_accuracy']:+.3f}",
            f"naive balanced accuracy {row['naive']:.3f}, with everything chosen on the patients "
            "that are scored, minus the nested one",
        ),
        Fact(
            "Effective sample size",
            f"{receipt['oof_effective_sample_size']:.0f} patients",
            "the scored patients count as so many independent ones, since the models of the folds "
            "share training patients",
        ),
    ]


def _row(table: pd.DataFrame, model: str) -> dict[Any, Any]:
    return dict(table.loc[table["model"] == model].iloc[0])


def _against(comparisons: pd.DataFrame, blend: str) -> list[Fact]:
    """The paired difference to the reference; none where the reference is submitted itself."""
    if blend not in set(comparisons["model"]):
        return []
    row = _row(comparisons, blend)
    more, fewer = row["only_model_right"], row["only_reference_right"]
    return [
        Fact(
            f"Against {in_words(row['reference'])}",
            with_interval(row["balanced_accuracy"], row["low"], row["high"], sign="+"),
            f"paired difference of balanced accuracy on the same patients; {more:.0f} are right "
            f"here alone, {fewer:.0f} there alone; McNemar p = {row['mcnemar_p']:.2g}",
            bool(row["low"] > 0) if row["low"] > 0 or row["high"] < 0 else None,
        )
    ]


def _audited(audit: Mapping[str, Any]) -> Fact:
    checks = audit["checks"]
    failed = failed_checks(checks)
    note = "leaks, folds, thresholds, lineages, files" if not failed else ", ".join(failed)
    return Fact(
        "Audit",
        f"{len(checks) - len(failed)} of {len(checks)} checks passed",
        note,
        not failed,
    )


def _stained(stain: pd.DataFrame) -> Fact:
    found = verdict(stain)
    good = {"survives": True, "rests on colour": False}.get(found)
    return Fact("Stain test", found, " ".join(stain_sentences(stain)[:1]), good)

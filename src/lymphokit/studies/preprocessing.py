"""MI-SVM with and without preprocessing, and with clinical data: the report's tables of 5.1.

Every row is a model, fitted on the report's one split and on the folds with nested choices: the
threshold is chosen on inner predictions of the training part. The naive score takes the threshold
that is best on the scored patients, as a figure tuned on its validation set does.
Source: report 5.1.1 (preprocessing) and 5.1.2 (MI-SVM and XGBoost).
Departs: the PCA row standardises the features before its PCA, unless the model of config.yaml has
`scale: false`; rates for XGBoost are cross-fitted, unless it has `cross_fit: 0`; the threshold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Column, Table

from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.ensemble.naive import naive_scores
from lymphokit.evaluation.out_of_fold import cross_predict, decision_table
from lymphokit.evaluation.threshold import Rule
from lymphokit.evaluation.uncertainty import score_table
from lymphokit.figures.terminal_tables import number_columns, with_interval
from lymphokit.models.registry import create
from lymphokit.progress import track

PCA, NORMALISED, RAW = "PCA MIL SVM", "Normalization without PCA", "Without Preprocessing"
JOINED, CLINICAL = "MIL SVM & XGBoost", "With only clinical data"
METRICS = ("balanced_accuracy", "f1", "recall", "precision")

# Section and row of the report, the model of ours, and the report's scores in the order of METRICS.
# Source: report, the tables of 5.1.1 and 5.1.2.
REPORT = (
    ("5.1.1", PCA, PCA, (0.74, 0.81, 0.78, 0.85)),
    ("5.1.1", NORMALISED, NORMALISED, (0.61, 0.63, 0.52, 0.80)),
    ("5.1.1", RAW, RAW, (0.54, 0.71, 0.69, 0.72)),
    ("5.1.2", JOINED, JOINED, (0.82, 0.91, 0.95, 0.88)),
    ("5.1.2", "With only MIL SVM", PCA, (0.74, 0.81, 0.78, 0.85)),
    ("5.1.2", CLINICAL, CLINICAL, (0.69, 0.83, 0.88, 0.78)),
)


@dataclass(frozen=True)
class PreprocessingCohort:
    """All patients, rows of patients.csv, and the banks of all their cells by name."""

    patients: pd.DataFrame
    banks: Mapping[str, NDArray[np.floating]]

    def predict(self, block: Mapping[str, Any], folds: pd.DataFrame, seed: int) -> pd.DataFrame:
        """Nested predictions of a model in one fold, rows as of predictions.csv."""
        bank = self.banks.get(str(block.get("features")))
        return cross_predict(
            lambda fit_seed: create(block, seed=fit_seed),
            bags_of(self.patients, bank),
            labels_of(self.patients),
            clinical_of(self.patients),
            folds,
            np.empty(0, np.int64),
            seed,
        )


def compared_models(
    mi_svm: Mapping[str, Any], with_clinical: Mapping[str, Any], clinical: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The blocks of the models in the tables, by row: MI-SVM in three forms, XGBoost with and
    without it.

    mi_svm, with_clinical and clinical: blocks of config.yaml.
    """
    return {
        PCA: dict(mi_svm),
        NORMALISED: {**mi_svm, "scale": True, "pca": None},
        RAW: {**mi_svm, "scale": False, "pca": None},
        JOINED: dict(with_clinical),
        CLINICAL: dict(clinical),
    }


def compare_preprocessing(
    models: Mapping[str, Mapping[str, Any]],
    cohort: PreprocessingCohort,
    schemes: Mapping[str, pd.DataFrame],
    *,
    rule: Rule,
    uncertainty: Mapping[str, Any],
    seed: int,
) -> pd.DataFrame:
    """Fit every model on every fold of every scheme, and set its scores beside the report's.

    models: as of `compared_models`; schemes: rows of folds.csv by the name of the scheme; rule:
    that of the threshold; uncertainty: level and resamples of the intervals.
    Returns rows `section, row, source, balanced_accuracy, low, high, naive, f1, recall, precision,
    n_patients`; source: the scheme, or `report`, whose intervals and naive score are NaN.
    """
    tables = [_report_table()]
    for scheme, folds in track(schemes.items(), "preprocessing of MI-SVM", total=len(schemes)):
        scores = _scores(models, cohort, folds, rule, uncertainty, seed).set_index("model")
        ours = scores.loc[[model for _, _, model, _ in REPORT]].reset_index(drop=True)
        names = pd.DataFrame(
            [(section, row, scheme) for section, row, *_ in REPORT],
            columns=["section", "row", "source"],
        )
        tables.append(pd.concat([names, ours], axis=1))
    columns = ["section", "row", "source", "balanced_accuracy", "low", "high", "naive"]
    joined = pd.concat(tables, ignore_index=True)[[*columns, *METRICS[1:], "n_patients"]]
    return joined.astype({"n_patients": "Int64"})  # empty in the rows of the report


def preprocessing_terminal_table(table: pd.DataFrame) -> Table:
    """The report's rows and ours, section after section.

    table: as of `compare_preprocessing`.
    """
    shown = Table(
        Column("model", no_wrap=True),
        Column("source", no_wrap=True),
        *number_columns("balanced accuracy", "naive", "F1", "recall", "precision", "n"),
        title="MI-SVM with and without preprocessing, and with clinical data",
        caption="report: its tables of 5.1.1 and 5.1.2, 20% of other patients. Brackets: intervals "
        "over resampled patients. naive: optimistic, threshold chosen on the scored patients.",
    )
    for (section, row), rows in table.groupby(["section", "row"], sort=False):
        shown.add_section()
        for place, found in enumerate(rows.to_dict("records")):
            is_report = found["source"] == "report"
            accuracy = found["balanced_accuracy"]
            shown.add_row(
                "" if place else f"{section} {row}",
                str(found["source"]),
                f"{accuracy:.2f}"
                if is_report
                else with_interval(accuracy, found["low"], found["high"]),
                "-" if is_report else f"{found['naive']:.2f}",
                *(f"{found[metric]:.2f}" for metric in METRICS[1:]),
                "-" if is_report else str(found["n_patients"]),
            )
    return shown


def _scores(
    models: Mapping[str, Mapping[str, Any]],
    cohort: PreprocessingCohort,
    folds: pd.DataFrame,
    rule: Rule,
    uncertainty: Mapping[str, Any],
    seed: int,
) -> pd.DataFrame:
    """The score table of the models on the folds of one scheme, with their naive scores."""
    parts = [rows for _, rows in folds.groupby("fold")]
    repeats = [int(rows["repeat"].iloc[0]) for rows in parts]
    predictions = {
        name: [cohort.predict(block, rows, seed) for rows in parts]
        for name, block in models.items()
    }
    decisions = [
        decision_table(table, model=name, fold=fold, repeat=repeat, rule=rule)
        for name, tables in predictions.items()
        for fold, (table, repeat) in enumerate(zip(tables, repeats, strict=True), start=1)
    ]
    naive = naive_scores(predictions, repeats, cohort.patients, {})
    scores = score_table(
        pd.concat(decisions, ignore_index=True), list(models), seed=seed, **uncertainty
    )
    return scores.assign(naive=scores["model"].map(naive))


def _report_table() -> pd.DataFrame:
    rows = [
        {"section": section, "row": row, "source": "report"}
        | dict(zip(METRICS, scores, strict=True))
        for section, row, _, scores in REPORT
    ]
    return pd.DataFrame(rows)

"""Candidate confounders: a few columns each, clinical ones and nuisance columns.

Nuisance columns (row order, ids, date format, files) are read by the probes of the confounder
study and by no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, mannwhitneyu

from lymphokit.studies.probes import Learner

# mixed: depends on the cells too; the size of a file, for one, shows how smooth they look.
Family = Literal["medicine", "mixed", "artefact"]
CLINICAL = ("age_years", "log_lymphocytes")


@dataclass(frozen=True)
class Confounder:
    """A name, its columns, and the learner of its probe.

    trend: a linear trend. neighbours: follows any number of blocks of rows, as where a table was
    put together from several.
    """

    name: str
    family: Family
    columns: tuple[str, ...]
    learner: Learner = "trend"

    def with_clinical(self) -> Self:
        """Its columns together with age and count."""
        name = f"{self.name}, age and count"
        return type(self)(name, self.family, (*CLINICAL, *self.columns), self.learner)


def _stain(part: str) -> tuple[str, ...]:
    return tuple(
        f"{part}_{channel}_{statistic}"
        for channel in ("lightness", "green_to_red", "blue_to_yellow")
        for statistic in ("mean", "contrast", "spread")
    )


_DATES = ("date_with_dashes", "date_year_first")
_FORMAT = ("width_px", "height_px", "jpeg_quantisation")

AGE_AND_COUNT = Confounder("age and count", "medicine", CLINICAL)
CONFOUNDERS: tuple[Confounder, ...] = (
    AGE_AND_COUNT,
    Confounder("lymphocyte count", "medicine", ("log_lymphocytes",)),
    Confounder("age", "medicine", ("age_years",)),
    Confounder("gender", "medicine", ("is_male",)),
    Confounder("stain: whole image", "mixed", _stain("image")),
    Confounder("stain: glass and red cells", "mixed", _stain("ground")),
    Confounder("file size", "mixed", ("file_bytes_mean", "file_bytes_spread")),
    Confounder("row order", "artefact", ("row",)),
    Confounder("rows nearby", "artefact", ("row",), "neighbours"),
    Confounder("order of ids", "artefact", ("place_of_id",)),
    Confounder("date format", "artefact", _DATES),
    Confounder("number of images", "artefact", ("n_images",)),
    Confounder("image size and JPEG tables", "artefact", _FORMAT),
    Confounder("stain: bare glass", "artefact", _stain("glass")),
)
# What a model could use without looking at a cell, for the shift between train and test.
WITHOUT_CELLS = Confounder(
    "images, glass, age and count",
    "artefact",
    (*CLINICAL, "n_images", *_FORMAT, *_stain("glass")),
)


def confounder_columns(patients: pd.DataFrame, artefacts: pd.DataFrame) -> pd.DataFrame:
    """The columns of all confounders, a row for each patient of patients.csv in its order.

    Raises ValueError unless every patient has one row of artefacts.
    """
    if sorted(artefacts["patient"]) != sorted(patients["patient"]):
        raise ValueError("the artefacts are not those of these patients: one row each is needed")
    clinical = patients[["patient", "part", "label", "age_years"]].assign(
        log_lymphocytes=np.log(patients["lymphocytes_giga_per_litre"]),
        is_male=(patients["gender"] == "M").astype(int),
    )
    return clinical.merge(artefacts, on="patient", validate="1:1")


def varying(table: pd.DataFrame, confounders: Sequence[Confounder]) -> list[Confounder]:
    """The confounders with a column that is not the same for everybody in the table."""
    return [each for each in confounders if (table[list(each.columns)].nunique() > 1).any()]


def column_differences(table: pd.DataFrame) -> pd.DataFrame:
    """Each column by itself: its median in four groups, and its shift between train and test.

    table: as of `confounder_columns`. Columns `column, reactive, tumoral, train, test` (medians;
    means of what is 0 or 1), `test_auc`, the probability that a test patient has a higher value
    than a training patient, and `adjusted_p`, Mann and Whitney's p-value after Benjamini and
    Hochberg's correction for the number of columns. Constant columns are left out.
    """
    names = dict.fromkeys(name for confounder in CONFOUNDERS for name in confounder.columns)
    is_test = (table["part"] == "test").to_numpy()
    label = table["label"].to_numpy()
    groups = {"reactive": label == 0, "tumoral": label == 1, "train": ~is_test, "test": is_test}
    rows = []
    for name in (name for name in names if table[name].nunique() > 1):
        values = table[name].to_numpy(np.float64)
        middle = np.mean if set(values) <= {0.0, 1.0} else np.median
        row: dict[str, object] = {"column": name}
        row |= {group: middle(values[members]) for group, members in groups.items()}
        test = mannwhitneyu(values[is_test], values[~is_test])
        row["test_auc"] = test.statistic / (is_test.sum() * (~is_test).sum())
        row["adjusted_p"] = test.pvalue
        rows.append(row)
    differences = pd.DataFrame(rows)
    return differences.assign(adjusted_p=false_discovery_control(differences["adjusted_p"]))

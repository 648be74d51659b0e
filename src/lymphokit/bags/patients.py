"""From the table of patients to what models take: packed bags, labels, clinical attributes."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags, Clinical


def bags_of(patients: pd.DataFrame, features: NDArray[np.floating] | None) -> Bags:
    """The bags of all patients, in the table's order.

    features (n_cells, n_features) has the cells of patient after patient. None, for models that
    look at no image, gives each patient one cell with the single feature 0.
    """
    ids = tuple(patients["patient"])
    if features is None:
        return Bags(np.zeros((len(ids), 1), dtype=np.float32), np.arange(len(ids) + 1), ids)
    offsets = np.concatenate([[0], np.cumsum(patients["n_cells"])]).astype(np.int64)
    return Bags(features, offsets, ids)


def labels_of(patients: pd.DataFrame) -> NDArray[np.int64]:
    """1 tumoral, 0 reactive, -1 a test patient: (n_patients,)."""
    return patients["label"].to_numpy(dtype=np.int64)


def clinical_of(patients: pd.DataFrame) -> Clinical:
    """The attributes of all patients, in the table's order."""
    return Clinical(
        patients["age_years"].to_numpy(dtype=np.float64),
        patients["lymphocytes_giga_per_litre"].to_numpy(dtype=np.float64),
    )

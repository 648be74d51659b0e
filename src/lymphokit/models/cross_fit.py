"""Training patients as new ones: dealt into parts, each rated by a model fitted on the others."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold


def held_out_parts(
    ids: Sequence[str], labels: NDArray[np.int64], *, parts: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Positions of the patients to fit on (ascending) and of those to rate, part after part.

    Parts are stratified by label (n_bags,) in {0, 1}, at most as many as the rarer label has
    patients. A patient's part hangs on the ids, not on the order of the bags.
    Raises ValueError where that leaves fewer than 2 parts.
    """
    possible = min(parts, int(np.bincount(labels, minlength=2).min()))
    if possible < 2:
        raise ValueError(
            f"cross_fit: {parts} needs at least 2 parts and 2 training patients of each label"
        )
    by_name = np.argsort(np.array(ids), kind="stable")
    folds = StratifiedKFold(possible, shuffle=True, random_state=seed)
    for seen, unseen in folds.split(by_name, labels[by_name]):
        yield np.sort(by_name[seen]), by_name[unseen]

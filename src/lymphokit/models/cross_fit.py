"""Cross-fitting inside a training set: each part is scored by a model fitted on the others."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def held_out_parts(
    ids: Sequence[str], labels: NDArray[np.int64], *, parts: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Positions of the patients to fit on (ascending) and of those held out, for each part.

    Parts are stratified by label (n_bags,) in {0, 1}, at most as many as the rarer label has
    patients. The parts depend on the ids, not on the order of the bags.
    Raises ValueError where that leaves fewer than 2 parts.
    """
    from sklearn.model_selection import StratifiedKFold

    possible = min(parts, int(np.bincount(labels, minlength=2).min()))
    if possible < 2:
        raise ValueError(
            f"cross_fit: {parts} needs at least 2 parts and 2 training patients of each label"
        )
    by_name = np.argsort(np.array(ids), kind="stable")
    folds = StratifiedKFold(possible, shuffle=True, random_state=seed)
    for kept, held_out in folds.split(by_name, labels[by_name]):
        yield np.sort(by_name[kept]), by_name[held_out]

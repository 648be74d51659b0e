"""Parts that make training patients new: who is fitted on, who is rated."""

import numpy as np
import pytest

from lymphokit.models.cross_fit import held_out_parts

IDS = [f"P{i}" for i in range(23)]
LABELS = (np.arange(23) < 16).astype(np.int64)


def test_everyone_is_rated_once_by_a_fit_without_them() -> None:
    rated = []
    for kept, unseen in held_out_parts(IDS, LABELS, parts=5, seed=0):
        assert sorted([*kept, *unseen]) == list(range(23))
        assert (np.diff(kept) > 0).all()
        rated += unseen.tolist()
    assert sorted(rated) == list(range(23))


def test_each_part_has_its_share_of_either_label() -> None:
    counts = [
        np.bincount(LABELS[rated]).tolist()
        for _, rated in held_out_parts(IDS, LABELS, parts=4, seed=0)
    ]
    assert all(reactive in (1, 2) and tumoral == 4 for reactive, tumoral in counts)


def test_there_are_no_more_parts_than_patients_of_the_rarer_label() -> None:
    assert len(list(held_out_parts(IDS, LABELS, parts=20, seed=0))) == 7


def test_the_parts_do_not_hang_on_the_order_of_patients() -> None:
    turned = np.arange(23)[::-1]
    ours = held_out_parts(IDS, LABELS, parts=3, seed=0)
    theirs = held_out_parts([IDS[i] for i in turned], LABELS[turned], parts=3, seed=0)
    for (_, own), (_, other) in zip(ours, theirs, strict=True):
        assert {IDS[i] for i in own} == {IDS[turned[i]] for i in other}


@pytest.mark.parametrize(("labels", "parts"), [(LABELS, 1), (np.eye(23, dtype=np.int64)[0], 5)])
def test_too_few_to_deal_is_refused(labels: np.ndarray, parts: int) -> None:
    with pytest.raises(ValueError, match="2 training patients of each label"):
        next(held_out_parts(IDS, labels, parts=parts, seed=0))

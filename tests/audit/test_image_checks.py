"""An image in two patients fails, unless a person accepted it in writing."""

from typing import Any

import pandas as pd

from lymphokit.audit.image_checks import check_images
from tests.audit import runs

CELLS = pd.DataFrame(
    {"patient": ["P0", "P0", "P1", "P24"], "image": ["a.jpg", "b.jpg", "a.jpg", "c.jpg"]}
)


def pair(first: int, second: int, **values: Any) -> dict[str, Any]:
    about = {"bits": 1, "likeness": 0.9912, "turn": "as it is", "identical": False}
    return {"first": first, "second": second, **about, **values}


def checked(*pairs: dict[str, Any], known: list[dict[str, Any]] | None = None) -> Any:
    table = pd.DataFrame(list(pairs), columns=list(pair(0, 1)))
    return check_images(table, CELLS, runs.patients(), n_candidates=17, known=known or [])


def test_images_of_one_patient_alone_are_no_leak_and_are_counted() -> None:
    check, known = checked(pair(0, 1))
    assert check.faults == ()
    assert known == []
    assert check.compared == (
        "4 images, 17 candidate pairs: 0 the same in two patients, 1 within one"
    )


def test_an_image_in_two_patients_names_both_and_both_files() -> None:
    check, _ = checked(pair(0, 2))
    assert runs.findings(check) == (
        "P0: a.jpg (train) is nearly (likeness 0.991) a.jpg of P1 (train)"
    )
    assert "audit.known_duplicates" in check.faults[0].remedy


def test_the_same_image_mirrored_in_train_and_test_is_named_so() -> None:
    check, _ = checked(pair(1, 3, turn="mirrored", identical=True))
    assert "b.jpg (train) is pixel by pixel (mirrored) c.jpg of P24 (test)" in runs.findings(check)


def test_an_accepted_pair_passes_and_stays_on_record_in_either_order() -> None:
    known = [{"images": ["P1/a.jpg", "P0/a.jpg"], "reason": "one smear of twins"}]
    check, record = checked(pair(0, 2), pair(1, 3), known=known)
    assert [fault.patient for fault in check.faults] == ["P0"]
    assert "c.jpg" in runs.findings(check)
    assert check.compared.endswith("1 the same in two patients, 0 within one, 1 known and accepted")
    assert record == [
        {"images": ["P0/a.jpg", "P1/a.jpg"], "reason": "one smear of twins", "found": True}
    ]


def test_an_accepted_pair_that_is_not_there_hides_nothing_and_is_marked() -> None:
    known = [{"images": ["P0/b.jpg", "P1/a.jpg"], "reason": "long gone"}]
    check, record = checked(pair(0, 2), known=known)
    assert len(check.faults) == 1
    assert [entry["found"] for entry in record] == [False]

"""The audit in a finished run: it passes as it is; a planted leak of any kind fails the build."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lymphokit.integrity import record_path, write_records
from tests.workflow.conftest import Checkout

# One worker for all of them, so that the finished checkout is made once.
pytestmark = pytest.mark.xdist_group("workflow")

HOME = "results/demo"


def plant(path: Path, change: Callable[[Path], None]) -> None:
    """Change a file as if its job had written it so: nothing is made anew, no digest differs."""
    status = path.stat()
    change(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    write_records([str(path)], "planted", {})


def plant_json(path: Path, change: Callable[[Any], Any]) -> None:
    def rewrite(file: Path) -> None:
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))

    plant(path, rewrite)


def plant_table(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    def rewrite(file: Path) -> None:
        change(pd.read_csv(file, dtype={"patient": str})).to_csv(file, index=False)

    plant(path, rewrite)


def someone(checkout: Checkout, part: str) -> str:
    """The last patient of a part of fold 1."""
    folds = pd.read_csv(checkout.folder / HOME / "folds.csv", dtype={"patient": str})
    return str(folds.query(f"fold == 1 and part == '{part}'")["patient"].iloc[-1])


def test_the_audit_of_an_honest_run_passes_and_says_what_it_compared(finished: Checkout) -> None:
    audit = json.loads((finished.folder / HOME / "audit.json").read_text())
    assert [check["check"] for check in audit["checks"]] == [
        *("folds", "images", "predictions", "fits", "features", "pseudo-labels"),
        *("thresholds", "blends", "digests", "submission"),
    ]
    assert all(check["passed"] and check["findings"] == [] for check in audit["checks"])
    compared = {check["check"]: check["compared"] for check in audit["checks"]}
    assert (
        compared["folds"]
        == "2 folds of 36 patients, 6 test patients: 0 on both sides, twice or missing"
    )
    # Twelve models in two folds, two inner fits and one of the whole part each.
    assert compared["fits"].startswith("72 fits of 24 models and folds, ")
    assert compared["pseudo-labels"].startswith("2 lineages, 48 added cells, ")
    assert compared["thresholds"].startswith("44 thresholds chosen again")
    assert compared["blends"].startswith("20 blends of ")
    assert compared["digests"].endswith("0 of another content; 0 without a digest, 0 deleted since")
    assert audit["known_duplicates"] == []


def test_planted_leaks_of_every_kind_fail_the_build_and_are_named_at_once(copied: Checkout) -> None:
    home = copied.folder / HOME
    validating, training = someone(copied, "validation"), someone(copied, "train")
    row = {"fold": 1, "repeat": 1, "patient": training, "part": "validation", "inner": -1}
    plant_table(home / "folds.csv", lambda t: pd.concat([t, pd.DataFrame([row])]))
    cells = pd.read_csv(home / "cohort/cells.csv", dtype={"patient": str})
    bank = np.load(home / "imaging/raw_128.npy")
    one, other = cells.index[0], cells.index[-1]
    bank[other] = bank[one][:, ::-1]
    plant(home / "imaging/raw_128.npy", lambda file: np.save(file, bank))
    plant_json(
        home / "fold1/pooled/record.json", lambda r: r["fits"][-1]["fitted_on"].append(validating)
    )
    plant_json(home / "fold1/d_mil_tuned/record.json", lambda r: r["features"].pop("fitted_on"))
    plant_table(
        home / "fold2/pseudo_label/round3/added.csv",
        lambda t: t.assign(patient=[cells["patient"].iloc[-1], *t["patient"][1:]]),
    )
    plant_table(
        home / "decisions.csv",
        lambda t: t.assign(threshold=t["threshold"].mask(t["model"] == "pooled", 0.25)),
    )
    plant_json(home / "fold2/blends/chosen.json", lambda c: c["stack"].update(intercept=9.0))
    told = copied.refusal("audit", "-R", "duplicates")
    for finding in (
        f"{training}: 2 faults",
        "  folds.csv: is 2 times in fold 1 (train and validation)",
        f"{cells['patient'][one]}: {cells['image'][one]} (train) is pixel by pixel (mirrored) "
        f"{cells['image'][other]} of {cells['patient'][other]} (",
        "record.json: the model of the whole part was fitted on them, a validation patient: pooled",
        "read by d_mil_tuned, does not declare what it was fitted on",
        "fold 2: pseudo-labels of a wrong lineage",
        "pseudo_label/lineage.json is of another added.csv (its sha256)",
        "decisions.csv, fold 1, pooled: threshold 0.250000, its inner predictions give 0.",
        "fold2/blends: chosen.json: stack.intercept is 9.000000, chosen again ",
        "or join the patients; where they are known and accepted, list the pair under",
    ):
        assert finding in told
    assert "FAIL" in copied.log("leaks")


def test_a_submission_that_was_changed_fails_the_build_and_is_named(copied: Checkout) -> None:
    (submission,) = copied.submissions()
    header, first, *rows = submission.read_text().splitlines()
    stranger = someone(copied, "train")
    submission.write_text("\n".join([header, f"{stranger},1", *rows]) + "\n")
    told = copied.refusal("audit", "-R", "audit")
    assert f"{stranger}: is in submissions/" in told
    assert f"{first.partition(',')[0]}: submissions/" in told
    assert "has another sha256 than its receipt" in told


def test_no_csv_is_written_while_there_is_a_leak(copied: Checkout) -> None:
    before = copied.submissions()
    record = copied.folder / HOME / "fold1/clinical/record.json"
    stranger = someone(copied, "validation")
    plant_json(record, lambda r: r["fits"][0]["fitted_on"].append(stranger))
    told = copied.refusal("submission", "-R", "out_of_fold")
    assert f"{stranger}: fold 1, record.json: the model without inner 0 was fitted on them" in told
    assert copied.submissions() == before


@pytest.mark.parametrize("content", ["", '{"checks": []}', "leak!"])
def test_no_csv_is_written_on_leak_checks_that_are_empty_or_unreadable(
    copied: Checkout, content: str
) -> None:
    before, leaks = copied.submissions(), copied.folder / HOME / "leaks.json"
    leaks.write_text(content)
    assert f"{HOME}/leaks.json" in copied.refusal("submission", "-R", "submit")
    record_path(leaks).unlink()  # results of an earlier version have none
    assert f"{HOME}/leaks.json" in copied.refusal("submission", "-R", "submit")
    assert copied.submissions() == before


def test_looking_for_leaks_again_writes_no_new_csv(copied: Checkout) -> None:
    before = copied.submissions()
    copied.run("submission", "-R", "duplicates")
    assert "0 the same in two patients" in copied.log("leaks")
    assert copied.submissions() == before

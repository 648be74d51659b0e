"""Repeated training on several divisions, blind to held-out and scored patients."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lymphokit.bags.packed import Bags
from lymphokit.deep_mil import training
from lymphokit.deep_mil.network_settings import DMilSettings
from lymphokit.deep_mil.replicas import Division, Run, train_replicas
from tests.bags.toys import Patients, patients

Settings = Callable[..., DMilSettings]
COHORT = patients(45, seed=2, shift=3.0)

pytestmark = pytest.mark.trains


@pytest.fixture(scope="module")
def small(settings: Settings) -> Settings:
    """D-MIL as config.yaml has it, but small and fast, and with these changes."""

    def with_changes(**changes: Any) -> DMilSettings:
        quick = {
            "pca": 5, "attention_width": 8, "hidden": [12], "clinical_hidden": [5],
            "learning_rate": 0.01, "batch_bags": 6, "max_epochs": 12, "early_stopping": 4,
            "members": 1,
        }  # fmt: skip
        return settings("d_mil", **(quick | changes))

    return with_changes


def divisions(k: int = 3) -> list[Division]:
    scored = np.arange(45) % k == np.arange(k)[:, None]
    return [Division(~fold, fold) for fold in scored]


def trained(
    settings: DMilSettings, cohort: Patients = COHORT, executions: int = 2
) -> list[list[Run]]:
    return train_replicas(
        settings, cohort.bags, cohort.labels, cohort.clinical, divisions(),
        executions=executions, seed=3,
    )  # fmt: skip


@pytest.mark.parametrize("members", [1, 2])
def test_every_patient_is_scored_or_held_out_where_it_should_be(
    small: Settings, members: int
) -> None:
    for division, runs in zip(
        divisions(), trained(small(members=members, max_epochs=2)), strict=True
    ):
        assert len(runs) == 2
        for run in runs:
            assert run.epochs.shape == (members,)
            assert len(run.history) == 2 * 3 * members  # epochs, parts
            assert set(run.history["member"]) == set(range(1, members + 1))
            assert (np.isfinite(run.scored) == division.scored).all()
            held_out = np.isfinite(run.held_out)
            assert not (held_out & division.scored).any()
            # One of two members holds out each training patient; a single one holds out a fifth.
            assert held_out.sum() == (6 if members == 1 else 30)


def test_executions_differ_and_the_same_seed_gives_the_same_bytes(small: Settings) -> None:
    scored = divisions()[0].scored
    (one, two), again = trained(small())[0], trained(small())[0]
    assert one.scored.tobytes() == again[0].scored.tobytes()
    assert np.abs(one.scored[scored] - two.scored[scored]).max() > 1e-3


def test_executions_hold_out_other_patients(small: Settings) -> None:
    one, two = trained(small(max_epochs=1))[0]
    held_out = [np.isfinite(run.held_out) for run in (one, two)]
    assert (held_out[0] != held_out[1]).any()
    assert held_out[0].sum() == held_out[1].sum()


def test_executions_of_a_network_differ_in_the_order_of_the_bags(
    small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[list[int]] = []
    split_steps = training.split_steps

    def spy(order: Any, *rest: Any) -> Any:
        orders.append([int(bag) for bag in order])
        return split_steps(order, *rest)

    monkeypatch.setattr(training, "split_steps", spy)
    trained(small(max_epochs=1))
    assert len(orders) == 3 * 2  # divisions, executions; one epoch
    for place in range(0, 6, 2):
        assert orders[place] != orders[place + 1]


def test_an_execution_does_not_depend_on_how_many_there_are(small: Settings) -> None:
    few, many = trained(small(), executions=1), trained(small(), executions=3)
    for one, other in zip(few, many, strict=True):
        assert one[0].epochs.tolist() == other[0].epochs.tolist()
        np.testing.assert_array_equal(one[0].scored, other[0].scored)


def test_a_division_is_trained_as_it_is_by_itself(small: Settings) -> None:
    together = trained(small())[0]
    (alone,) = train_replicas(
        small(), COHORT.bags, COHORT.labels, COHORT.clinical, divisions()[:1], executions=2, seed=3
    )
    for one, other in zip(alone, together, strict=True):
        assert one.epochs.tolist() == other.epochs.tolist()
        np.testing.assert_array_equal(one.scored, other.scored)


def test_a_scored_patient_changes_nothing_but_its_own_probability(small: Settings) -> None:
    """Neither projection, nor weights, nor the epoch depend on the patients that are scored."""
    moved, labels = COHORT.bags.instances.copy(), COHORT.labels.copy()
    patient = 6  # scored by the first division
    moved[COHORT.bags.cells_of([patient])] *= 30.0
    labels[patient] = 1 - labels[patient]
    other = Patients(COHORT.bags.with_instances(moved), labels, COHORT.clinical)
    others = divisions()[0].scored.copy()
    others[patient] = False
    for before, after in zip(trained(small())[0], trained(small(), other)[0], strict=True):
        assert before.epochs.tolist() == after.epochs.tolist()
        np.testing.assert_allclose(before.scored[others], after.scored[others], atol=1e-6)
        np.testing.assert_allclose(before.held_out, after.held_out, atol=1e-6)
        assert before.scored[patient] != after.scored[patient]


def test_a_network_does_not_learn_from_patients_it_holds_out(small: Settings) -> None:
    """Without a projection, and with one epoch, so that none is chosen."""
    unprojected = small(scale=False, pca=None, max_epochs=1)
    runs, scored = trained(unprojected)[0], divisions()[0].scored
    (patient, *_) = np.flatnonzero(np.isfinite(runs[0].held_out))
    moved = COHORT.bags.instances.copy()
    moved[COHORT.bags.cells_of([patient])] += 3.0
    other = replace(COHORT, bags=COHORT.bags.with_instances(moved))
    # The first execution: others hold out other patients.
    before, after = runs[0], trained(unprojected, other)[0][0]
    np.testing.assert_allclose(before.scored[scored], after.scored[scored], atol=1e-6)
    assert before.held_out[patient] != after.held_out[patient]


def test_divisions_share_the_components_that_all_of_them_can_have(
    small: Settings,
) -> None:
    cells = COHORT.bags.instances[COHORT.bags.offsets[:-1]]
    wide = np.hstack([cells] * 9)
    lone = replace(COHORT, bags=Bags(wide, np.arange(46), COHORT.bags.ids))
    uneven = [
        Division(np.arange(45) >= 5, np.arange(45) < 5),
        Division(np.arange(45) < 20, np.arange(45) >= 20),
    ]
    runs = train_replicas(
        small(pca=3000, max_epochs=1), lone.bags, lone.labels, lone.clinical, uneven,
        executions=1, seed=0,
    )  # fmt: skip
    assert np.isfinite(runs[1][0].scored[20:]).all()


def test_it_learns_what_a_tumoral_bag_is(small: Settings) -> None:
    runs = trained(small(max_epochs=40, members=2), executions=1)
    out_of_fold = np.nansum([run.scored for (run,) in runs], axis=0)
    tumoral, reactive = out_of_fold[COHORT.labels == 1], out_of_fold[COHORT.labels == 0]
    assert (tumoral[:, None] > reactive).mean() > 0.85


def test_a_division_that_trains_on_one_label_is_refused(small: Settings) -> None:
    tumoral = COHORT.labels == 1
    with pytest.raises(ValueError, match="label"):
        train_replicas(
            small(), COHORT.bags, COHORT.labels, COHORT.clinical, [Division(tumoral, ~tumoral)],
            executions=1, seed=0,
        )  # fmt: skip

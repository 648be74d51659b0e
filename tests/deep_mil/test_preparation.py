"""What networks read is fitted on their training patients alone."""

import numpy as np
import pytest

from lymphokit.bags.packed import Clinical
from lymphokit.deep_mil.preparation import Preparation
from tests.bags.toys import Patients, patients


def prepared(of: Patients, weighted_loss: bool = True) -> Preparation:
    made = Preparation(scale=True, pca=3, weighted_loss=weighted_loss, seed=0)
    return made.fit(of.bags, of.labels, of.clinical)


@pytest.mark.parametrize(("weighted", "costs"), [(True, [0.25, 0.75]), (False, [1.0, 1.0])])
def test_a_positive_costs_the_share_of_positives(weighted: bool, costs: list[float]) -> None:
    of = patients(40, seed=0)
    some = of.take(
        np.concatenate([np.flatnonzero(of.labels == 1)[:6], np.flatnonzero(of.labels == 0)[:2]])
    )
    made = prepared(some, weighted)
    assert made.costs(np.array([1, 0])).tolist() == [costs[1], costs[0]]


def test_the_clinical_attributes_are_standardised_on_the_training_patients() -> None:
    of = patients(20, seed=0)
    made = prepared(of)
    ours = made.attributes(Clinical(np.array([50.0]), np.array([9.0])))[0].tolist()
    ages, counts = of.clinical.age_years, np.log(of.clinical.lymphocytes_giga_per_litre)
    expected = [(50 - ages.mean()) / ages.std(), (np.log(9) - counts.mean()) / counts.std()]
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_an_attribute_that_all_patients_share_is_no_obstacle() -> None:
    of = patients(20, seed=0)
    same = Clinical(np.full(20, 70.1), of.clinical.lymphocytes_giga_per_litre)
    made = prepared(Patients(of.bags, of.labels, same))
    assert made.attributes(of.clinical)[:, 0].abs().max() < 50  # years from 70.1, not infinity


def test_the_cells_of_new_patients_are_projected_as_those_of_the_old() -> None:
    of, new = patients(20, seed=0), patients(5, seed=1)
    made = prepared(of)
    inputs = made.inputs(new.bags, made.attributes(new.clinical))
    assert (inputs.n_features, inputs.n_clinical) == (3, 2)
    expected = made.projection_.transform(new.bags.instances)
    np.testing.assert_array_equal(inputs.bags.instances, expected)
    assert inputs.bags.ids == new.bags.ids


def test_features_read_from_a_file_may_be_taken_as_they_are() -> None:
    of = patients(6, seed=0)
    features = of.bags.instances.astype(np.float32)
    features.setflags(write=False)
    bags = of.bags.with_instances(features)
    made = Preparation(scale=False, pca=None, weighted_loss=True, seed=0)
    inputs = made.fit(bags, of.labels, of.clinical).inputs(bags, made.attributes(of.clinical))
    np.testing.assert_array_equal(inputs.bags.instances, features)
    assert inputs.bags.instances.flags.writeable

"""What networks read is fitted on their training patients alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lymphokit.bags.packed import Clinical
from lymphokit.deep_mil.preparation import Preparation, label_weights
from tests.bags.toys import Patients, patients


@pytest.mark.parametrize(("weighted", "weights"), [(True, [0.25, 0.75]), (False, [1.0, 1.0])])
def test_the_loss_of_a_positive_weighs_the_share_of_positives(
    weighted: bool, weights: list[float]
) -> None:
    assert label_weights(np.repeat([1, 0], [6, 2]), weighted).tolist() == weights


def scaled(training: Patients, clinical: Clinical) -> torch.Tensor:
    """Attributes of patients, standardised on the training patients."""
    preparation = Preparation(scale=False, pca=None, seed=0)
    preparation.fit(training.bags, training.clinical)
    return preparation.transform(training.bags.take(np.arange(len(clinical))), clinical).clinical


def test_the_clinical_attributes_are_standardised_on_the_training_patients() -> None:
    training = patients(20, seed=0)
    one = scaled(training, Clinical(np.array([50.0]), np.array([9.0])))[0].tolist()
    ages = training.clinical.age_years
    counts = np.log(training.clinical.lymphocytes_giga_per_litre)
    expected = [(50 - ages.mean()) / ages.std(), (np.log(9) - counts.mean()) / counts.std()]
    np.testing.assert_allclose(one, expected, rtol=1e-5)


def test_an_attribute_that_all_patients_share_keeps_its_unit() -> None:
    training = patients(20, seed=0)
    same = replace(training.clinical, age_years=np.full(20, 70.1))
    ages = scaled(replace(training, clinical=same), training.clinical)[:, 0]
    assert ages.abs().max() < 50  # years from 70.1, not infinity


def test_the_cells_of_new_patients_are_projected_as_the_training_cells() -> None:
    cohort, new = patients(20, seed=0), patients(5, seed=1)
    preparation = Preparation(scale=True, pca=3, seed=0).fit(cohort.bags, cohort.clinical)
    prepared = preparation.transform(new.bags, new.clinical)
    assert (len(prepared), prepared.bags.instances.shape[1]) == (5, 3)
    expected = preparation.projection_.transform(new.bags.instances)
    np.testing.assert_array_equal(prepared.bags.instances, expected)
    assert prepared.bags.ids == new.bags.ids


def test_without_clinical_data_all_patients_are_average() -> None:
    cohort = patients(20, seed=0)
    preparation = Preparation(scale=True, pca=3, seed=0).fit(cohort.bags, cohort.clinical)
    assert torch.equal(preparation.transform(cohort.bags, None).clinical, torch.zeros(20, 2))
    mean = preparation.transform(cohort.bags, cohort.clinical).clinical.mean(dim=0)
    torch.testing.assert_close(mean, torch.zeros(2), atol=1e-5, rtol=0)


def test_a_batch_holds_the_chosen_bags_in_their_order() -> None:
    cohort = patients(6, seed=0)
    preparation = Preparation(scale=False, pca=None, seed=0).fit(cohort.bags, cohort.clinical)
    prepared = preparation.transform(cohort.bags, cohort.clinical)
    cells, bag_of, clinical = prepared.batch(np.array([4, 1]))
    expected = cohort.bags.take([4, 1])
    np.testing.assert_array_equal(cells, expected.instances.astype(np.float32))
    np.testing.assert_array_equal(bag_of, expected.bag_of)
    assert torch.equal(clinical, prepared.clinical[[4, 1]])


def test_the_batches_of_steps_are_those_of_each_step_alone() -> None:
    cohort = patients(7, seed=0)
    preparation = Preparation(scale=False, pca=None, seed=0).fit(cohort.bags, cohort.clinical)
    prepared = preparation.transform(cohort.bags, cohort.clinical)
    steps = [np.array(step) for step in ([4, 1], [3], [0, 6, 5], [1, 1])]
    met = 0
    for step, batch in zip(steps, prepared.batches(steps), strict=True):
        expected = cohort.bags.take(step)
        np.testing.assert_array_equal(batch[0], expected.instances.astype(np.float32))
        np.testing.assert_array_equal(batch[1], expected.bag_of)
        assert torch.equal(batch[2], prepared.clinical[step])
        met += 1
    assert met == 4


def test_features_read_from_a_file_may_be_taken_as_they_are() -> None:
    cohort = patients(6, seed=0)
    features = cohort.bags.instances.astype(np.float32)
    features.setflags(write=False)
    bags = cohort.bags.with_instances(features)
    preparation = Preparation(scale=False, pca=None, seed=0).fit(bags, cohort.clinical)
    prepared = preparation.transform(bags, cohort.clinical)
    np.testing.assert_array_equal(prepared.bags.instances, features)
    assert prepared.bags.instances.flags.writeable

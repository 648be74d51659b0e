"""What every model promises, whatever it is: one suite over all kinds of the registry."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from lymphokit.bags.contract import AnyModel, ScoresCells
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.errors import EmptyBagError, NotFittedError
from lymphokit.models.registry import kind_of, kinds
from tests.bags.toys import (
    Patients,
    as_images,
    differing_in_size,
    patients,
    with_every_cell_twice,
    with_probabilities,
)

Make = Callable[[], AnyModel]
BLOCKS = {  # the block of config.yaml that each kind takes its settings from, and what is quick
    "clinical_logistic": ("clinical", {}),
    "clinical_xgboost": ("clinical_xgb", {}),
    "mi_svm": ("mi_svm", {"pca": 6}),
    "mi_svm_xgboost": ("mi_svm_xgb", {"pca": 6, "cross_fit": 3}),
    "d_mil": (
        "d_mil",
        {
            "pca": 6,
            "attention_width": 8,
            "hidden": [16],
            "clinical_hidden": [8],
            "learning_rate": 1e-2,
            "batch_bags": 8,
            "max_epochs": 40,
            "members": 2,
        },
    ),
    "end_to_end": (
        "end_to_end",
        {
            "side": 16,
            "latent": 512,
            "attention_width": 8,
            "hidden": [16],
            "clinical_hidden": [8],
            "learning_rate": 1e-2,
            "frozen_epochs": 1,
            "epochs": 6,
            "cells_per_bag": 99,
            "flips": 0.0,
        },
    ),
    "cell_counts_xgboost": ("pseudo_label_xgb", {}),
    "cell_counts_lightgbm": ("pseudo_label_lgbm", {"least_patients": 3}),
    "pooled_logistic": ("pooled", {"pca": 6, "C": 1.0}),
    "one_class_svm": ("one_class", {"pca": None, "cross_fit": 3}),
    "bag_kernel": ("bag_kernel", {"pca": 6}),
    "cell_types": ("cell_types", {"pca": 6, "types": 8}),
    "bag_average": ("instance_cnn", {}),
    "bag_average_xgboost": ("instance_cnn_xgb", {}),
}
JUDGED = [  # they take one probability of a cell
    "cell_counts_xgboost",
    "cell_counts_lightgbm",
    "bag_average",
    "bag_average_xgboost",
]
SCORING = [
    *("mi_svm", "mi_svm_xgboost", "d_mil", "one_class_svm", "bag_kernel", "cell_types"),
    *JUDGED,
]
# Each a kind, and after a colon how it aggregates where config.yaml has it otherwise. These read
# the features themselves: the maximum of a component sees only those cells that lie up its axis.
AGGREGATING = ["d_mil:gated_attention", "d_mil:dual_stream", "d_mil:max", "d_mil:mean_std"]


@pytest.fixture(scope="module", params=[*kinds(), *AGGREGATING])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def make(kind: str, settings: Callable[..., Any]) -> Make:
    name, _, aggregation = kind.partition(":")
    block, quick = BLOCKS[name]
    changes = quick | ({"aggregation": aggregation, "pca": None} if aggregation else {})
    return lambda: kind_of(name).model(settings(block, **changes), seed=5)


@pytest.fixture(scope="module")
def toy(kind: str) -> Callable[[int, int], Patients]:
    """Patients whose label shows in what this kind looks at: cells, or else their age."""

    def of(n: int, seed: int) -> Patients:
        drawn = patients(n, seed=seed, in_images=kind_of(kind.partition(":")[0]).uses_images)
        if kind == "end_to_end":
            return as_images(drawn)
        return with_probabilities(drawn) if kind in JUDGED else drawn

    return of


@pytest.fixture(scope="module")
def trained(make: Make, toy: Callable[[int, int], Patients]) -> AnyModel:
    return fitted(make(), toy(24, 0))


def fitted(model: AnyModel, on: Patients) -> AnyModel:
    return model.fit(on.bags, on.labels, on.clinical)


def predicted(model: AnyModel, of: Patients) -> NDArray[np.float64]:
    return model.predict_proba(of.bags, of.clinical)


def cells_shuffled(of: Patients) -> Patients:
    rng = np.random.default_rng(11)
    parts = np.split(of.bags.instances, of.bags.offsets[1:-1])
    return Patients(
        Bags.pack([rng.permutation(part) for part in parts], of.bags.ids), of.labels, of.clinical
    )


@pytest.mark.trains
def test_it_learns_an_easy_problem(make: Make, toy: Callable[[int, int], Patients]) -> None:
    model, fresh = fitted(make(), toy(80, 0)), toy(40, 1)
    assert roc_auc_score(fresh.labels, predicted(model, fresh)) > 0.8


def test_the_same_seed_gives_the_same_scores(
    make: Make, toy: Callable[[int, int], Patients]
) -> None:
    first, second = fitted(make(), toy(24, 0)), fitted(make(), toy(24, 0))
    np.testing.assert_array_equal(predicted(first, toy(9, 1)), predicted(second, toy(9, 1)))


def test_fitting_again_forgets_what_was_learned_before(
    make: Make, trained: AnyModel, toy: Callable[[int, int], Patients]
) -> None:
    again = fitted(fitted(make(), toy(16, 7)), toy(24, 0))
    np.testing.assert_array_equal(predicted(again, toy(9, 1)), predicted(trained, toy(9, 1)))


def test_fit_returns_the_model_and_leaves_its_patients_alone(
    make: Make, toy: Callable[[int, int], Patients]
) -> None:
    of, untouched, model = toy(24, 0), toy(24, 0), make()
    assert fitted(model, of) is model
    np.testing.assert_array_equal(of.bags.instances, untouched.bags.instances)
    np.testing.assert_array_equal(of.labels, untouched.labels)
    np.testing.assert_array_equal(of.clinical.matrix(), untouched.clinical.matrix())


def test_probabilities_lie_between_0_and_1(
    trained: AnyModel, toy: Callable[[int, int], Patients]
) -> None:
    probabilities = predicted(trained, toy(30, 1))
    assert probabilities.shape == (30,)
    assert probabilities.dtype == np.float64
    assert probabilities.min() >= 0.0
    assert probabilities.max() <= 1.0
    assert len(np.unique(probabilities)) > 1


def test_the_order_of_new_cells_does_not_matter(
    trained: AnyModel, toy: Callable[[int, int], Patients]
) -> None:
    new = toy(9, 1)
    np.testing.assert_allclose(
        predicted(trained, cells_shuffled(new)), predicted(trained, new), atol=1e-6
    )


@pytest.mark.trains
def test_the_order_of_training_cells_does_not_matter(
    make: Make, trained: AnyModel, toy: Callable[[int, int], Patients]
) -> None:
    other = fitted(make(), cells_shuffled(toy(24, 0)))
    np.testing.assert_allclose(
        predicted(other, toy(9, 1)), predicted(trained, toy(9, 1)), atol=1e-3
    )


def test_a_bags_score_does_not_hang_on_the_bags_beside_it(
    trained: AnyModel, toy: Callable[[int, int], Patients]
) -> None:
    new = toy(9, 1)
    together = predicted(trained, new)
    turned = np.arange(9)[::-1]
    np.testing.assert_allclose(predicted(trained, new.take(turned)), together[turned], atol=1e-6)
    alone = [predicted(trained, new.take(np.array([bag])))[0] for bag in range(9)]
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_age_and_count_matter_where_the_registry_says_so(
    kind: str, trained: AnyModel, toy: Callable[[int, int], Patients]
) -> None:
    new = toy(30, 1)
    older = Clinical(new.clinical.age_years + 20.0, 4 * new.clinical.lymphocytes_giga_per_litre)
    changed = trained.predict_proba(new.bags, older)
    depends = not np.array_equal(changed, predicted(trained, new))
    assert depends == kind_of(kind.partition(":")[0]).reads_clinical


def test_bags_of_one_cell_work(make: Make, toy: Callable[[int, int], Patients]) -> None:
    of = toy(24, 0)
    first = of.bags.instances[of.bags.offsets[:-1]]
    single = Patients(Bags(first, np.arange(25), of.bags.ids), of.labels, of.clinical)
    assert np.isfinite(predicted(fitted(make(), single), single)).all()


def test_the_same_cells_twice_over_change_nothing_unless_cells_are_said_to_be_counted(
    kind: str, make: Make, trained: AnyModel, toy: Callable[[int, int], Patients]
) -> None:
    if uses_bag_size(kind, make()):
        pytest.skip("it says that it counts cells: see the next test")
    new = toy(30, 1)
    np.testing.assert_allclose(
        predicted(trained, with_every_cell_twice(new)), predicted(trained, new), atol=1e-6
    )


@pytest.mark.parametrize("matrix", ["counts", "shares"])
@pytest.mark.parametrize("name", ["cell_counts_xgboost", "cell_counts_lightgbm"])
def test_bag_size_alone_is_learned_by_models_that_say_that_they_use_it_and_by_no_others(
    name: str, matrix: str, settings: Callable[..., Any]
) -> None:
    block, quick = BLOCKS[name]
    model = kind_of(name).model(settings(block, **quick, matrix=matrix), seed=5)
    training, fresh = differing_in_size(60, seed=0), differing_in_size(60, seed=1)
    auc = roc_auc_score(fresh.labels, predicted(fitted(model, training), fresh))
    assert (auc > 0.9) == uses_bag_size(name, model)


def uses_bag_size(kind: str, model: AnyModel) -> bool:
    return kind_of(kind.partition(":")[0]).uses_bag_size(model.settings.model_dump())


def test_an_empty_bag_never_reaches_a_model() -> None:
    bags = patients(3, seed=0).bags
    offsets = np.array([0, 0, *bags.offsets[2:]])
    with pytest.raises(EmptyBagError, match="P0"):
        Bags(bags.instances, offsets, bags.ids)


def test_predicting_before_fitting_is_refused(
    make: Make, toy: Callable[[int, int], Patients]
) -> None:
    with pytest.raises(NotFittedError, match="fit"):
        predicted(make(), toy(4, 0))


@pytest.mark.parametrize("kind", [*SCORING, *AGGREGATING], indirect=True)
def test_scoring_cells_before_fitting_is_refused(
    make: Make, toy: Callable[[int, int], Patients]
) -> None:
    model = make()
    assert isinstance(model, ScoresCells)
    with pytest.raises(NotFittedError, match="fit"):
        model.cell_scores(toy(4, 0).bags)


@pytest.mark.trains
@pytest.mark.parametrize("kind", [*SCORING, *AGGREGATING], indirect=True)
def test_cell_scores_are_one_a_cell_and_higher_for_abnormal_cells(
    kind: str, trained: AnyModel, toy: Callable[[int, int], Patients]
) -> None:
    assert isinstance(trained, ScoresCells)
    new = toy(30, 1)
    scores = trained.cell_scores(new.bags)
    assert scores.shape == (len(new.bags.instances),)
    in_tumoral_bag = new.labels[new.bags.bag_of] == 1
    middle = 0.5 if kind in JUDGED else 2.0
    is_abnormal = new.bags.instances[in_tumoral_bag, 0] > middle
    assert roc_auc_score(is_abnormal, scores[in_tumoral_bag]) > 0.85


def test_the_others_have_no_cell_scores() -> None:
    others = [kind.model for name, kind in kinds().items() if name not in SCORING]
    assert [model for model in others if hasattr(model, "cell_scores")] == []


@pytest.mark.parametrize("label", [0, 1])
def test_patients_of_one_label_alone_are_refused(
    make: Make, toy: Callable[[int, int], Patients], label: int
) -> None:
    of = toy(24, 0)
    with pytest.raises(ValueError, match="label"):
        fitted(make(), of.take(np.flatnonzero(of.labels == label)))

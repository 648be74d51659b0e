"""One configuration of D-MIL trained repeatedly, on several divisions of the patients.

A repeated K-fold, or the seven executions of an ablation. Networks of a division share projection,
held-out patients and the order of the bags, and differ in initial weights and dropout.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lymphokit.bags.contract import require_both_classes
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.deep_mil.network_settings import DMilSettings
from lymphokit.deep_mil.preparation import Preparation, label_weights
from lymphokit.deep_mil.training import (
    Ensemble,
    Examples,
    History,
    Parts,
    hold_out,
    join_history,
    train_ensemble,
)

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Division:
    """The patients to train on and those to score, each (n_bags,), disjoint."""

    training: Booleans
    scored: Booleans


@dataclass(frozen=True)
class Runs:
    """Results of repeated training.

    history: its columns are networks, division after division, in each execution after execution.
    epochs (divisions, executions, members): the chosen ones, from 1. scored and held_out
    (divisions, executions, n_bags): probabilities, `scored` the mean over an execution's members,
    `held_out` from the member that held the patient out; nan for all other patients.
    """

    history: History
    epochs: NDArray[np.int64]
    scored: Floats
    held_out: Floats


def train_replicas(
    settings: DMilSettings,
    bags: Bags,
    labels: NDArray[np.int64],
    clinical: Clinical,
    divisions: Sequence[Division],
    *,
    executions: int,
    seed: int,
) -> Runs:
    """Train `executions` ensembles of `settings.members` networks on each division.

    bags, labels (n_bags,) and clinical hold all patients of the divisions. Projection, clinical
    standardisation and loss weights are fitted on a division's training patients; epochs are chosen
    on those of them that a network holds out, as in `DMil.fit`. All divisions keep as many
    components as the one with the fewest training cells allows, so that networks are of one size.
    Raises ValueError where the training patients of a division do not have both labels,
    LymphokitError where a network's loss never was a number.
    """
    settings = settings.model_copy(update={"pca": _common_pca(settings.pca, bags, divisions)})
    shape = executions, settings.members, len(bags)
    scores, epochs, scored, held_out = [], [], [], []
    for place, division in enumerate(divisions):
        ensemble, parts = _train_division(
            settings, bags, labels, clinical, division, executions, [seed, place]
        )
        probabilities = expit(ensemble.logits).reshape(shape)
        scores += ensemble.scores
        epochs.append(ensemble.epochs.reshape(shape[:2]))
        scored.append(np.where(division.scored, probabilities, np.nan).mean(axis=1))
        held_out_by = np.where(parts.held_out.reshape(shape), probabilities, np.nan)
        held_out.append(np.fmax.reduce(held_out_by, axis=1))  # one member has a number, or none
    return Runs(join_history(scores), np.stack(epochs), np.stack(scored), np.stack(held_out))


def _train_division(
    settings: DMilSettings,
    bags: Bags,
    labels: NDArray[np.int64],
    clinical: Clinical,
    division: Division,
    executions: int,
    entropy: Sequence[int],
) -> tuple[Ensemble, Parts]:
    """The networks of a division, execution after execution; everything is drawn from entropy."""
    training = np.flatnonzero(division.training)
    require_both_classes(labels[training])
    preparation = Preparation(scale=settings.scale, pca=settings.pca, seed=entropy[0])
    preparation.fit(bags.take(training), clinical.take(training))
    weights = label_weights(labels[training], settings.weighted_loss)
    inputs = preparation.transform(bags, clinical)
    examples = Examples.from_labels(inputs, labels, weights)
    rng = np.random.default_rng(entropy)
    held_out = np.zeros((settings.members, len(bags)), dtype=np.bool_)
    held_out[:, training] = hold_out(labels[training], settings.members, rng)
    held_out = np.tile(held_out, (executions, 1))
    seeds = [
        _seed(*entropy, execution, member)
        for execution in range(executions)
        for member in range(settings.members)
    ]
    parts = Parts(division.training & ~held_out, held_out, division.scored)
    return train_ensemble(examples, parts, settings, rng, seeds), parts


def _common_pca(pca: int | None, bags: Bags, divisions: Sequence[Division]) -> int | None:
    """Components that the training cells of every division allow."""
    fewest = min(int(bags.sizes[division.training].sum()) for division in divisions)
    return pca if pca is None else max(1, min(pca, fewest - 1))


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)

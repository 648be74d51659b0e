"""One configuration of D-MIL trained repeatedly, on several divisions of the patients.

A repeated K-fold, or the seven executions of an ablation. Executions on a division share the
projection alone; they differ in held-out patients, order of the bags, initial weights and dropout,
as two runs of a training script with different seeds do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from lymphokit.bags.contract import require_both_classes
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.deep_mil.network_settings import DMilSettings
from lymphokit.deep_mil.preparation import Preparation, label_weights
from lymphokit.deep_mil.training import Examples, hold_out, join_histories, train_ensemble

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Division:
    """The patients to train on and those to score, each (n_bags,), disjoint."""

    training: Booleans
    scored: Booleans


@dataclass(frozen=True)
class Run:
    """An ensemble trained on a division.

    epochs (members,): the chosen ones, from 1. history: as `join_histories` gives it.
    scored and held_out (n_bags,): probabilities, of scored patients the mean over the members, of a
    held-out one from the member that held it out; nan for all other patients.
    """

    epochs: NDArray[np.int64]
    history: pd.DataFrame
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
) -> list[list[Run]]:
    """Train `executions` ensembles on each division: a list of runs a division.

    bags, labels (n_bags,) and clinical hold all patients of the divisions. Projection, clinical
    standardisation and loss weights are fitted on a division's training patients; epochs are chosen
    on those of them that a network holds out, as in `DMil.fit`. All divisions keep as many
    components as the one with the fewest training cells allows, so that networks are of one size.
    Raises ValueError where the training patients of a division do not have both labels,
    LymphokitError where a network's loss never was a number.
    """
    settings = settings.model_copy(update={"pca": _common_pca(settings.pca, bags, divisions)})
    runs = []
    for place, division in enumerate(divisions):
        training = np.flatnonzero(division.training)
        require_both_classes(labels[training])
        preparation = Preparation(scale=settings.scale, pca=settings.pca, seed=seed)
        preparation.fit(bags.take(training), clinical.take(training))
        inputs = preparation.transform(bags, clinical)
        weights = label_weights(labels[training], settings.weighted_loss)
        examples = Examples(inputs, labels, weights)
        runs.append(_train_division(settings, examples, division, executions, [seed, place]))
    return runs


def _train_division(
    settings: DMilSettings,
    examples: Examples,
    division: Division,
    executions: int,
    entropy: Sequence[int],
) -> list[Run]:
    members, training = range(settings.members), division.training
    runs = []
    for execution in range(executions):
        # Its generator, and not one that runs on, so that an execution does not depend on others.
        rng = np.random.default_rng([*entropy, execution])
        held_out = np.zeros((len(members), len(examples.labels)), dtype=np.bool_)
        held_out[:, training] = hold_out(examples.labels[training], len(members), rng)
        masks = [held_out, training & ~held_out, division.scored & ~held_out]
        parts = np.select(masks, ["held_out", "learned", "scored"], "")
        seeds = [_seed(*entropy, execution, member) for member in members]
        trained = train_ensemble(examples, parts, settings, rng, seeds)
        probabilities = expit(np.stack([each.logits for each in trained]))  # (members, n_bags)
        runs.append(
            Run(
                np.array([each.epoch for each in trained]),
                join_histories(trained),
                np.where(division.scored, probabilities, np.nan).mean(axis=0),
                # One member has a number, or none has.
                np.fmax.reduce(np.where(held_out, probabilities, np.nan), axis=0),
            )
        )
    return runs


def _common_pca(pca: int | None, bags: Bags, divisions: Sequence[Division]) -> int | None:
    """Components that the training cells of every division allow."""
    fewest = min(int(bags.sizes[division.training].sum()) for division in divisions)
    return pca if pca is None else max(1, min(pca, fewest - 1))


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)

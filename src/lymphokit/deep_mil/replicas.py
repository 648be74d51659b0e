"""One configuration of D-MIL trained again and again, on several divisions of the patients at once.

A repeated K-fold, or the seven executions of an ablation, is one stack of networks and one
computation: the parameters of all are one array a layer, and a step moves them all. Networks of a
division share its scaler, its components, whom they hold out and the order of the bags; each has
its own initial weights, dropout, learning rate and day to stop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from lymphokit.bags.contract import require_both_classes
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.deep_mil.committee import Examples, History, Inputs, Plan, Schedule, train
from lymphokit.deep_mil.draws import hold_out
from lymphokit.deep_mil.network import Architecture, Committee, pick
from lymphokit.deep_mil.preparation import Preparation

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Division:
    """Who is trained on and who is scored, each (n_bags,), no patient both."""

    training: Booleans
    scored: Booleans


@dataclass(frozen=True)
class Runs:
    """What repeated trainings give.

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
    settings: Mapping[str, Any],
    bags: Bags,
    labels: NDArray[np.int64],
    clinical: Clinical,
    divisions: Sequence[Division],
    *,
    executions: int,
    seed: int,
) -> Runs:
    """Train `executions` D-MILs of `settings["members"]` networks on each division, all at once.

    settings: those of `DMil`; bags, labels (n_bags,) and clinical hold all patients of the
    divisions. Projection, clinical standardisation and costs are fitted on a division's training
    patients, and epochs chosen on the part of them that a network holds out, as in `DMil.fit`. All
    divisions keep as many components as the one with the fewest training cells allows.
    Raises ValueError where the training patients of a division do not have both labels,
    LymphokitError where a network's loss never was a number.
    """
    settings = {**settings, "pca": _common_pca(settings["pca"], bags, divisions)}
    stacks = [
        _Stack.of(settings, bags, labels, clinical, division, executions, seed, place)
        for place, division in enumerate(divisions)
    ]
    plan = _plan(stacks, divisions)
    examples = Examples(
        [stack.inputs for stack in stacks],
        torch.from_numpy(np.float32(labels)),
        torch.stack([stack.costs for stack in stacks]),
    )
    first = stacks[0].inputs
    generators = [generator for stack in stacks for generator in stack.generators]
    architecture, schedule = pick(Architecture, settings), pick(Schedule, settings)
    network = Committee(first.n_features, first.n_clinical, architecture, generators)
    rngs = [stack.rng for stack in stacks]
    training = train(network, examples, plan, schedule, rngs, generators)
    shape = len(divisions), executions, settings["members"]
    probabilities = expit(training.logits)
    return Runs(
        training.history,
        training.epochs.reshape(shape),
        _mean_of_members(probabilities, plan.scored, shape),
        _mean_of_members(probabilities, plan.held_out, shape),
    )


@dataclass(frozen=True)
class _Stack:
    """The networks of one division: what they read, and everything that is drawn for them."""

    inputs: Inputs
    costs: torch.Tensor
    held_out: Booleans
    rng: np.random.Generator
    generators: list[torch.Generator]

    @classmethod
    def of(
        cls,
        settings: Mapping[str, Any],
        bags: Bags,
        labels: NDArray[np.int64],
        clinical: Clinical,
        division: Division,
        executions: int,
        seed: int,
        place: int,
    ) -> "_Stack":
        training = np.flatnonzero(division.training)
        require_both_classes(labels[training])
        prepare = Preparation(
            **{key: settings[key] for key in ("scale", "pca", "weighted_loss")}, seed=seed
        ).fit(bags.take(training), labels[training], clinical.take(training))
        rng = np.random.default_rng([seed, place])
        members = settings["members"]
        held_out = np.zeros((members, len(bags)), dtype=np.bool_)
        held_out[:, training] = hold_out(labels[training], members, rng)
        generators = [
            torch.Generator().manual_seed(_seed_of(seed, place, execution, member))
            for execution in range(executions)
            for member in range(members)
        ]
        inputs = prepare.inputs(bags, prepare.attributes(clinical))
        everyone = np.tile(held_out, (executions, 1))
        return cls(inputs, prepare.costs(labels), everyone, rng, generators)


def _common_pca(pca: int | None, bags: Bags, divisions: Sequence[Division]) -> int | None:
    """Components that every division can have, so that one array holds the weights of all."""
    fewest = min(int(bags.sizes[division.training].sum()) for division in divisions)
    return pca if pca is None else max(1, min(pca, fewest - 1))


def _seed_of(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def _plan(stacks: Sequence[_Stack], divisions: Sequence[Division]) -> Plan:
    """Everybody's patients, division after division."""
    counts = [len(stack.generators) for stack in stacks]
    group_of = np.repeat(np.arange(len(stacks)), counts)
    held_out = np.concatenate([stack.held_out for stack in stacks])
    training = np.stack([division.training for division in divisions])[group_of]
    scored = np.stack([division.scored for division in divisions])[group_of]
    return Plan(group_of, training & ~held_out, held_out, scored)


def _mean_of_members(probabilities: Floats, part: Booleans, shape: tuple[int, int, int]) -> Floats:
    """The mean over the members whose part a patient is, nan where it is nobody's."""
    own = part.reshape(*shape, -1)
    total = np.where(own, probabilities.reshape(own.shape), 0.0).sum(axis=2)
    mean = np.full(total.shape, np.nan)
    np.divide(total, own.sum(axis=2), out=mean, where=own.any(axis=2))
    return mean

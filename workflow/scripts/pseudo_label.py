"""One step of a fold's pseudo-labelling: round 0, a round, or the last phase."""

import json
from pathlib import Path

import pandas as pd

from lymphokit.job import job
from lymphokit.pseudo_labels.learner import open_learner
from lymphokit.pseudo_labels.rounds import Rounds, account, chains_of
from lymphokit.pseudo_labels.selection import Choice, Schedule
from lymphokit.pseudo_labels.state_files import read_state, write_state

with job(snakemake.log[0], snakemake.threads):
    given, params = snakemake.input, snakemake.params
    fold = int(snakemake.wildcards.fold)
    patients = pd.read_csv(given.patients, dtype={"patient": str})
    cells = pd.read_csv(given.cells, dtype={"patient": str})
    folds = pd.read_csv(given.folds, dtype={"patient": str})
    rounds = Rounds(
        chains_of(cells, patients, folds[folds["fold"] == fold]),
        cells,
        Schedule(tuple(params.sizes)),
        Choice(**params.choice),
        open_learner(
            params.settings,
            dict(given.items()),
            frame=params.frame,
            trunk=params.trunk,
            seed=params.seed,
        ),
        params.seed,
        fold,
    )
    if params.phase == "round_zero":
        state = rounds.first()
    else:
        before = read_state(Path(given.added), Path(given.judged))
        state = (
            rounds.last_phase(before)
            if params.phase == "last_phase"
            else rounds.next(int(snakemake.wildcards.round), before)
        )
    write_state(state, Path(snakemake.output.added), Path(snakemake.output.judged))
    about = {key: params.get(key) for key in ("phase", "settings", "seed", "code")}
    record = {"fold": fold, **about, "chains": account(state)}
    Path(snakemake.output.record).write_text(json.dumps(record, indent=2) + "\n")

"""One phase of a fold's self-training: round 0, a round, or the last phase."""

from pathlib import Path

from lymphokit.cohort.tables import read_cells, read_fold, read_patients
from lymphokit.files import write_json
from lymphokit.job import job
from lymphokit.pseudo_labels.learner import LearnerInputs, open_learner
from lymphokit.pseudo_labels.rounds import SelfTraining, training_subsets
from lymphokit.pseudo_labels.selection import RoundSizes, SelectionSettings
from lymphokit.pseudo_labels.state import read_state, summarise, write_state

with job(snakemake):
    given, params = snakemake.input, snakemake.params
    fold = int(snakemake.wildcards.fold)
    cells = read_cells(given.cells)
    rounds = SelfTraining(
        training_subsets(cells, read_patients(given.patients), read_fold(given.folds, fold)),
        cells,
        RoundSizes(tuple(params.sizes)),
        SelectionSettings(**params.selection),
        open_learner(
            LearnerInputs(
                params.settings, dict(given.items()), params.frame, params.trunk, params.seed
            )
        ),
        params.seed,
        fold,
        params.drawn,
    )
    if params.phase == "round_zero":
        state = rounds.round_zero()
    else:
        before = read_state(Path(given.added), Path(given.scores))
        state = (
            rounds.last_phase(before)
            if params.phase == "last_phase"
            else rounds.next_round(int(snakemake.wildcards.round), before)
        )
    write_state(state, Path(snakemake.output.added), Path(snakemake.output.scores))
    about = {key: params.get(key) for key in ("phase", "settings", "drawn", "seed", "code")}
    record = {"fold": fold, **about, "subsets": summarise(state)}
    write_json(Path(snakemake.output.record), record)

# Self-training, the report's best single approach (report 4, Algorithm 1): a network trained on
# labelled cells labels further cells, round after round. A round is a rule, and round r reads round
# r - 1: no loop, no checkpoint. One job runs a round for every training subset of its fold: all
# training patients, and the training patients without each inner fold.
#
# There are two series of rounds: `pseudo_label` starts as `pseudo_label.start` says, from labelled
# cells or from bags, and `bag_start` from bags, so that `snakemake approaches` scores both.

PSEUDO = "results/{cohort}/fold{fold}/pseudo_label"
ROUNDS = "results/{cohort}/fold{fold}/{series}"


wildcard_constraints:
    series=any_of(settings.SERIES),


rule labelled_cells:
    input:
        folder=PLAN.labelled_cell_input,
    output:
        table="results/{cohort}/labelled_cells/cells.csv",
        about="results/{cohort}/labelled_cells/about.json",
    log:
        "logs/{cohort}/labelled_cells.log",
    benchmark:
        "logs/{cohort}/labelled_cells.tsv"
    priority: 100  # a folder that cannot serve says so before anything is trained
    conda:
        "../../environment.yml"
    params:
        folder=str(PLAN.labelled_cells),
        contents=contents_of(PLAN.labelled_cells, PLAN.labelled_cells_are_made),
        settings={
            key: config["pseudo_label"][key]
            for key in ["labelled_train", "labelled_validation", "labelled_px"]
        },
        seed=config["seed"],
        code=code_of("labelled_cells.py"),
    message:
        "Check the labelled cells"
    script:
        "../scripts/labelled_cells.py"


rule labelled_cells_figure:
    input:
        table="results/{cohort}/labelled_cells/cells.csv",
        about="results/{cohort}/labelled_cells/about.json",
    output:
        figure="results/{cohort}/figures/labelled_cells.png",
    log:
        "logs/{cohort}/labelled_cells_figure.log",
    benchmark:
        "logs/{cohort}/labelled_cells_figure.tsv"
    conda:
        "../../environment.yml"
    params:
        labelled_px=config["pseudo_label"]["labelled_px"],
        code=code_of("labelled_cells_figure.py"),
    message:
        "Figure: healthy and malignant labelled cells"
    script:
        "../scripts/labelled_cells_figure.py"


rule moments:
    input:
        raw=PLAN.raw,
        cells="results/{cohort}/cohort/cells.csv",
    output:
        moments="results/{cohort}/labelled_cells/moments.npy",
    log:
        "logs/{cohort}/moments.log",
    benchmark:
        "logs/{cohort}/moments.tsv"
    conda:
        "../../environment.yml"
    params:
        frame=PLAN.frame,
        contents=RAW_CONTENTS,
        code=code_of("moments.py"),
    message:
        "Measure the stain moments of all cells"
    script:
        "../scripts/moments.py"


rule stain:
    input:
        folds="results/{cohort}/folds.csv",
        cells="results/{cohort}/cohort/cells.csv",
        moments="results/{cohort}/labelled_cells/moments.npy",
        labelled="results/{cohort}/labelled_cells/about.json",
    output:
        stain=f"{PSEUDO}/stain.json",
    log:
        "logs/{cohort}/fold{fold}/stain.log",
    benchmark:
        "logs/{cohort}/fold{fold}/stain.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code_of("stain.py"),
    message:
        "Measure the stain of fold {wildcards.fold} and of the labelled cells"
    script:
        "../scripts/stain.py"


rule labelled_backbone:
    input:
        table="results/{cohort}/labelled_cells/cells.csv",
        about="results/{cohort}/labelled_cells/about.json",
        stain=f"{PSEUDO}/stain.json",
    output:
        bank=f"{PSEUDO}/{{backbone}}.npy",
        metadata=f"{PSEUDO}/{{backbone}}.json",
    log:
        "logs/{cohort}/fold{fold}/labelled_{backbone}.log",
    benchmark:
        "logs/{cohort}/fold{fold}/labelled_{backbone}.tsv"
    wildcard_constraints:
        backbone=any_of(config["backbones"]),
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu_slot=1,
    params:
        threads=2,
        settings={
            key: config["pseudo_label"][key]
            for key in ["labelled_px", "stain", "stain_per"]
        },
        backbone=lambda wildcards: PLAN.backbone(wildcards.backbone),
        cell_mask=config["cell_mask"],
        seed=config["seed"],
        code=code_of("labelled_backbone.py"),
    message:
        "Compute features of labelled cells with {wildcards.backbone}, fold {wildcards.fold}"
    script:
        "../scripts/labelled_backbone.py"


rule labelled_morphology:
    input:
        table="results/{cohort}/labelled_cells/cells.csv",
        about="results/{cohort}/labelled_cells/about.json",
        stain=f"{PSEUDO}/stain.json",
    output:
        bank=f"{PSEUDO}/morphology.npy",
        metadata=f"{PSEUDO}/morphology.json",
    log:
        "logs/{cohort}/fold{fold}/labelled_morphology.log",
    benchmark:
        "logs/{cohort}/fold{fold}/labelled_morphology.tsv"
    priority: 20  # the rounds wait for it
    conda:
        "../../environment.yml"
    params:
        settings={
            key: config["pseudo_label"][key]
            for key in ["labelled_px", "stain", "stain_per"]
        },
        segmentation=config["segmentation"],
        rim_px=PLAN.rim_px,
        code=code_of("labelled_morphology.py"),
    message:
        "Measure labelled cells, fold {wildcards.fold}"
    script:
        "../scripts/labelled_morphology.py"


rule round_zero:
    input:
        unpack(PLAN.learner_inputs),
    output:
        added=f"{ROUNDS}/round0/added.csv",
        scores=f"{ROUNDS}/round0/scores.npz",
        record=f"{ROUNDS}/round0/record.json",
    log:
        "logs/{cohort}/fold{fold}/{series}/round0.log",
    benchmark:
        "logs/{cohort}/fold{fold}/{series}/round0.tsv"
    priority: 20  # rounds are the longest chain of jobs
    conda:
        "../../environment.yml"
    threads: PLAN.learning_threads
    resources:
        gpu_slot=int(PLAN.trains_whole_network),
    params:
        threads=PLAN.learning_threads,
        phase="round_zero",
        settings=lambda wildcards: PLAN.learning(wildcards.series),
        drawn=lambda wildcards: PLAN.drawn(wildcards.series),
        sizes=[],
        selection=PLAN.selection,
        frame=PLAN.frame,
        trunk=PLAN.round_trunk,
        seed=config["seed"],
        contents=RAW_CONTENTS if PLAN.trains_whole_network else "",
        code=code_of("pseudo_label.py", PLAN.learner_module),
    message:
        "Round 0 of fold {wildcards.fold} ({wildcards.series})"
    script:
        "../scripts/pseudo_label.py"


use rule round_zero as pseudo_label with:
    input:
        unpack(PLAN.learner_inputs),
        unpack(PLAN.round_before),
    output:
        added=f"{ROUNDS}/round{{round}}/added.csv",
        scores=f"{ROUNDS}/round{{round}}/scores.npz",
        record=f"{ROUNDS}/round{{round}}/record.json",
    log:
        "logs/{cohort}/fold{fold}/{series}/round{round}.log",
    benchmark:
        "logs/{cohort}/fold{fold}/{series}/round{round}.tsv"
    wildcard_constraints:
        round=r"[1-9]\d*",
    # All params again: `use rule ... with` replaces the block as a whole.
    params:
        threads=PLAN.learning_threads,
        phase="round",
        settings=lambda wildcards: PLAN.learning(wildcards.series),
        drawn=lambda wildcards: PLAN.drawn(wildcards.series),
        sizes=lambda wildcards: PLAN.sizes_until(wildcards.get("round")),
        selection=PLAN.selection,
        frame=PLAN.frame,
        trunk=PLAN.round_trunk,
        seed=config["seed"],
        contents=RAW_CONTENTS if PLAN.trains_whole_network else "",
        code=code_of("pseudo_label.py", PLAN.learner_module),
    message:
        "Round {wildcards.round} of fold {wildcards.fold} ({wildcards.series})"


rule lineage:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        cells="results/{cohort}/cohort/cells.csv",
        folds="results/{cohort}/folds.csv",
        stain=PLAN.stain_of,
        added=f"{ROUNDS}/round{PLAN.last_round}/added.csv",
        scores=f"{ROUNDS}/round{PLAN.last_round}/scores.npz",
        records=expand(
            f"{ROUNDS}/round{{round}}/record.json",
            round=range(PLAN.last_round + 1),
            allow_missing=True,
        ),
    output:
        lineage=f"{ROUNDS}/lineage.json",
    log:
        "logs/{cohort}/fold{fold}/{series}/lineage.log",
    benchmark:
        "logs/{cohort}/fold{fold}/{series}/lineage.tsv"
    conda:
        "../../environment.yml"
    params:
        drawn=lambda wildcards: PLAN.drawn(wildcards.series),
        sizes=PLAN.round_sizes.sizes,
        exact=config["pseudo_label"]["floor"] is None,
        code=code_of("lineage.py"),
    message:
        "Check the lineage of pseudo-labels, fold {wildcards.fold}"
    script:
        "../scripts/lineage.py"


use rule round_zero as last_phase with:
    input:
        unpack(PLAN.learner_inputs),
        added=f"{ROUNDS}/round{PLAN.last_round}/added.csv",
        scores=f"{ROUNDS}/round{PLAN.last_round}/scores.npz",
        lineage=f"{ROUNDS}/lineage.json",
    output:
        added=f"{ROUNDS}/last/added.csv",
        scores=f"{ROUNDS}/last/scores.npz",
        record=f"{ROUNDS}/last/record.json",
    log:
        "logs/{cohort}/fold{fold}/{series}/last_phase.log",
    benchmark:
        "logs/{cohort}/fold{fold}/{series}/last_phase.tsv"
    params:
        threads=PLAN.learning_threads,
        phase="last_phase",
        settings=lambda wildcards: PLAN.learning(wildcards.series),
        drawn=lambda wildcards: PLAN.drawn(wildcards.series),
        sizes=lambda wildcards: PLAN.sizes_until(wildcards.get("round")),
        selection=PLAN.selection,
        frame=PLAN.frame,
        trunk=PLAN.round_trunk,
        seed=config["seed"],
        contents=RAW_CONTENTS if PLAN.trains_whole_network else "",
        code=code_of("pseudo_label.py", PLAN.learner_module),
    message:
        "Train on the cells of all rounds, fold {wildcards.fold} ({wildcards.series})"


rule pseudo_label_bank:
    input:
        cells="results/{cohort}/cohort/cells.csv",
        folds="results/{cohort}/folds.csv",
        added=f"{ROUNDS}/last/added.csv",
        scores=f"{ROUNDS}/last/scores.npz",
    output:
        bank="results/{cohort}/fold{fold}/features/{series}.npy",
        about="results/{cohort}/fold{fold}/features/{series}.json",
    log:
        "logs/{cohort}/fold{fold}/{series}/bank.log",
    benchmark:
        "logs/{cohort}/fold{fold}/{series}/bank.tsv"
    conda:
        "../../environment.yml"
    params:
        source=f"P(1) after {PLAN.last_round} rounds, {config['pseudo_label']['network']}",
        code=code_of("pseudo_label_bank.py"),
    message:
        "Collect cell probabilities after the rounds, fold {wildcards.fold} ({wildcards.series})"
    script:
        "../scripts/pseudo_label_bank.py"


use rule pseudo_label_bank as round_zero_bank with:
    input:
        cells="results/{cohort}/cohort/cells.csv",
        folds="results/{cohort}/folds.csv",
        added=f"{PSEUDO}/round0/added.csv",
        scores=f"{PSEUDO}/round0/scores.npz",
    output:
        bank="results/{cohort}/fold{fold}/features/round_zero.npy",
        about="results/{cohort}/fold{fold}/features/round_zero.json",
    log:
        "logs/{cohort}/fold{fold}/round_zero_bank.log",
    benchmark:
        "logs/{cohort}/fold{fold}/round_zero_bank.tsv"
    params:
        source=f"P(1) before the first round, {config['pseudo_label']['network']}",
        code=code_of("pseudo_label_bank.py"),
    message:
        "Collect cell probabilities before the rounds, fold {wildcards.fold}"


rule rounds:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        cells="results/{cohort}/cohort/cells.csv",
        folds="results/{cohort}/folds.csv",
        labelled=PLAN.labelled_table,
        truth=PLAN.truth,
        added=expand(
            f"{PSEUDO}/round{{round}}/added.csv",
            fold=FOLDS,
            round=range(PLAN.last_round + 1),
            allow_missing=True,
        ),
        scores=expand(
            f"{PSEUDO}/round{{round}}/scores.npz",
            fold=FOLDS,
            round=range(PLAN.last_round + 1),
            allow_missing=True,
        ),
    output:
        table="results/{cohort}/rounds.csv",
        figure="results/{cohort}/figures/rounds.png",
    log:
        "logs/{cohort}/rounds.log",
    benchmark:
        "logs/{cohort}/rounds.tsv"
    conda:
        "../../environment.yml"
    params:
        places=[(fold, round) for fold in FOLDS for round in range(PLAN.last_round + 1)],
        code=code_of("rounds.py"),
    message:
        "Table and figure of the rounds"
    script:
        "../scripts/rounds.py"


rule gallery:
    input:
        raw=PLAN.raw,
        cells="results/{cohort}/cohort/cells.csv",
        added=f"{PSEUDO}/round{PLAN.last_round}/added.csv",
        scores=f"{PSEUDO}/round{PLAN.last_round}/scores.npz",
    output:
        figure="results/{cohort}/figures/added_fold{fold}.jpg",
    log:
        "logs/{cohort}/fold{fold}/gallery.log",
    benchmark:
        "logs/{cohort}/fold{fold}/gallery.tsv"
    conda:
        "../../environment.yml"
    params:
        frame=PLAN.frame,
        contents=RAW_CONTENTS,
        code=code_of("gallery.py"),
    message:
        "Figure: cells added in fold {wildcards.fold}"
    script:
        "../scripts/gallery.py"


rule stain_figure:
    input:
        raw=PLAN.raw,
        cells="results/{cohort}/cohort/cells.csv",
        table="results/{cohort}/labelled_cells/cells.csv",
        about="results/{cohort}/labelled_cells/about.json",
        stain="results/{cohort}/fold1/pseudo_label/stain.json",
    output:
        figure="results/{cohort}/figures/stain.png",
    log:
        "logs/{cohort}/stain_figure.log",
    benchmark:
        "logs/{cohort}/stain_figure.tsv"
    conda:
        "../../environment.yml"
    params:
        frame=PLAN.frame,
        settings={
            key: config["pseudo_label"][key]
            for key in ["labelled_px", "stain", "stain_per"]
        },
        contents=RAW_CONTENTS,
        code=code_of("stain_figure.py"),
    message:
        "Figure: cells before and after stain matching"
    script:
        "../scripts/stain_figure.py"


rule starting_network:
    input:
        table="results/{cohort}/labelled_cells/cells.csv",
        about="results/{cohort}/labelled_cells/about.json",
    output:
        history="results/{cohort}/labelled_cells/{backbone}.csv",
    log:
        "logs/{cohort}/starting_{backbone}.log",
    benchmark:
        "logs/{cohort}/starting_{backbone}.tsv"
    wildcard_constraints:
        backbone=any_of(config["backbones"]),
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu_slot=1,
    params:
        threads=2,
        settings={
            key: config["pseudo_label"][key] for key in ["train", "labelled_px", "sgd"]
        },
        trunk=lambda wildcards: PLAN.trunk(wildcards.backbone),
        seed=config["seed"],
        code=code_of("starting_network.py"),
    message:
        "Train {wildcards.backbone} on the labelled cells"
    script:
        "../scripts/starting_network.py"


# Report 4.3: pretrained networks compared on the labelled cells. Not part of a submission.
rule starting_networks:
    input:
        table=f"results/{COHORT}/labelled_cells/cells.csv",
        histories=expand(
            f"results/{COHORT}/labelled_cells/{{backbone}}.csv",
            backbone=config["pseudo_label"]["compare"],
        ),
    output:
        figure=f"results/{COHORT}/figures/starting_networks.png",
    log:
        f"logs/{COHORT}/starting_networks.log",
    benchmark:
        f"logs/{COHORT}/starting_networks.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code_of("starting_networks.py"),
    message:
        "Figure: starting networks compared"
    script:
        "../scripts/starting_networks.py"

# Self-training, the report's best single approach (report 4, Algorithm 1): a network trained on
# labelled cells labels further cells, round after round. A round is a rule: no loop, no checkpoint.
# A job runs it for each training subset of its fold: all training patients, and without each inner
# fold.

PSEUDO = "results/{cohort}/fold{fold}/pseudo_label"


rule labelled_cells:
    input:
        folder=LABELLED_INPUT,
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
        folder=str(LABELLED),
        contents=(
            "made here"
            if CHOICE.source is None or LABELLED is None
            else folder_digest(LABELLED)
        ),
        settings={
            key: config["pseudo_label"][key]
            for key in ["labelled_train", "labelled_validation", "labelled_px"]
        },
        seed=config["seed"],
        code=code_of("labelled_cells.py"),
    script:
        "../scripts/labelled_cells.py"


rule moments:
    input:
        raw=RAW,
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
        frame=FRAME,
        code=code_of("moments.py"),
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
        backbone="|".join(config["backbones"]) or "(?!)",
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu=1,
    params:
        settings={key: config["pseudo_label"][key] for key in ["labelled_px", "stain"]},
        backbone=backbone_settings,
        seed=config["seed"],
        code=code_of("labelled_backbone.py"),
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
    conda:
        "../../environment.yml"
    params:
        settings={key: config["pseudo_label"][key] for key in ["labelled_px", "stain"]},
        segmentation=config["segmentation"],
        code=code_of("labelled_morphology.py"),
    script:
        "../scripts/labelled_morphology.py"


rule round_zero:
    input:
        unpack(cells_to_learn_from),
    output:
        added=f"{PSEUDO}/round0/added.csv",
        scores=f"{PSEUDO}/round0/scores.npz",
        record=f"{PSEUDO}/round0/record.json",
    log:
        "logs/{cohort}/fold{fold}/round0.log",
    benchmark:
        "logs/{cohort}/fold{fold}/round0.tsv"
    conda:
        "../../environment.yml"
    threads: 2 if WHOLE_NETWORK else 1
    resources:
        gpu=int(WHOLE_NETWORK),
    params:
        phase="round_zero",
        settings=LEARNING,
        sizes=[],
        selection=SELECTION,
        frame=FRAME,
        trunk=TRUNK,
        seed=config["seed"],
        code=CODE_OF_ROUNDS,
    script:
        "../scripts/pseudo_label.py"


use rule round_zero as pseudo_label with:
    input:
        unpack(cells_to_learn_from),
        unpack(round_before),
    output:
        added=f"{PSEUDO}/round{{round}}/added.csv",
        scores=f"{PSEUDO}/round{{round}}/scores.npz",
        record=f"{PSEUDO}/round{{round}}/record.json",
    log:
        "logs/{cohort}/fold{fold}/round{round}.log",
    benchmark:
        "logs/{cohort}/fold{fold}/round{round}.tsv"
    wildcard_constraints:
        round=r"[1-9]\d*",
    params:
        phase="round",
        settings=LEARNING,
        sizes=sizes_so_far,
        selection=SELECTION,
        frame=FRAME,
        trunk=TRUNK,
        seed=config["seed"],
        code=CODE_OF_ROUNDS,


rule lineage:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        cells="results/{cohort}/cohort/cells.csv",
        folds="results/{cohort}/folds.csv",
        stain=f"{PSEUDO}/stain.json",
        added=f"{PSEUDO}/round{LAST_ROUND}/added.csv",
        scores=f"{PSEUDO}/round{LAST_ROUND}/scores.npz",
        records=expand(
            f"{PSEUDO}/round{{round}}/record.json", round=ROUNDS, allow_missing=True
        ),
    output:
        lineage=f"{PSEUDO}/lineage.json",
    log:
        "logs/{cohort}/fold{fold}/lineage.log",
    benchmark:
        "logs/{cohort}/fold{fold}/lineage.tsv"
    conda:
        "../../environment.yml"
    params:
        sizes=ROUND_SIZES.sizes,
        exact=config["pseudo_label"]["floor"] is None,
        code=code_of("lineage.py"),
    script:
        "../scripts/lineage.py"


use rule round_zero as last_phase with:
    input:
        unpack(cells_to_learn_from),
        added=f"{PSEUDO}/round{LAST_ROUND}/added.csv",
        scores=f"{PSEUDO}/round{LAST_ROUND}/scores.npz",
        lineage=f"{PSEUDO}/lineage.json",
    output:
        added=f"{PSEUDO}/last/added.csv",
        scores=f"{PSEUDO}/last/scores.npz",
        record=f"{PSEUDO}/last/record.json",
    log:
        "logs/{cohort}/fold{fold}/last_phase.log",
    benchmark:
        "logs/{cohort}/fold{fold}/last_phase.tsv"
    params:
        phase="last_phase",
        settings=LEARNING,
        sizes=sizes_so_far,
        selection=SELECTION,
        frame=FRAME,
        trunk=TRUNK,
        seed=config["seed"],
        code=CODE_OF_ROUNDS,


rule cell_bank:
    input:
        cells="results/{cohort}/cohort/cells.csv",
        folds="results/{cohort}/folds.csv",
        added=f"{PSEUDO}/last/added.csv",
        scores=f"{PSEUDO}/last/scores.npz",
    output:
        bank="results/{cohort}/fold{fold}/features/pseudo_label.npy",
        about="results/{cohort}/fold{fold}/features/pseudo_label.json",
    log:
        "logs/{cohort}/fold{fold}/cell_bank.log",
    benchmark:
        "logs/{cohort}/fold{fold}/cell_bank.tsv"
    conda:
        "../../environment.yml"
    params:
        source=f"P(1) after {LAST_ROUND} rounds, {config['pseudo_label']['network']}",
        code=code_of("cell_bank.py"),
    script:
        "../scripts/cell_bank.py"


use rule cell_bank as cell_bank_zero with:
    input:
        cells="results/{cohort}/cohort/cells.csv",
        folds="results/{cohort}/folds.csv",
        added=f"{PSEUDO}/round0/added.csv",
        scores=f"{PSEUDO}/round0/scores.npz",
    output:
        bank="results/{cohort}/fold{fold}/features/round_zero.npy",
        about="results/{cohort}/fold{fold}/features/round_zero.json",
    log:
        "logs/{cohort}/fold{fold}/cell_bank_zero.log",
    benchmark:
        "logs/{cohort}/fold{fold}/cell_bank_zero.tsv"
    params:
        source=f"P(1) before the first round, {config['pseudo_label']['network']}",
        code=code_of("cell_bank.py"),


use rule mi_svm as cell_counts with:
    wildcard_constraints:
        model=models_of("cell_counts_xgboost", "cell_counts_lightgbm"),
    params:
        settings=model_settings,
        seed=config["seed"],
        code=code_of("fit.py", "lymphokit.models.cell_counts"),


rule rounds:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        cells="results/{cohort}/cohort/cells.csv",
        folds="results/{cohort}/folds.csv",
        labelled="results/{cohort}/labelled_cells/cells.csv",
        truth=TRUTH,
        added=expand(
            f"{PSEUDO}/round{{round}}/added.csv",
            fold=FOLDS,
            round=ROUNDS,
            allow_missing=True,
        ),
        scores=expand(
            f"{PSEUDO}/round{{round}}/scores.npz",
            fold=FOLDS,
            round=ROUNDS,
            allow_missing=True,
        ),
    output:
        table=report(
            "results/{cohort}/rounds.csv",
            caption="../report/rounds.rst",
            category="Pseudo-labels",
        ),
        figure=report(
            "results/{cohort}/figures/rounds.png",
            caption="../report/rounds.rst",
            category="Pseudo-labels",
        ),
    log:
        "logs/{cohort}/rounds.log",
    benchmark:
        "logs/{cohort}/rounds.tsv"
    conda:
        "../../environment.yml"
    params:
        places=[(fold, round) for fold in FOLDS for round in ROUNDS],
        code=code_of("rounds.py"),
    script:
        "../scripts/rounds.py"


rule gallery:
    input:
        raw=RAW,
        cells="results/{cohort}/cohort/cells.csv",
        added=f"{PSEUDO}/round{LAST_ROUND}/added.csv",
        scores=f"{PSEUDO}/round{LAST_ROUND}/scores.npz",
    output:
        figure=report(
            "results/{cohort}/figures/added_fold{fold}.png",
            caption="../report/gallery.rst",
            category="Pseudo-labels",
        ),
    log:
        "logs/{cohort}/fold{fold}/gallery.log",
    benchmark:
        "logs/{cohort}/fold{fold}/gallery.tsv"
    conda:
        "../../environment.yml"
    params:
        frame=FRAME,
        code=code_of("gallery.py"),
    script:
        "../scripts/gallery.py"


rule stain_figure:
    input:
        raw=RAW,
        cells="results/{cohort}/cohort/cells.csv",
        table="results/{cohort}/labelled_cells/cells.csv",
        about="results/{cohort}/labelled_cells/about.json",
        stain="results/{cohort}/fold1/pseudo_label/stain.json",
    output:
        figure=report(
            "results/{cohort}/figures/stain.png",
            caption="../report/stain.rst",
            category="Pseudo-labels",
        ),
    log:
        "logs/{cohort}/stain_figure.log",
    benchmark:
        "logs/{cohort}/stain_figure.tsv"
    conda:
        "../../environment.yml"
    params:
        frame=FRAME,
        settings={key: config["pseudo_label"][key] for key in ["labelled_px", "stain"]},
        code=code_of("stain_figure.py"),
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
        backbone="|".join(config["backbones"]) or "(?!)",
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu=1,
    params:
        settings={
            key: config["pseudo_label"][key] for key in ["train", "labelled_px", "sgd"]
        },
        trunk=trunk_of,
        seed=config["seed"],
        code=code_of("starting_network.py"),
    script:
        "../scripts/starting_network.py"


rule starting_curves:
    input:
        table="results/{cohort}/labelled_cells/cells.csv",
        histories=expand(
            "results/{{cohort}}/labelled_cells/{backbone}.csv",
            backbone=config["pseudo_label"]["compare"],
        ),
    output:
        figure=report(
            "results/{cohort}/figures/starting_networks.png",
            caption="../report/starting_networks.rst",
            category="Pseudo-labels",
        ),
    log:
        "logs/{cohort}/starting_curves.log",
    benchmark:
        "logs/{cohort}/starting_curves.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code_of("starting_curves.py"),
    script:
        "../scripts/starting_curves.py"


# Report 4.3: which pretrained network starts best. Not part of a submission.
rule starting_networks:
    input:
        expand("results/{cohort}/figures/starting_networks.png", cohort=COHORT),

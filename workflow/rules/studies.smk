# Studies of a cohort. No submission depends on them, except on the confounder figure.
#   snakemake approaches | confounders | ablation | preprocessing | instance_comparison | permutation
#   snakemake spread | mil_checks


# Confounders: what predicts the label without being medicine. The rows, dates and file properties
# that this rule reads reach no model.
rule artefacts:
    input:
        raw=PLAN.raw,
        patients="results/{cohort}/cohort/patients.csv",
        cells="results/{cohort}/cohort/cells.csv",
        images="results/{cohort}/imaging/raw_128.npy",
    output:
        artefacts="results/{cohort}/confounders/artefacts.csv",
    log:
        "logs/{cohort}/artefacts.log",
    benchmark:
        "logs/{cohort}/artefacts.tsv"
    conda:
        "../../environment.yml"
    params:
        contents=RAW_CONTENTS,
        code=code_of("artefacts.py"),
    message:
        "Collect candidate confounders of each patient"
    script:
        "../scripts/artefacts.py"


rule confounders:
    input:
        patients=f"results/{COHORT}/cohort/patients.csv",
        artefacts=f"results/{COHORT}/confounders/artefacts.csv",
        folds=f"results/{COHORT}/folds.csv",
        decisions=f"results/{COHORT}/decisions.csv",
    output:
        scores=f"results/{COHORT}/confounders.csv",
        columns=f"results/{COHORT}/confounders/columns.csv",
        bag_size=f"results/{COHORT}/confounders/bag_size.csv",
        figure=f"results/{COHORT}/figures/confounders.png",
    log:
        f"logs/{COHORT}/confounders.log",
    benchmark:
        f"logs/{COHORT}/confounders.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=config["confounders"],
        models=PLAN.blocks(PLAN.models),
        parts={key: config["folds"][key] for key in ["k", "repeats"]},
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("confounders.py"),
    message:
        "Score the candidate confounders"
    script:
        "../scripts/confounders.py"


# Every approach of the report, also those that no blend and no choice reads.


rule approaches:
    input:
        patients=f"results/{COHORT}/cohort/patients.csv",
        folds=f"results/{COHORT}/folds.csv",
        models=predictions_of(PLAN.approaches),
        blends=predictions_of(["blends"]),
        figures=expand(
            f"results/{COHORT}/figures/{{figure}}.png", figure=PLAN.approach_figures
        ),
    output:
        table=f"results/{COHORT}/approaches.csv",
    log:
        f"logs/{COHORT}/approaches.log",
    benchmark:
        f"logs/{COHORT}/approaches.tsv"
    conda:
        "../../environment.yml"
    params:
        models=PLAN.approaches,
        blends=PLAN.blends,
        threshold=config["decision"]["threshold"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("approaches.py"),
    message:
        "Score every approach of the report"
    script:
        "../scripts/approaches.py"


# D-MIL without each of its parts, and its learning curves (report 5.2.3, Table 1, Figures 9 and 10).
use rule folds as split with:
    output:
        folds="results/{cohort}/ablation/split.csv",
    log:
        "logs/{cohort}/split.log",
    benchmark:
        "logs/{cohort}/split.tsv"
    params:
        settings={**config["folds"], "scheme": "split", "repeats": 1},
        seed=config["seed"],
        code=code_of("folds.py"),
    message:
        "Draw the split of the ablation"


rule ablation:
    input:
        patients=f"results/{COHORT}/cohort/patients.csv",
        split=f"results/{COHORT}/ablation/split.csv",
        folds=f"results/{COHORT}/folds.csv",
        bank=PLAN.ablation_files("features"),
        segmented=PLAN.ablation_files("segmented_features"),
    output:
        executions=f"results/{COHORT}/ablation/executions.csv",
        table=f"results/{COHORT}/ablation/table.csv",
        curves=f"results/{COHORT}/ablation/curves.csv",
        balanced_accuracy=f"results/{COHORT}/figures/curve_balanced_accuracy.png",
        loss=f"results/{COHORT}/figures/curve_loss.png",
    log:
        f"logs/{COHORT}/ablation.log",
    benchmark:
        f"logs/{COHORT}/ablation.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    params:
        threads=2,
        settings=config["ablation"],
        model=PLAN.ablated_model,
        threshold=config["decision"]["threshold"],
        seed=config["seed"],
        code=code_of("ablation.py"),
    message:
        "Ablation: variants and learning curves of {params.settings[model]}"
    script:
        "../scripts/ablation.py"


# The naive instance-level network in several forms (report, appendix), on the split of the ablation.
rule compared_network:
    input:
        raw=PLAN.raw,
        patients="results/{cohort}/cohort/patients.csv",
        cells="results/{cohort}/cohort/cells.csv",
        folds="results/{cohort}/ablation/split.csv",
    output:
        bank="results/{cohort}/instance_comparison/split{fold}/{backbone}.npy",
        about="results/{cohort}/instance_comparison/split{fold}/{backbone}.json",
    log:
        "logs/{cohort}/instance_comparison/split{fold}/{backbone}.log",
    benchmark:
        "logs/{cohort}/instance_comparison/split{fold}/{backbone}.tsv"
    wildcard_constraints:
        backbone=any_of(config["backbones"]),
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu_slot=1,
    params:
        threads=2,
        trunk=lambda wildcards: PLAN.trunk(wildcards.backbone),
        image_size=config["cohort"]["image_size"],
        crop=lambda wildcards: PLAN.backbone(wildcards.backbone)["crop"],
        px=config["instance_network"]["px"],
        sgd=config["instance_network"]["sgd"],
        seed=config["seed"],
        contents=RAW_CONTENTS,
        code=code_of("instance_network.py"),
    message:
        "Train {wildcards.backbone} on patients' labels, split {wildcards.fold}"
    script:
        "../scripts/instance_network.py"


rule instance_comparison:
    input:
        patients=f"results/{COHORT}/cohort/patients.csv",
        split=f"results/{COHORT}/ablation/split.csv",
        banks=expand(
            f"results/{COHORT}/instance_comparison/split1/{{backbone}}.npy",
            backbone=config["instance_network"]["compare"],
        ),
    output:
        table=f"results/{COHORT}/instance_comparison/table.csv",
    log:
        f"logs/{COHORT}/instance_comparison.log",
    benchmark:
        f"logs/{COHORT}/instance_comparison.tsv"
    conda:
        "../../environment.yml"
    params:
        boosting=PLAN.block("instance_cnn_xgb"),
        threshold=config["decision"]["threshold"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("instance_comparison.py", *PLAN.files_of(["instance_cnn_xgb"])),
    message:
        "Compare instance-level networks"
    script:
        "../scripts/instance_comparison.py"


# Effect of the preprocessing of MI-SVM, and of clinical data (report 5.1.1 and 5.1.2).
rule preprocessing:
    input:
        patients=f"results/{COHORT}/cohort/patients.csv",
        split=f"results/{COHORT}/ablation/split.csv",
        folds=f"results/{COHORT}/folds.csv",
        banks=PLAN.banks_read_by(config["preprocessing"].values(), "npy"),
        about=PLAN.banks_read_by(config["preprocessing"].values(), "json"),
    output:
        table=f"results/{COHORT}/preprocessing/table.csv",
    log:
        f"logs/{COHORT}/preprocessing.log",
    benchmark:
        f"logs/{COHORT}/preprocessing.tsv"
    conda:
        "../../environment.yml"
    params:
        models={key: PLAN.block(name) for key, name in config["preprocessing"].items()},
        threshold=config["decision"]["threshold"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of(
            "preprocessing.py", *PLAN.files_of(config["preprocessing"].values())
        ),
    message:
        "MI-SVM with and without preprocessing, and with clinical data"
    script:
        "../scripts/preprocessing.py"


# Can the scores be trusted? Fast models are refitted on shuffled labels and shuffled images.
rule permutation_scores:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
        banks=PLAN.banks_read_by(config["permutation"]["models"], "npy"),
        about=PLAN.banks_read_by(config["permutation"]["models"], "json"),
    output:
        null="results/{cohort}/permutation/{shuffle}_{job}.csv",
    log:
        "logs/{cohort}/permutation/{shuffle}_{job}.log",
    benchmark:
        "logs/{cohort}/permutation/{shuffle}_{job}.tsv"
    wildcard_constraints:
        shuffle=any_of(PLAN.shuffles),
        job=r"\d+",
    conda:
        "../../environment.yml"
    params:
        settings=config["permutation"],
        models=PLAN.blocks(config["permutation"]["models"]),
        stack_C=config["ensemble"]["stack_C"],
        fold_settings=config["folds"],
        threshold=config["decision"]["threshold"],
        seed=config["seed"],
        code=code_of("permutation_scores.py"),
    message:
        "Permutation: refit on shuffles of {wildcards.shuffle}, part {wildcards.job}"
    script:
        "../scripts/permutation_scores.py"


rule permutation:
    input:
        patients=f"results/{COHORT}/cohort/patients.csv",
        folds=f"results/{COHORT}/folds.csv",
        banks=PLAN.banks_read_by(config["permutation"]["models"], "npy"),
        about=PLAN.banks_read_by(config["permutation"]["models"], "json"),
        run=predictions_of(PLAN.permuted),
        null=expand(
            f"results/{COHORT}/permutation/{{shuffle}}_{{job}}.csv",
            shuffle=PLAN.shuffles,
            job=range(1, config["permutation"]["jobs"] + 1),
        ),
    output:
        table=f"results/{COHORT}/permutation/table.csv",
        figure=f"results/{COHORT}/figures/permutation.png",
    log:
        f"logs/{COHORT}/permutation.log",
    benchmark:
        f"logs/{COHORT}/permutation.tsv"
    conda:
        "../../environment.yml"
    params:
        models=PLAN.blocks(config["permutation"]["models"]),
        compared=PLAN.permuted,
        stack_C=config["ensemble"]["stack_C"],
        threshold=config["decision"]["threshold"],
        code=code_of("permutation.py"),
    message:
        "Permutation test: p-values, table and figure"
    script:
        "../scripts/permutation.py"


# The same models refitted on repeatedly drawn folds: what a single split would have reported.
rule spread:
    input:
        patients=f"results/{COHORT}/cohort/patients.csv",
        banks=PLAN.banks_read_by(config["spread"]["models"], "npy"),
        about=PLAN.banks_read_by(config["spread"]["models"], "json"),
    output:
        splits=f"results/{COHORT}/spread/splits.csv",
        table=f"results/{COHORT}/spread/table.csv",
        figure=f"results/{COHORT}/figures/spread.png",
    log:
        f"logs/{COHORT}/spread.log",
    benchmark:
        f"logs/{COHORT}/spread.tsv"
    conda:
        "../../environment.yml"
    params:
        repeats=config["spread"]["repeats"],
        models=PLAN.blocks(config["spread"]["models"]),
        stack_C=config["ensemble"]["stack_C"],
        fold_settings=config["folds"],
        threshold=config["decision"]["threshold"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("spread.py"),
    message:
        "Spread of the scores over repeated folds"
    script:
        "../scripts/spread.py"


# Do models learn from present positive cells, or from absent negative ones? On synthetic bags, for
# any cohort.
rule mil_checks:
    output:
        checks="results/mil_checks.csv",
    log:
        "logs/mil_checks.log",
    benchmark:
        "logs/mil_checks.tsv"
    conda:
        "../../environment.yml"
    params:
        models=PLAN.blocks(PLAN.checked_models),
        seed=config["seed"],
        code=code_of("mil_checks.py", *PLAN.files_of(PLAN.checked_models)),
    message:
        "MIL unit tests of the models"
    script:
        "../scripts/mil_checks.py"

# One rule fits every model inside a fold; threads, GPU and code come from the registry.


rule fit:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
        bank=bank_of,
    output:
        predictions="results/{cohort}/fold{fold}/{model}/predictions.csv",
        record="results/{cohort}/fold{fold}/{model}/record.json",
        cell_scores="results/{cohort}/fold{fold}/{model}/cell_scores.csv",
        subsets="results/{cohort}/fold{fold}/{model}/subsets.csv",
    log:
        "logs/{cohort}/fold{fold}/{model}.log",
    benchmark:
        "logs/{cohort}/fold{fold}/{model}.tsv"
    wildcard_constraints:
        model=any_of(PLAN.approaches),
    conda:
        "../../environment.yml"
    threads: lambda wildcards: PLAN.kind(wildcards.model).threads
    resources:
        gpu_slot=lambda wildcards: int(PLAN.kind(wildcards.model).gpu),
    params:
        threads=lambda wildcards: PLAN.kind(wildcards.model).threads,
        settings=lambda wildcards: PLAN.block(wildcards.model),
        seed=config["seed"],
        code=lambda wildcards: code_of("fit.py", PLAN.kind(wildcards.model).file),
    message:
        "Fit {wildcards.model} in fold {wildcards.fold}"
    script:
        "../scripts/fit.py"


rule margins:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
        bank=lambda wildcards: bank_of(wildcards, fold=1),
    output:
        figure="results/{cohort}/figures/margins_{model}.png",
    log:
        "logs/{cohort}/margins_{model}.log",
    benchmark:
        "logs/{cohort}/margins_{model}.tsv"
    wildcard_constraints:
        model=any_of(PLAN.of_kind("one_class_svm")),
    conda:
        "../../environment.yml"
    params:
        settings=lambda wildcards: PLAN.block(wildcards.model),
        seed=config["seed"],
        code=lambda wildcards: code_of("margins.py", PLAN.kind(wildcards.model).file),
    message:
        "Figure: margins of {wildcards.model}"
    script:
        "../scripts/margins.py"


rule cell_types_figure:
    input:
        raw=PLAN.raw,
        patients="results/{cohort}/cohort/patients.csv",
        cells="results/{cohort}/cohort/cells.csv",
        folds="results/{cohort}/folds.csv",
        bank=lambda wildcards: bank_of(wildcards, fold=1),
    output:
        figure="results/{cohort}/figures/cell_types_{model}.png",
    log:
        "logs/{cohort}/cell_types_{model}.log",
    benchmark:
        "logs/{cohort}/cell_types_{model}.tsv"
    wildcard_constraints:
        model=any_of(PLAN.of_kind("cell_types")),
    conda:
        "../../environment.yml"
    params:
        settings=lambda wildcards: PLAN.block(wildcards.model),
        image_size=config["cohort"]["image_size"],
        seed=config["seed"],
        contents=RAW_CONTENTS,
        code=lambda wildcards: code_of(
            "cell_types_figure.py", PLAN.kind(wildcards.model).file
        ),
    message:
        "Figure: cell types of {wildcards.model}"
    script:
        "../scripts/cell_types_figure.py"

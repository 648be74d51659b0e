# Is there a reason why the scores should not be believed? `snakemake audit`, and part of every
# submission: `leaks` before the CSV is written, `audit` on the CSV itself.


rule duplicates:
    input:
        bank="results/{cohort}/imaging/raw_128.npy",
    output:
        pairs="results/{cohort}/imaging/duplicates.csv",
        about="results/{cohort}/imaging/duplicates.json",
    log:
        "logs/{cohort}/duplicates.log",
    benchmark:
        "logs/{cohort}/duplicates.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code_of("duplicates.py"),
    script:
        "../scripts/duplicates.py"


rule leaks:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        cells="results/{cohort}/cohort/cells.csv",
        folds="results/{cohort}/folds.csv",
        duplicates=rules.duplicates.output,
        models=expand(
            "results/{{cohort}}/fold{fold}/{model}/{file}",
            fold=FOLDS,
            model=MODELS,
            file=["predictions.csv", "record.json"],
        ),
        blends=expand(
            "results/{{cohort}}/fold{fold}/blends/{file}",
            fold=FOLDS,
            file=["predictions.csv", "chosen.json"],
        ),
        decisions="results/{cohort}/decisions.csv",
        pseudo_labels=pseudo_label_files(),
    output:
        leaks="results/{cohort}/leaks.json",
    log:
        "logs/{cohort}/leaks.log",
    benchmark:
        "logs/{cohort}/leaks.tsv"
    conda:
        "../../environment.yml"
    params:
        models=MODELS,
        blends=blend_settings(),
        sizes=ROUND_SIZES.sizes if PSEUDO_LABELLING else None,
        exact=config["pseudo_label"]["floor"] is None,
        threshold=config["decision"]["threshold"],
        known_duplicates=config["audit"]["known_duplicates"],
        code=code_of("leaks.py"),
    script:
        "../scripts/leaks.py"


rule audit:
    input:
        leaks=f"results/{COHORT}/leaks.json",
        receipt=f"results/{COHORT}/submission.json",
        patients=f"results/{COHORT}/cohort/patients.csv",
        header=f"results/{COHORT}/cohort/submission_header.json",
        decisions=f"results/{COHORT}/decisions.csv",
    output:
        audit=f"results/{COHORT}/audit.json",
    log:
        f"logs/{COHORT}/audit.log",
    benchmark:
        f"logs/{COHORT}/audit.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code_of("audit.py"),
    script:
        "../scripts/audit.py"

# The leak checks, the CSV, and the audit of the CSV. The name of the CSV holds the time, so the
# target is a receipt with a fixed name: with nothing changed there is no new CSV.


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
    message:
        "Look for duplicated images"
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
            model=PLAN.models,
            file=["predictions.csv", "record.json"],
        ),
        blends=expand(
            "results/{{cohort}}/fold{fold}/blends/{file}",
            fold=FOLDS,
            file=["predictions.csv", "chosen.json"],
        ),
        decisions="results/{cohort}/decisions.csv",
        pseudo_labels=PLAN.pseudo_label_files,
    output:
        leaks="results/{cohort}/leaks.json",
    log:
        "logs/{cohort}/leaks.log",
    benchmark:
        "logs/{cohort}/leaks.tsv"
    conda:
        "../../environment.yml"
    params:
        models=PLAN.models,
        blends=PLAN.blends,
        series={series: PLAN.drawn(series) for series in PLAN.series},
        sizes=PLAN.round_sizes.sizes if PLAN.series else [],
        exact=config["pseudo_label"]["floor"] is None,
        threshold=config["decision"]["threshold"],
        known_duplicates=config["audit"]["known_duplicates"],
        code=code_of("leaks.py"),
    message:
        "Look for leaks"
    script:
        "../scripts/leaks.py"


rule submit:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        header="results/{cohort}/cohort/submission_header.json",
        folds="results/{cohort}/folds.csv",
        decisions="results/{cohort}/decisions.csv",
        scores="results/{cohort}/scores.csv",
        # Only for a note under the score table.
        stain_test=ancient("results/{cohort}/stain_test.csv") if PLAN.described else [],
        # No CSV where there is a leak. `ancient`: repeated leak checks write no new CSV.
        leaks=ancient("results/{cohort}/leaks.json"),
    output:
        receipt="results/{cohort}/submission.json",
    log:
        "logs/{cohort}/submit.log",
    benchmark:
        "logs/{cohort}/submit.tsv"
    conda:
        "../../environment.yml"
    params:
        blend=config["submission"]["blend"],
        level=config["uncertainty"]["level"],
        config=PLAN.submission_settings,
        gpu=has_gpu(),
        code=code_of("submit.py"),
    message:
        "Write the CSV"
    script:
        "../scripts/submit.py"


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
    message:
        "Audit the CSV"
    script:
        "../scripts/audit.py"

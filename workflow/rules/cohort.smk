# The cohort: raw data are unpacked or simulated and checked, and the folds are drawn once.

if PLAN.simulated:

    rule simulate:
        output:
            raw=directory("results/{cohort}/raw"),
            truth=directory("results/{cohort}/truth"),
        log:
            "logs/{cohort}/simulate.log",
        benchmark:
            "logs/{cohort}/simulate.tsv"
        conda:
            "../../environment.yml"
        params:
            settings=config["simulate"],
            code=code_of("simulate.py"),
        message:
            "Simulate the cohort"
        script:
            "../scripts/simulate.py"


if SOURCE.is_zip:

    rule unpack:
        input:
            zip=ancient(SOURCE.source),  # its digest counts, not its date
        output:
            raw=directory("results/{cohort}/raw"),
        log:
            "logs/{cohort}/unpack.log",
        benchmark:
            "logs/{cohort}/unpack.tsv"
        conda:
            "../../environment.yml"
        params:
            sha256=DIGESTS.sha256(SOURCE.source),
            code=code_of("unpack.py"),
        message:
            "Unpack {input.zip}"
        script:
            "../scripts/unpack.py"


rule check:
    input:
        raw=PLAN.raw,
    output:
        patients="results/{cohort}/cohort/patients.csv",
        cells="results/{cohort}/cohort/cells.csv",
        header="results/{cohort}/cohort/submission_header.json",
    log:
        "logs/{cohort}/check.log",
    benchmark:
        "logs/{cohort}/check.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=config["cohort"],
        known_duplicates=config["audit"]["known_duplicates"],
        # Snakemake compares a folder by its time, which a changed file inside may leave alone.
        contents=RAW_CONTENTS,
        code=code_of("check.py"),
    message:
        "Check tables and images of {wildcards.cohort}"
    script:
        "../scripts/check.py"


rule folds:
    input:
        patients="results/{cohort}/cohort/patients.csv",
    output:
        folds="results/{cohort}/folds.csv",
    log:
        "logs/{cohort}/folds.log",
    benchmark:
        "logs/{cohort}/folds.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=config["folds"],
        seed=config["seed"],
        code=code_of("folds.py"),
    message:
        "Draw the folds of {wildcards.cohort}"
    script:
        "../scripts/folds.py"


rule clinical_figures:
    input:
        patients="results/{cohort}/cohort/patients.csv",
    output:
        age="results/{cohort}/figures/age.png",
        lymphocytes="results/{cohort}/figures/lymphocytes.png",
    log:
        "logs/{cohort}/clinical_figures.log",
    benchmark:
        "logs/{cohort}/clinical_figures.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code_of("clinical_figures.py"),
    message:
        "Figures: age and lymphocyte count by label"
    script:
        "../scripts/clinical_figures.py"

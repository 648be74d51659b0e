# Who the patients are: raw data unpacked or simulated, everything checked, the folds drawn once.

if CHOICE.source is None:

    rule simulate:
        output:
            raw=directory("results/{cohort}/raw"),
            truth=directory("results/{cohort}/truth"),
        params:
            settings=config["simulate"],
            code=code_of("simulate.py"),
        log:
            "logs/{cohort}/simulate.log",
        benchmark:
            "logs/{cohort}/simulate.tsv"
        script:
            "../scripts/simulate.py"


if CHOICE.is_zip:

    rule unpack:
        input:
            zip=CHOICE.source,
        output:
            raw=directory("results/{cohort}/raw"),
        params:
            code=code_of("unpack.py"),
        log:
            "logs/{cohort}/unpack.log",
        benchmark:
            "logs/{cohort}/unpack.tsv"
        script:
            "../scripts/unpack.py"


rule check:
    input:
        raw=RAW,
    output:
        patients="results/{cohort}/cohort/patients.csv",
        cells="results/{cohort}/cohort/cells.csv",
        header="results/{cohort}/cohort/submission_header.json",
    params:
        settings=config["cohort"],
        contents=folder_digest(CHOICE.source) if RAW == str(CHOICE.source) else "made here",
        code=code_of("check.py"),
    log:
        "logs/{cohort}/check.log",
    benchmark:
        "logs/{cohort}/check.tsv"
    script:
        "../scripts/check.py"


rule folds:
    input:
        patients="results/{cohort}/cohort/patients.csv",
    output:
        folds="results/{cohort}/folds.csv",
    params:
        settings=config["folds"],
        seed=config["seed"],
        code=code_of("folds.py"),
    log:
        "logs/{cohort}/folds.log",
    benchmark:
        "logs/{cohort}/folds.tsv"
    script:
        "../scripts/folds.py"

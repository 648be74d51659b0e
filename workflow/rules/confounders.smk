# What predicts the label without being medicine, and what tells train from test patients:
# `snakemake confounders`. What is read here of rows, dates and files reaches no model.


rule confounders:
    input:
        expand("results/{cohort}/figures/confounders.png", cohort=COHORT),


rule artefacts:
    input:
        raw=RAW,
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
        code=code_of("artefacts.py"),
    script:
        "../scripts/artefacts.py"


rule confounder_page:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        artefacts="results/{cohort}/confounders/artefacts.csv",
        folds="results/{cohort}/folds.csv",
        decisions="results/{cohort}/decisions.csv",
    output:
        scores=report(
            "results/{cohort}/confounders.csv",
            caption="../report/confounders.rst",
            category="Confounders",
        ),
        columns=report(
            "results/{cohort}/confounders/columns.csv",
            caption="../report/confounder_columns.rst",
            category="Confounders",
        ),
        bag_size=report(
            "results/{cohort}/confounders/bag_size.csv",
            caption="../report/bag_size.rst",
            category="Confounders",
        ),
        figure=report(
            "results/{cohort}/figures/confounders.png",
            caption="../report/confounders.rst",
            category="Confounders",
        ),
    log:
        "logs/{cohort}/confounder_page.log",
    benchmark:
        "logs/{cohort}/confounder_page.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=config["confounders"],
        models={name: config["models"][name] for name in MODELS},
        parts={key: config["folds"][key] for key in ["k", "repeats"]},
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("confounder_page.py"),
    script:
        "../scripts/confounder_page.py"

# Probabilities that mean what they say, and whom to send to flow cytometry instead of calling:
# `snakemake calibration`. The CSV does not depend on it.

COMPARED = list(
    dict.fromkeys([config["submission"]["blend"], *names_of("clinical_logistic")[:1]])
)


rule calibration:
    input:
        expand(
            "results/{cohort}/{table}.csv",
            cohort=COHORT,
            table=["calibration", "sensitivity", "abstention", "referrals"],
        ),
        expand(
            "results/{cohort}/figures/{figure}.png",
            cohort=COHORT,
            figure=["reliability", "abstention"],
        ),


rule calibrate:
    input:
        folds="results/{cohort}/folds.csv",
        models=expand(
            "results/{{cohort}}/fold{fold}/{model}/predictions.csv",
            model=MODELS,
            fold=FOLDS,
        ),
        blends=expand(
            "results/{{cohort}}/fold{fold}/blends/predictions.csv", fold=FOLDS
        ),
    output:
        calibrated="results/{cohort}/calibrated.csv",
        learned="results/{cohort}/calibrators.json",
        table=report(
            "results/{cohort}/calibration.csv",
            caption="../report/reliability.rst",
            category="Calibration",
        ),
        sensitivity="results/{cohort}/sensitivity.csv",
        figure=report(
            "results/{cohort}/figures/reliability.png",
            caption="../report/reliability.rst",
            category="Calibration",
        ),
    log:
        "logs/{cohort}/calibrate.log",
    benchmark:
        "logs/{cohort}/calibrate.tsv"
    conda:
        "../../environment.yml"
    params:
        models=MODELS,
        compared=COMPARED,
        settings=config["calibration"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("calibrate.py"),
    script:
        "../scripts/calibrate.py"


rule abstain:
    input:
        calibrated="results/{cohort}/calibrated.csv",
        decisions="results/{cohort}/decisions.csv",
    output:
        table=report(
            "results/{cohort}/abstention.csv",
            caption="../report/abstention.rst",
            category="Calibration",
        ),
        referrals="results/{cohort}/referrals.csv",
        figure=report(
            "results/{cohort}/figures/abstention.png",
            caption="../report/abstention.rst",
            category="Calibration",
        ),
    log:
        "logs/{cohort}/abstain.log",
    benchmark:
        "logs/{cohort}/abstain.tsv"
    conda:
        "../../environment.yml"
    params:
        compared=COMPARED,
        settings=config["abstention"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("abstain.py"),
    script:
        "../scripts/abstain.py"

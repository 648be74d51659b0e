# Calibrated probabilities (`snakemake calibration`), and selective prediction (`snakemake
# referral`): which patients to refer to flow cytometry instead of predicting a label. The CSV
# depends on neither.


rule calibration:
    input:
        folds=f"results/{COHORT}/folds.csv",
        models=predictions_of(PLAN.models),
        blends=predictions_of(["blends"]),
    output:
        calibrated=f"results/{COHORT}/calibrated.csv",
        learned=f"results/{COHORT}/calibrators.json",
        table=f"results/{COHORT}/calibration.csv",
        sensitivity=f"results/{COHORT}/sensitivity.csv",
        figure=f"results/{COHORT}/figures/reliability.png",
    log:
        f"logs/{COHORT}/calibration.log",
    benchmark:
        f"logs/{COHORT}/calibration.tsv"
    conda:
        "../../environment.yml"
    params:
        models=PLAN.models,
        compared=PLAN.calibrated,
        settings=config["calibration"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("calibration.py"),
    message:
        "Calibrate the probabilities of every model"
    script:
        "../scripts/calibration.py"


rule referral:
    input:
        calibrated=f"results/{COHORT}/calibrated.csv",
        decisions=f"results/{COHORT}/decisions.csv",
    output:
        table=f"results/{COHORT}/referral.csv",
        referrals=f"results/{COHORT}/referrals.csv",
        figure=f"results/{COHORT}/figures/referral.png",
    log:
        f"logs/{COHORT}/referral.log",
    benchmark:
        f"logs/{COHORT}/referral.tsv"
    conda:
        "../../environment.yml"
    params:
        compared=PLAN.calibrated,
        settings=config["referral"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("referral.py"),
    message:
        "Select patients to refer to flow cytometry"
    script:
        "../scripts/referral.py"

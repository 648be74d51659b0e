# Models are blended inside each fold; then the folds are assembled into out-of-fold scores.


rule blend:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
        predictions=expand(
            "results/{cohort}/fold{fold}/{model}/predictions.csv",
            model=PLAN.entering,
            allow_missing=True,
        ),
    output:
        predictions="results/{cohort}/fold{fold}/blends/predictions.csv",
        chosen="results/{cohort}/fold{fold}/blends/chosen.json",
    log:
        "logs/{cohort}/fold{fold}/blend.log",
    benchmark:
        "logs/{cohort}/fold{fold}/blend.tsv"
    conda:
        "../../environment.yml"
    params:
        models=PLAN.entering,
        blends=PLAN.blends,
        threshold=config["decision"]["threshold"],
        code=code_of("blend.py"),
    message:
        "Blend the models of fold {wildcards.fold}"
    script:
        "../scripts/blend.py"


rule out_of_fold:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
        models=predictions_of(PLAN.models),
        blends=predictions_of(["blends"]),
    output:
        oof="results/{cohort}/oof.csv",
        decisions="results/{cohort}/decisions.csv",
        scores="results/{cohort}/scores.csv",
        figure="results/{cohort}/figures/scores.png",
        roc="results/{cohort}/figures/roc.png",
    log:
        "logs/{cohort}/out_of_fold.log",
    benchmark:
        "logs/{cohort}/out_of_fold.tsv"
    conda:
        "../../environment.yml"
    params:
        models=PLAN.models,
        blends=PLAN.blends,
        features={name: PLAN.features_label(name) for name in PLAN.models},
        submitted=config["submission"]["blend"],
        faded=PLAN.unblended,
        threshold=config["decision"]["threshold"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("out_of_fold.py"),
    message:
        "Assemble out-of-fold predictions, decisions and scores"
    script:
        "../scripts/out_of_fold.py"


rule comparison:
    input:
        decisions="results/{cohort}/decisions.csv",
    output:
        table="results/{cohort}/comparisons.csv",
        figure="results/{cohort}/figures/comparison.png",
    log:
        "logs/{cohort}/comparison.log",
    benchmark:
        "logs/{cohort}/comparison.tsv"
    conda:
        "../../environment.yml"
    params:
        reference=config["comparison"]["reference"],
        submitted=config["submission"]["blend"],
        faded=PLAN.unblended,
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("comparison.py"),
    message:
        "Compare every model with {params.reference}"
    script:
        "../scripts/comparison.py"

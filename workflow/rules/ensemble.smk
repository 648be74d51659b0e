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
        oof=report(
            "results/{cohort}/oof.csv", caption="../report/oof.rst", category="Scores"
        ),
        decisions="results/{cohort}/decisions.csv",
        scores=report(
            "results/{cohort}/scores.csv",
            caption="../report/scores.rst",
            category="Scores",
        ),
        figure=report(
            "results/{cohort}/figures/scores.png",
            caption="../report/scores.rst",
            category="Scores",
        ),
        roc=report(
            "results/{cohort}/figures/roc.png",
            caption="../report/roc.rst",
            category="Scores",
        ),
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
        table=report(
            "results/{cohort}/comparisons.csv",
            caption="../report/comparison.rst",
            category="Scores",
        ),
        figure=report(
            "results/{cohort}/figures/comparison.png",
            caption="../report/comparison.rst",
            category="Scores",
        ),
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

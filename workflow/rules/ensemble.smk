# Many models, one answer: blended inside each fold, then assembled out of fold.


rule blend:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
        predictions=expand(
            "results/{{cohort}}/fold{{fold}}/{model}/predictions.csv", model=BLENDED
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
        kinds={name: config["models"][name]["kind"] for name in BLENDED},
        settings=config["ensemble"],
        threshold=config["decision"]["threshold"],
        seed=config["seed"],
        code=code_of("blend.py"),
    script:
        "../scripts/blend.py"


rule out_of_fold:
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
        models=MODELS,
        features={name: features_of(name) for name in MODELS},
        submitted=config["submission"]["blend"],
        threshold=config["decision"]["threshold"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("out_of_fold.py"),
    script:
        "../scripts/out_of_fold.py"

# Can the scores be believed? Models with cheap heads refitted on shuffled labels and shuffled
# images (`snakemake permutation`), and on folds drawn again and again (`snakemake spread`). No
# submission depends on it.

REFITTED = config["permutation"]["models"]
SHUFFLES = shuffles_for([config["models"][name]["kind"] for name in REFITTED])
COMPARED = [name for name in REFITTED if name in MODELS]


rule permutation:
    input:
        expand("results/{cohort}/permutation/table.csv", cohort=COHORT),
        expand("results/{cohort}/figures/permutation.png", cohort=COHORT),


rule shuffled:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
        banks=banks_read_by(REFITTED, "npy"),
        about=banks_read_by(REFITTED, "json"),
    output:
        null="results/{cohort}/permutation/{shuffle}_{job}.csv",
    log:
        "logs/{cohort}/permutation/{shuffle}_{job}.log",
    benchmark:
        "logs/{cohort}/permutation/{shuffle}_{job}.tsv"
    wildcard_constraints:
        shuffle="|".join(SHUFFLES),
        job=r"\d+",
    conda:
        "../../environment.yml"
    params:
        settings=config["permutation"],
        models=refitted(REFITTED),
        stack_C=config["ensemble"]["stack_C"],
        fold_settings=config["folds"],
        threshold=config["decision"]["threshold"],
        seed=config["seed"],
        code=code_of("shuffled.py"),
    script:
        "../scripts/shuffled.py"


rule chance:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
        banks=banks_read_by(REFITTED, "npy"),
        about=banks_read_by(REFITTED, "json"),
        run=expand(
            "results/{{cohort}}/fold{fold}/{model}/predictions.csv",
            model=COMPARED,
            fold=FOLDS,
        ),
        null=expand(
            "results/{{cohort}}/permutation/{shuffle}_{job}.csv",
            shuffle=SHUFFLES,
            job=range(1, config["permutation"]["jobs"] + 1),
        ),
    output:
        table=report(
            "results/{cohort}/permutation/table.csv",
            caption="../report/permutation.rst",
            category="Can it be believed?",
        ),
        figure=report(
            "results/{cohort}/figures/permutation.png",
            caption="../report/permutation.rst",
            category="Can it be believed?",
        ),
    log:
        "logs/{cohort}/chance.log",
    benchmark:
        "logs/{cohort}/chance.tsv"
    conda:
        "../../environment.yml"
    params:
        models=refitted(REFITTED),
        compared=COMPARED,
        stack_C=config["ensemble"]["stack_C"],
        threshold=config["decision"]["threshold"],
        code=code_of("chance.py"),
    script:
        "../scripts/chance.py"


rule spread:
    input:
        expand("results/{cohort}/spread/table.csv", cohort=COHORT),
        expand("results/{cohort}/figures/spread.png", cohort=COHORT),


rule drawings:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        banks=banks_read_by(config["spread"]["models"], "npy"),
        about=banks_read_by(config["spread"]["models"], "json"),
    output:
        splits="results/{cohort}/spread/splits.csv",
        table=report(
            "results/{cohort}/spread/table.csv",
            caption="../report/spread.rst",
            category="Can it be believed?",
        ),
        figure=report(
            "results/{cohort}/figures/spread.png",
            caption="../report/spread.rst",
            category="Can it be believed?",
        ),
    log:
        "logs/{cohort}/drawings.log",
    benchmark:
        "logs/{cohort}/drawings.tsv"
    conda:
        "../../environment.yml"
    params:
        repeats=config["spread"]["repeats"],
        models=refitted(config["spread"]["models"]),
        stack_C=config["ensemble"]["stack_C"],
        fold_settings=config["folds"],
        threshold=config["decision"]["threshold"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("drawings.py"),
    script:
        "../scripts/drawings.py"

# The naive baseline of the report's appendix: a network to which every cell is what its patient is,
# then the mean or the maximum of a patient's cells. A fold's job trains it on all training patients
# and once without each inner fold.

if INSTANCE["train"] == "all":

    rule instance_network:
        input:
            raw=RAW,
            patients="results/{cohort}/cohort/patients.csv",
            cells="results/{cohort}/cohort/cells.csv",
            folds="results/{cohort}/folds.csv",
        output:
            bank="results/{cohort}/fold{fold}/features/instance_network.npy",
            about="results/{cohort}/fold{fold}/features/instance_network.json",
        log:
            "logs/{cohort}/fold{fold}/instance_network.log",
        benchmark:
            "logs/{cohort}/fold{fold}/instance_network.tsv"
        conda:
            "../../environment.yml"
        threads: 2
        resources:
            gpu=1,
        params:
            trunk=trunk(INSTANCE["network"]),
            image_size=config["cohort"]["image_size"],
            crop=config["backbones"][INSTANCE["network"]]["crop"],
            px=INSTANCE["px"],
            sgd=INSTANCE["sgd"],
            seed=config["seed"],
            code=code_of("instance_network.py"),
        script:
            "../scripts/instance_network.py"

else:

    rule instance_head:
        input:
            bank=f"results/{{cohort}}/features/{INSTANCE['network']}.npy",
            patients="results/{cohort}/cohort/patients.csv",
            cells="results/{cohort}/cohort/cells.csv",
            folds="results/{cohort}/folds.csv",
        output:
            bank="results/{cohort}/fold{fold}/features/instance_network.npy",
            about="results/{cohort}/fold{fold}/features/instance_network.json",
        log:
            "logs/{cohort}/fold{fold}/instance_head.log",
        benchmark:
            "logs/{cohort}/fold{fold}/instance_head.tsv"
        conda:
            "../../environment.yml"
        params:
            ridge=INSTANCE["ridge"],
            seed=config["seed"],
            code=code_of("instance_head.py"),
        script:
            "../scripts/instance_head.py"


use rule mi_svm as bag_average with:
    wildcard_constraints:
        model=models_of("bag_average", "bag_average_xgboost"),
    params:
        settings=model_settings,
        seed=config["seed"],
        code=code_of("fit.py", "lymphokit.models.bag_average"),

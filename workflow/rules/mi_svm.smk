# Multiple-instance support vector machines (report 5.1). `mi_svm` is the full text of the rule
# that fits a model inside a fold; the other models' rules are it with other names and modules.


rule mi_svm:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
        bank=bank_of,
    output:
        predictions="results/{cohort}/fold{fold}/{model}/predictions.csv",
        model="results/{cohort}/fold{fold}/{model}/model.joblib",
        record="results/{cohort}/fold{fold}/{model}/record.json",
    log:
        "logs/{cohort}/fold{fold}/{model}.log",
    benchmark:
        "logs/{cohort}/fold{fold}/{model}.tsv"
    wildcard_constraints:
        model=models_of("mi_svm"),
    conda:
        "../../environment.yml"
    params:
        settings=model_settings,
        seed=config["seed"],
        code=code_of("fit.py", "lymphokit.models.mi_svm"),
    script:
        "../scripts/fit.py"


use rule mi_svm as mi_svm_xgboost with:
    wildcard_constraints:
        model=models_of("mi_svm_xgboost"),
    params:
        settings=model_settings,
        seed=config["seed"],
        code=code_of("fit.py", "lymphokit.models.mi_svm_xgboost"),

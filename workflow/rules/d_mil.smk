# The attention network (report 5.2).


use rule mi_svm as d_mil with:
    wildcard_constraints:
        model=models_of("d_mil"),
    resources:
        gpu=1,
    params:
        settings=model_settings,
        seed=config["seed"],
        code=code_of("fit.py", "lymphokit.models.d_mil"),


use rule mi_svm as end_to_end with:
    wildcard_constraints:
        model=models_of("end_to_end"),
    threads: 2
    resources:
        gpu=1,
    params:
        settings=model_settings,
        seed=config["seed"],
        code=code_of("fit.py", "lymphokit.models.end_to_end"),

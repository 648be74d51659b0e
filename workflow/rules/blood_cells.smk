# A backbone of our own (report 3.4.2): a network learns to tell types of blood cell apart, and its
# features describe the cohort's cells. No patient's label is used: hence no fold in these paths.


rule blood_cells:
    input:
        folder=BLOOD_INPUT,
    output:
        table="results/{cohort}/blood_cells/cells.csv",
        about="results/{cohort}/blood_cells/about.json",
    log:
        "logs/{cohort}/blood_cells.log",
    benchmark:
        "logs/{cohort}/blood_cells.tsv"
    priority: 100  # a folder that cannot serve says so before anything is trained
    conda:
        "../../environment.yml"
    params:
        folder=str(BLOOD),
        contents=(
            "made here" if BLOOD_MADE_HERE or BLOOD is None else folder_digest(BLOOD)
        ),
        validation=config["blood_cells"]["validation"],
        seed=config["seed"],
        code=code_of("blood_cells.py"),
    script:
        "../scripts/blood_cells.py"


rule blood_cell_network:
    input:
        table="results/{cohort}/blood_cells/cells.csv",
        about="results/{cohort}/blood_cells/about.json",
    output:
        weights="results/{cohort}/features/blood_cells.safetensors",
        history="results/{cohort}/blood_cells/history.csv",
        calls="results/{cohort}/blood_cells/validation.csv",
        figure=report(
            "results/{cohort}/figures/blood_cells.png",
            caption="../report/blood_cells.rst",
            category="Features",
        ),
    log:
        "logs/{cohort}/blood_cell_network.log",
    benchmark:
        "logs/{cohort}/blood_cell_network.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu=1,
    params:
        network=config["blood_cells"]["network"],
        trunk=trunk(config["blood_cells"]["network"]),
        px=config["blood_cells"]["px"],
        adam={
            key: config["blood_cells"][key]
            for key in ["epochs", "batch_size", "learning_rate", "flips", "precision"]
        },
        seed=config["seed"],
        code=code_of("blood_cell_network.py"),
    script:
        "../scripts/blood_cell_network.py"


use rule backbone as blood_cell_bank with:
    input:
        raw=RAW,
        cells="results/{cohort}/cohort/cells.csv",
        masks="results/{cohort}/imaging/masks.npy",
        weights="results/{cohort}/features/blood_cells.safetensors",
    wildcard_constraints:
        backbone="blood_cells",
    params:
        settings=blood_cell_backbone,
        image_size=config["cohort"]["image_size"],
        side=config["blood_cells"]["px"],
        seed=config["seed"],
        code=code_of("backbone.py"),

# Features of cells. The autoencoder, as in the report, is trained without labels on the images of
# all patients: its paths have no fold. Networks trained with labels of patients have one.


rule autoencoder:
    input:
        pixels="results/{cohort}/imaging/{variant}_128.npy",
    output:
        weights="results/{cohort}/features/autoencoder_{variant}.safetensors",
        history="results/{cohort}/features/autoencoder_{variant}.history.json",
        figure="results/{cohort}/figures/reconstruction_{variant}.png",
    log:
        "logs/{cohort}/autoencoder_{variant}.log",
    benchmark:
        "logs/{cohort}/autoencoder_{variant}.tsv"
    priority: 10  # the longest job but for whole networks
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu_slot=1,
    params:
        threads=2,
        settings=config["autoencoder"],
        seed=config["seed"],
        # No output: Snakemake deletes the outputs of a failed job, and training resumes from it.
        checkpoint="results/{cohort}/features/autoencoder_{variant}.checkpoint",
        code=code_of("autoencoder.py"),
    message:
        "Train the autoencoder on {wildcards.variant} images"
    script:
        "../scripts/autoencoder.py"


rule encode:
    input:
        pixels="results/{cohort}/imaging/{variant}_128.npy",
        cells="results/{cohort}/cohort/cells.csv",
        weights="results/{cohort}/features/autoencoder_{variant}.safetensors",
    output:
        bank="results/{cohort}/features/autoencoder_{variant}.npy",
        about="results/{cohort}/features/autoencoder_{variant}.json",
    log:
        "logs/{cohort}/encode_{variant}.log",
    benchmark:
        "logs/{cohort}/encode_{variant}.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu_slot=1,
    params:
        threads=2,
        settings=config["autoencoder"],
        code=code_of("encode.py"),
    message:
        "Encode all cells with the {wildcards.variant} autoencoder"
    script:
        "../scripts/encode.py"


rule morphology:
    input:
        raw=PLAN.raw,
        cells="results/{cohort}/cohort/cells.csv",
        masks="results/{cohort}/imaging/masks.npy",
    output:
        bank="results/{cohort}/features/morphology.npy",
        about="results/{cohort}/features/morphology.json",
    log:
        "logs/{cohort}/morphology.log",
    benchmark:
        "logs/{cohort}/morphology.tsv"
    priority: 30  # the rounds wait for it
    conda:
        "../../environment.yml"
    params:
        image_size=config["cohort"]["image_size"],
        rim_px=PLAN.rim_px,
        contents=RAW_CONTENTS,
        code=code_of("morphology.py"),
    message:
        "Measure all cells"
    script:
        "../scripts/morphology.py"


rule backbone:
    input:
        unpack(lambda wildcards: PLAN.cell_inputs(wildcards.backbone)),
    output:
        bank="results/{cohort}/features/{backbone}.npy",
        about="results/{cohort}/features/{backbone}.json",
    log:
        "logs/{cohort}/backbone_{backbone}.log",
    benchmark:
        "logs/{cohort}/backbone_{backbone}.tsv"
    wildcard_constraints:
        backbone=any_of(config["backbones"]),
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu_slot=1,
    params:
        threads=2,
        settings=lambda wildcards: PLAN.backbone(wildcards.backbone),
        image_size=config["cohort"]["image_size"],
        seed=config["seed"],
        contents=RAW_CONTENTS,
        code=code_of("backbone.py"),
    message:
        "Compute features of all cells with {wildcards.backbone}"
    script:
        "../scripts/backbone.py"


# A backbone trained to classify types of blood cells (report 3.4.2). No patient's label is used.


rule blood_cells:
    input:
        folder=PLAN.blood_cell_input,
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
        folder=str(PLAN.blood_cells),
        contents=contents_of(PLAN.blood_cells, PLAN.blood_cells_are_made),
        validation=config["blood_cells"]["validation"],
        seed=config["seed"],
        code=code_of("blood_cells.py"),
    message:
        "Check the blood cells"
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
        figure="results/{cohort}/figures/blood_cells.png",
    log:
        "logs/{cohort}/blood_cell_network.log",
    benchmark:
        "logs/{cohort}/blood_cell_network.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu_slot=1,
    params:
        threads=2,
        network=config["blood_cells"]["network"],
        trunk=PLAN.trunk(config["blood_cells"]["network"]),
        px=config["blood_cells"]["px"],
        adam={
            key: config["blood_cells"][key]
            for key in ["epochs", "batch_size", "learning_rate", "flips", "precision"]
        },
        seed=config["seed"],
        code=code_of("blood_cell_network.py"),
    message:
        "Train {params.network} on types of blood cells"
    script:
        "../scripts/blood_cell_network.py"


use rule backbone as blood_cell_bank with:
    input:
        unpack(lambda wildcards: PLAN.cell_inputs(config["blood_cells"]["network"])),
        weights="results/{cohort}/features/blood_cells.safetensors",
    wildcard_constraints:
        backbone="blood_cells",
    params:
        settings=PLAN.blood_cell_backbone(),
        image_size=config["cohort"]["image_size"],
        seed=config["seed"],
        contents=RAW_CONTENTS,
        code=code_of("backbone.py"),


# The naive baseline of the report's appendix: a network trained with every cell labelled as its
# patient. The job of a fold trains it on all training patients and once without each inner fold.

if config["instance_network"]["train"] == "all":

    rule instance_network:
        input:
            raw=PLAN.raw,
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
            gpu_slot=1,
        params:
            threads=2,
            trunk=PLAN.trunk(config["instance_network"]["network"]),
            image_size=config["cohort"]["image_size"],
            crop=PLAN.backbone(config["instance_network"]["network"])["crop"],
            px=config["instance_network"]["px"],
            sgd=config["instance_network"]["sgd"],
            seed=config["seed"],
            contents=RAW_CONTENTS,
            code=code_of("instance_network.py"),
        message:
            "Train networks on patients' labels, fold {wildcards.fold}"
        script:
            "../scripts/instance_network.py"

else:

    rule instance_head:
        input:
            bank=f"results/{{cohort}}/features/{config['instance_network']['network']}.npy",
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
            ridge=config["instance_network"]["ridge"],
            seed=config["seed"],
            code=code_of("instance_head.py"),
        message:
            "Train heads on patients' labels, fold {wildcards.fold}"
        script:
            "../scripts/instance_head.py"

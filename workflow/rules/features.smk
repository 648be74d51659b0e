# Numbers for cells. Label-free and fitted on all images, those of test patients too, as the
# report trains its autoencoder: hence no fold in these paths.


rule autoencoder:
    input:
        pixels="results/{cohort}/imaging/{variant}_128.npy",
    output:
        weights="results/{cohort}/features/autoencoder_{variant}.safetensors",
        history="results/{cohort}/features/autoencoder_{variant}.history.json",
        figure=report(
            "results/{cohort}/figures/reconstruction_{variant}.png",
            caption="../report/reconstruction.rst",
            category="Features",
        ),
    log:
        "logs/{cohort}/autoencoder_{variant}.log",
    benchmark:
        "logs/{cohort}/autoencoder_{variant}.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu=1,
    params:
        settings=config["autoencoder"],
        seed=config["seed"],
        checkpoint="results/{cohort}/features/autoencoder_{variant}.checkpoint",
        code=code_of("autoencoder.py"),
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
        gpu=1,
    params:
        settings=config["autoencoder"],
        code=code_of("encode.py"),
    script:
        "../scripts/encode.py"


rule morphology:
    input:
        raw=RAW,
        cells="results/{cohort}/cohort/cells.csv",
        masks="results/{cohort}/imaging/masks.npy",
    output:
        bank="results/{cohort}/features/morphology.npy",
        about="results/{cohort}/features/morphology.json",
    log:
        "logs/{cohort}/morphology.log",
    benchmark:
        "logs/{cohort}/morphology.tsv"
    conda:
        "../../environment.yml"
    params:
        image_size=config["cohort"]["image_size"],
        rim_px=config["segmentation"]["dilation_px"],
        code=code_of("morphology.py"),
    script:
        "../scripts/morphology.py"


rule backbone:
    input:
        raw=RAW,
        cells="results/{cohort}/cohort/cells.csv",
        masks="results/{cohort}/imaging/masks.npy",
    output:
        bank="results/{cohort}/features/{backbone}.npy",
        about="results/{cohort}/features/{backbone}.json",
    log:
        "logs/{cohort}/backbone_{backbone}.log",
    benchmark:
        "logs/{cohort}/backbone_{backbone}.tsv"
    wildcard_constraints:
        backbone="|".join(config["backbones"]) or "(?!)",
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu=1,
    params:
        settings=backbone_settings,
        image_size=config["cohort"]["image_size"],
        side=None,
        seed=config["seed"],
        code=code_of("backbone.py"),
    script:
        "../scripts/backbone.py"

"""Settings of the deep models, apart from the networks so that reading them does not load torch."""

from typing import Annotated, Literal

from pydantic import Field

from lymphokit.bags.contract import ModelSettings
from lymphokit.settings import Count, NonNegative, NonNegativeFloat, Positive, Share

DropoutRate = Annotated[float, Field(ge=0, lt=1)]


class DMilSettings(ModelSettings):
    """Settings of `DMil` (report 5.2)."""

    kind: Literal["d_mil"]
    features: str
    scale: bool
    """Standardise the features over the training cells."""
    pca: Count | None
    """Principal components, at most as many as the training cells allow; None keeps features."""
    aggregation: Literal["attention", "gated_attention", "dual_stream", "max", "mean_std"]
    attention_width: Count
    """Width L of the attention networks; the other aggregations do not use it."""
    hidden: list[Count]
    """Widths of the layers after the aggregation."""
    clinical_hidden: list[Count]
    """Widths of the clinical network; empty for no clinical data."""
    fusion: Literal["joined", "experts"]
    """`joined`: both in one last layer; `experts`: an image and a clinical expert with a gate."""
    normalisation: Literal["layer", "none"]
    dropout: DropoutRate
    optimizer: Literal["adam", "rmsprop", "sgd"]
    """`sgd` with momentum 0.9."""
    learning_rate: Positive
    weight_decay: NonNegativeFloat
    batch_bags: Count
    """Bags of a step."""
    lr_factor: Share
    """The learning rate is multiplied by this after `lr_patience` epochs without a lower loss."""
    lr_patience: Count
    weighted_loss: bool
    """Weight positives by their share of the patients and negatives by theirs."""
    max_epochs: Count
    early_stopping: Count
    """Epochs without a lower loss after which a network stops."""
    members: Count
    """Networks of the ensemble."""


class EndToEndSettings(ModelSettings):
    """Settings of `EndToEnd` (report 5.2.2 d)."""

    kind: Literal["end_to_end"]
    features: Literal["pixels_raw", "pixels_segmented"]
    scheme: Literal["joint", "two_phase"]
    """`joint`: one optimizer on both losses; `two_phase`: classifier and autoencoder in turn."""
    latent: Annotated[int, Field(ge=64, multiple_of=64)]
    """Latent size of the autoencoder at 128 pixels a side."""
    side: Annotated[int, Field(ge=16, le=128, multiple_of=16)]
    """Pixels a side that the network sees."""
    attention_width: Count
    hidden: list[Count]
    clinical_hidden: list[Count]
    dropout: DropoutRate
    learning_rate: Positive
    """Of the classifier; of everything if `joint`."""
    autoencoder_learning_rate: Positive
    reconstruction_weight: NonNegativeFloat
    """lambda, the weight of the reconstruction loss."""
    frozen_epochs: NonNegative
    """Epochs in which the autoencoder alone learns."""
    epochs: Count
    batch_bags: Count
    cells_per_bag: Count
    """Cells of a bag in a step, drawn anew in every epoch; prediction takes all."""
    flips: Share
    """Probability of each of a horizontal and a vertical flip of a cell in training."""
    weighted_loss: bool
    """Weight positives by their share of the patients and negatives by theirs."""

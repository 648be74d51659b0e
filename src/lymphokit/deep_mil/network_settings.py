"""Settings of the deep models, apart from the networks so that reading them does not load torch."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lymphokit.bags.contract import ModelSettings
from lymphokit.settings import (
    Count,
    Digits,
    Latent,
    Layers,
    LearningRate,
    NonNegative,
    NonNegativeFloat,
    Repetitions,
    Share,
    ShareAboveZero,
    ShareBelowOne,
    Width,
)


class DMilSettings(ModelSettings):
    """Settings of `DMil` (report 5.2)."""

    kind: Literal["d_mil"]
    features: str
    scale: bool
    """Standardise the features over the training cells."""
    pca: Width | None
    """Principal components, at most as many as the training cells allow; None keeps features."""
    aggregation: Literal["attention", "gated_attention", "dual_stream", "max", "mean_std"]
    attention_width: Width
    """Width L of the attention networks; the other aggregations do not use it."""
    hidden: Layers
    """Widths of the layers after the aggregation."""
    clinical_hidden: Layers
    """Widths of the clinical network; empty for no clinical data."""
    fusion: Literal["joined", "experts"]
    """`joined`: both in one last layer; `experts`: an image and a clinical expert with a gate."""
    normalisation: Literal["layer", "none"]
    dropout: ShareBelowOne
    optimizer: Literal["adam", "rmsprop", "sgd"]
    """`sgd` with momentum 0.9."""
    learning_rate: LearningRate
    weight_decay: NonNegativeFloat
    batch_bags: Count
    """Bags of a step."""
    lr_factor: ShareAboveZero
    """The learning rate is multiplied by this after `lr_patience` epochs without a lower loss."""
    lr_patience: Count
    weighted_loss: bool
    """Weight positives by their share of the patients and negatives by theirs."""
    max_epochs: Count
    early_stopping: Count
    """Epochs without a lower loss after which a network stops."""
    members: Repetitions
    """Networks of the ensemble."""


class EndToEndSettings(ModelSettings):
    """Settings of `EndToEnd` (report 5.2.2 d)."""

    kind: Literal["end_to_end"]
    features: Literal["pixels_raw", "pixels_segmented"]
    scheme: Literal["joint", "two_phase"]
    """`joint`: one optimizer on both losses; `two_phase`: classifier and autoencoder in turn."""
    latent: Latent
    """Latent size of the autoencoder at 128 pixels a side."""
    side: Annotated[int, Field(strict=True, ge=16, le=128, multiple_of=16), Digits]
    """Pixels a side that the network sees."""
    attention_width: Width
    hidden: Layers
    clinical_hidden: Layers
    dropout: ShareBelowOne
    learning_rate: LearningRate
    """Of the classifier; of everything if `joint`."""
    autoencoder_learning_rate: LearningRate
    reconstruction_weight: NonNegativeFloat
    """lambda, the weight of the reconstruction loss."""
    frozen_epochs: NonNegative
    """Epochs in which the autoencoder alone learns, of those of `two_phase`."""
    epochs: Count
    batch_bags: Count
    cells_per_bag: Count
    """Cells of a bag in a step, drawn anew in every epoch; prediction takes all."""
    flips: Share
    """Probability of each of a horizontal and a vertical flip of a cell in training."""
    weighted_loss: bool
    """Weight positives by their share of the patients and negatives by theirs."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.scheme == "two_phase" and self.frozen_epochs >= self.epochs:
            raise ValueError(
                f"frozen_epochs: {self.frozen_epochs} of {self.epochs} epochs leave the classifier "
                "none to learn in"
            )
        return self

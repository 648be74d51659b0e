"""Training from pixels to labels: what each phase moves, and what bounds its memory."""

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.deep_mil.end_to_end_network import EndToEndNetwork
from lymphokit.deep_mil.network_settings import EndToEndSettings
from lymphokit.imaging.pixels import SIDE

Settings = dict[str, Any]
pytestmark = pytest.mark.trains
SMALL: Settings = {
    "scheme": "two_phase",
    "latent": 512,
    "side": 16,
    "attention_width": 8,
    "hidden": [16],
    "clinical_hidden": [],
    "dropout": 0.0,
    "learning_rate": 1e-2,
    "autoencoder_learning_rate": 1e-3,
    "reconstruction_weight": 0.5,
    "frozen_epochs": 2,
    "epochs": 10,
    "batch_bags": 4,
    "cells_per_bag": 4,
    "flips": 0.5,
    "weighted_loss": True,
}


def cohort(n: int, seed: int) -> tuple[Bags, NDArray[np.int64], Clinical]:
    """Half of the patients have red cells among their grey ones."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 2).astype(np.int64)
    bags = []
    for label in labels:
        images = rng.integers(90, 110, (int(rng.integers(2, 6)), SIDE, SIDE, 3))
        if label:
            images[: 1 + len(images) // 2, ..., 0] += 100
        bags.append(images.reshape(len(images), -1).astype(np.uint8))
    clinical = Clinical(rng.normal(60, 5, n), np.exp(rng.normal(2, 0.3, n)))
    return Bags.pack(bags, [f"P{patient}" for patient in range(n)]), labels, clinical


def network(seed: int = 3, **changes: Any) -> EndToEndNetwork:
    settings = EndToEndSettings.model_construct(**{**SMALL, **changes})  # unvalidated: 0 epochs
    return EndToEndNetwork(settings, seed=seed)


def fitted(seed: int = 3, **changes: Any) -> EndToEndNetwork:
    return network(seed, **changes).fit(*cohort(20, 0))


def images_of(bags: Bags, side: int) -> torch.Tensor:
    """All cells as the network takes them: (n_cells, 3, side, side) in [0, 1]."""
    pixels = torch.from_numpy(bags.instances).reshape(-1, SIDE, SIDE, 3).permute(0, 3, 1, 2)
    return torch.nn.functional.interpolate(pixels.float() / 255, (side, side), mode="area")


@pytest.mark.parametrize("seed", [3, 4, 5])
@pytest.mark.parametrize("scheme", ["joint", "two_phase"])
def test_both_schemes_learn_red_from_grey(scheme: str, seed: int) -> None:
    bags, labels, clinical = cohort(12, 1)
    probability = fitted(seed, scheme=scheme).predict_proba(bags, clinical)
    assert probability[labels == 1].min() > 0.8
    assert probability[labels == 0].max() < 0.2


def test_before_training_the_decoder_gives_the_mean_colour() -> None:
    model, images = fitted(epochs=0), images_of(cohort(20, 0)[0], 16)
    decoded = model.autoencoder_.decoder(model.autoencoder_.encode(images))
    colours = model.autoencoder_.to_colours(decoded).sigmoid().detach()
    expected = images.mean(dim=(0, 2, 3))
    torch.testing.assert_close(colours.mean(dim=(0, 2, 3)), expected, atol=0.02, rtol=0)


def test_colours_far_too_dark_or_bright_still_have_a_gradient() -> None:
    model, images = fitted(epochs=0), images_of(cohort(20, 0)[0], 16)
    batch, bias = Mock(images=images), model.autoencoder_.to_colours.bias
    for logit in (-9.0, 9.0):
        torch.nn.init.constant_(bias, logit)
        loss = model._reconstruction(model.autoencoder_.encode(images), batch)
        (gradient,) = torch.autograd.grad(loss, bias)
        assert (gradient * logit > 0.01).all()


def test_batch_norms_hold_the_statistics_of_all_training_cells_under_the_final_weights() -> None:
    model, images = fitted(epochs=3), images_of(cohort(20, 0)[0], 16)
    convolution, relu, norm, _ = model.autoencoder_.encoder[0]
    with torch.no_grad():
        activations = relu(convolution(images))
    mean, variance = activations.mean(dim=(0, 2, 3)), activations.var(dim=(0, 2, 3))
    torch.testing.assert_close(norm.running_mean, mean, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(norm.running_var, variance, rtol=1e-3, atol=1e-5)


def test_while_frozen_the_classifier_does_not_move() -> None:
    still, moved = fitted(epochs=2, frozen_epochs=2), fitted(epochs=3, frozen_epochs=2)
    start = fitted(epochs=1, frozen_epochs=2)
    weights = [
        model.classifier_.state_dict()["aggregation.V.weight"] for model in (start, still, moved)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])
    assert np.isnan(still.losses_[:, 0]).all()
    assert np.isfinite(moved.losses_[2]).all()


def test_reconstruction_improves() -> None:
    losses = fitted(epochs=6, frozen_epochs=6).losses_[:, 1]
    assert losses[-1] < losses[0]


def test_a_step_of_the_first_phase_leaves_the_autoencoder_and_the_second_the_classifier() -> None:
    slow_encoder = fitted(epochs=1, frozen_epochs=0, autoencoder_learning_rate=1e-30)
    slow_classifier = fitted(epochs=1, frozen_epochs=0, learning_rate=1e-30)
    start = fitted(epochs=0)
    encoder = "encoder.0.0.weight"
    assert torch.equal(
        slow_encoder.autoencoder_.state_dict()[encoder], start.autoencoder_.state_dict()[encoder]
    )
    assert torch.equal(
        *(
            model.classifier_.state_dict()["aggregation.V.weight"]
            for model in (slow_classifier, start)
        )
    )
    assert not torch.equal(
        slow_classifier.autoencoder_.state_dict()[encoder],
        start.autoencoder_.state_dict()[encoder],
    )


def test_no_step_holds_more_cells_than_the_setting_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = network(cells_per_bag=2, epochs=1), []
    batches = model._batches

    def record(*given: Any) -> Any:
        for batch in batches(*given):
            seen.append(batch.bag_of.bincount())
            yield batch

    monkeypatch.setattr(model, "_batches", record)
    model.fit(*cohort(20, 0))
    assert max(sizes.max() for sizes in seen) == 2
    assert sum(len(sizes) for sizes in seen) == 20


def test_features_that_are_not_images_are_refused() -> None:
    bags = Bags.pack([np.zeros((2, 5)), np.zeros((1, 5))], ["A", "B"])
    clinical = Clinical(np.array([50.0, 60.0]), np.array([5.0, 9.0]))
    with pytest.raises(ValueError, match="pixels_raw"):
        network(seed=0).fit(bags, np.array([0, 1]), clinical)


def test_memory_of_training_does_not_change_what_prediction_sees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = fitted(epochs=3)
    bags, _, clinical = cohort(6, 2)
    whole = model.predict_proba(bags, clinical)
    monkeypatch.setattr("lymphokit.deep_mil.end_to_end_network._CHUNK_CELLS", 3)
    np.testing.assert_allclose(model.predict_proba(bags, clinical), whole, atol=1e-6)


@pytest.mark.parametrize("scheme", ["joint", "two_phase"])
@pytest.mark.parametrize(("n", "batch_bags"), [(6, 1), (5, 4), (6, 4)])
def test_one_image_a_bag_is_enough_at_any_batch_size(scheme: str, n: int, batch_bags: int) -> None:
    bags, labels, clinical = cohort(n, 0)
    single = Bags.pack([bags.instances[bags.cells_of([bag])[:1]] for bag in range(n)], bags.ids)
    model = network(scheme=scheme, epochs=3, batch_bags=batch_bags).fit(single, labels, clinical)
    probability = model.predict_proba(single, clinical)
    assert np.isfinite(probability).all()
    np.testing.assert_allclose(
        model.predict_proba(Bags.pack([single.instances[:1]], ["P0"]), clinical.take([0])),
        probability[:1],
        rtol=1e-4,
    )

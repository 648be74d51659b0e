import dataclasses
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lymphokit.errors import LymphokitError
from lymphokit.features.backbone import Backbone, as_input, load_backbone
from lymphokit.features.fine_tune import Adam, Classifier, FineTuned, Sgd, fine_tune

pytestmark = pytest.mark.trains
SMALL = "test_resnet.r160_in1k"  # made by timm for tests: a third of a million weights
SETTINGS = Sgd(
    epochs=3,
    batch_size=4,
    learning_rate=0.01,
    momentum=0.9,
    weight_decay=1e-4,
    flips=0.5,
    precision="float32",
)
CELLS, LABELS = np.arange(16), np.arange(16) % 2
UNSEEN, THEIRS = np.arange(16, 24), np.arange(16, 24) % 2


class Stored:
    """Images of cells that record the reads."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.images = images
        self.reads: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, cells: NDArray[np.int64], /) -> NDArray[np.uint8]:
        self.reads.append([int(cell) for cell in cells])
        return self.images[cells]


def red_and_blue(n: int = 24, side: int = 32) -> Stored:
    """Noise, a little redder in odd cells and a little bluer in even ones."""
    images = np.random.default_rng(3).integers(0, 200, (n, side, side, 3))
    images[1::2, ..., 0] += 50
    images[::2, ..., 2] += 50
    return Stored(images.astype(np.uint8))


def backbone_of(name: str = SMALL) -> Backbone:
    return load_backbone(name, weights="none", sha256=None, seed=1)


def having(**changes: float | str) -> Sgd:
    return dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]


def weights_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return backbone_of()


@pytest.fixture(scope="module")
def tuned(backbone: Backbone) -> FineTuned:
    return fine_tune(
        backbone,
        red_and_blue(),
        CELLS,
        LABELS,
        settings=SETTINGS,
        seed=1,
        validation=(UNSEEN, THEIRS),
    )


def log_odds(backbone: Backbone, settings: Sgd = SETTINGS, seed: int = 1) -> NDArray[np.float64]:
    fitted = fine_tune(backbone, red_and_blue(), CELLS, LABELS, settings=settings, seed=seed)
    return fitted.log_odds(red_and_blue(), UNSEEN)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns_to_tell_red_from_blue(backbone: Backbone, precision: str) -> None:
    """By so wide a margin that rounding, which differs between CPUs, cannot matter."""
    settings = having(epochs=20, batch_size=8, learning_rate=0.01, precision=precision)
    odds = log_odds(backbone, settings)
    assert (odds[THEIRS == 1] > 1).all()
    assert (odds[THEIRS == 0] < -1).all()


def test_bfloat16_is_for_all_layers_but_the_last_and_not_for_the_weights(
    backbone: Backbone,
) -> None:
    classifier, found = Classifier(backbone, 2, "bfloat16").eval(), []
    classifier.network.register_forward_hook(lambda *call: found.append(call[-1].dtype))
    pixels = as_input(backbone, red_and_blue()[UNSEEN], torch.device("cpu"))
    assert classifier(pixels).dtype == torch.float32
    assert found == [torch.bfloat16]
    assert {weight.dtype for weight in classifier.parameters()} == {torch.float32}


def test_every_layer_is_trained_and_the_backbone_is_left_as_it_was(backbone: Backbone) -> None:
    before = weights_of(backbone.network)
    fitted = fine_tune(backbone, red_and_blue(), CELLS, LABELS, settings=SETTINGS, seed=1)
    after = weights_of(backbone.network)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not backbone.network.training
    assert not any(weight.requires_grad for weight in backbone.network.parameters())
    for name, weight in fitted.classifier.network.named_parameters():
        assert not torch.equal(weight, before[name]), name


def test_one_step_is_that_of_gradient_descent_on_the_mean_negative_log_likelihood(
    backbone: Backbone,
) -> None:
    """By hand: w - rate * (gradient + decay * w), from the start that the seed gives."""
    settings = having(epochs=1, batch_size=16, flips=0.0, learning_rate=0.1, weight_decay=0.01)
    fitted = fine_tune(backbone, red_and_blue(), CELLS, LABELS, settings=settings, seed=4)
    torch.manual_seed(4)
    start = Classifier(backbone, 2, "float32").train()
    pixels = as_input(backbone, red_and_blue()[CELLS], torch.device("cpu"))
    logits = start.last(start.network(pixels))
    loss = nn.functional.cross_entropy(logits, torch.from_numpy(LABELS))
    loss.backward()
    assert fitted.history[0].loss == pytest.approx(loss.item(), rel=1e-4)
    for weight, trained in zip(start.parameters(), fitted.classifier.parameters(), strict=True):
        assert weight.grad is not None
        expected = weight - 0.1 * (weight.grad + 0.01 * weight)
        torch.testing.assert_close(trained, expected, atol=1e-5, rtol=1e-4)


def test_the_same_seed_gives_the_same_scores_and_another_seed_others() -> None:
    """Of a network that drops units at random, whatever was drawn before it is trained."""
    layers = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5)
    half = torch.full((3, 1, 1), 0.5)
    dropping = Backbone(nn.Sequential(*layers).eval(), half, half, None, 8, "made here")
    first, again, other = (log_odds(dropping, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_training_does_not_change_the_random_state_outside(backbone: Backbone) -> None:
    torch.manual_seed(6)
    expected = torch.rand(3)
    torch.manual_seed(6)
    log_odds(backbone, having(epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_history_has_one_entry_per_epoch_and_the_last_describes_the_final_network(
    tuned: FineTuned,
) -> None:
    assert [entry.epoch for entry in tuned.history] == [1, 2, 3]
    losses = [entry.loss for entry in tuned.history]
    assert losses[-1] < losses[0]
    called = tuned.log_odds(red_and_blue(), UNSEEN) > 0
    assert tuned.history[-1].accuracy == np.mean(called == THEIRS)


def test_validation_cells_change_nothing(backbone: Backbone, tuned: FineTuned) -> None:
    without = fine_tune(backbone, red_and_blue(), CELLS, LABELS, settings=SETTINGS, seed=1)
    np.testing.assert_array_equal(
        without.log_odds(red_and_blue(), UNSEEN), tuned.log_odds(red_and_blue(), UNSEEN)
    )
    assert all(math.isnan(entry.accuracy) for entry in without.history)
    assert [entry.loss for entry in without.history] == [entry.loss for entry in tuned.history]


def test_log_odds_are_those_of_the_networks_probabilities(tuned: FineTuned) -> None:
    pixels = as_input(tuned.backbone, red_and_blue()[UNSEEN], torch.device("cpu"))
    with torch.no_grad():
        probabilities = tuned.classifier(pixels).exp().double().numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)
    expected = np.log(probabilities[:, 1] / probabilities[:, 0])
    odds = tuned.log_odds(red_and_blue(), UNSEEN)
    assert odds.dtype == np.float64
    np.testing.assert_allclose(odds, expected, rtol=1e-4, atol=1e-5)


def test_log_odds_do_not_depend_on_the_batch_that_a_cell_is_in(tuned: FineTuned) -> None:
    images, order = red_and_blue(), np.array([23, 3, 17, 4, 9, 22])
    together = tuned.log_odds(images, order)
    alone = np.concatenate([tuned.log_odds(images, np.array([cell])) for cell in order])
    np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-5)
    assert len(tuned.log_odds(images, np.array([], dtype=np.int64))) == 0


def test_images_are_read_batch_by_batch(tuned: FineTuned) -> None:
    images = red_and_blue()
    tuned.log_odds(images, np.arange(10, 20))
    assert images.reads == [[10, 11, 12, 13], [14, 15, 16, 17], [18, 19]]


def test_each_epoch_sees_every_cell_once_in_a_new_order(backbone: Backbone) -> None:
    images, cells = red_and_blue(), np.array([20, 3, 8, 11, 2, 5])
    fine_tune(backbone, images, cells, LABELS[:6], settings=having(epochs=2), seed=1)
    assert [len(batch) for batch in images.reads] == [4, 2, 4, 2]
    epochs = [[*images.reads[step], *images.reads[step + 1]] for step in (0, 2)]
    assert [sorted(seen) for seen in epochs] == [sorted(cells)] * 2
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize(
    ("n", "size", "expected"), [(9, 4, [4, 5]), (8, 4, [4, 4]), (3, 1, [1, 1, 1]), (5, 8, [5])]
)
def test_a_cell_left_over_joins_the_last_batch(
    backbone: Backbone, n: int, size: int, expected: list[int]
) -> None:
    images, settings = red_and_blue(side=64), having(epochs=1, batch_size=size)
    fine_tune(backbone, images, CELLS[:n], LABELS[:n], settings=settings, seed=1)
    assert [len(batch) for batch in images.reads] == expected


def test_a_cell_left_over_does_not_stop_a_network_with_batch_norm(backbone: Backbone) -> None:
    """At 32 pixels its last layers are 1 x 1: of a batch of one there would be no deviation."""
    settings = having(epochs=1)
    fitted = fine_tune(backbone, red_and_blue(), CELLS[:5], LABELS[:5], settings=settings, seed=1)
    assert math.isfinite(fitted.history[0].loss)


def test_images_are_flipped_with_the_given_probability(backbone: Backbone) -> None:
    losses = {
        flips: fine_tune(
            backbone,
            red_and_blue(),
            CELLS,
            LABELS,
            settings=having(epochs=1, batch_size=16, flips=flips),
            seed=1,
        )
        .history[0]
        .loss
        for flips in (0.0, 1.0)
    }
    upside_down = Stored(red_and_blue().images[:, ::-1, ::-1])
    settings = having(epochs=1, batch_size=16, flips=1.0)
    back = fine_tune(backbone, upside_down, CELLS, LABELS, settings=settings, seed=1)
    assert losses[0.0] != losses[1.0]
    assert back.history[0].loss == losses[0.0]


def test_a_far_too_high_learning_rate_is_an_error_with_the_remedy(backbone: Backbone) -> None:
    with pytest.raises(LymphokitError, match=r"loss of epoch 1 .*lower the learning rate.*1e\+30"):
        log_odds(backbone, having(learning_rate=1e30))


def test_scores_that_are_not_finite_are_an_error(backbone: Backbone) -> None:
    """The last step of all may go too far, with a loss before it that was in order."""
    settings = having(epochs=1, batch_size=16, learning_rate=1e30)
    fitted = fine_tune(backbone, red_and_blue(), CELLS, LABELS, settings=settings, seed=1)
    with pytest.raises(LymphokitError, match="lower the learning rate"):
        fitted.log_odds(red_and_blue(), UNSEEN)


def test_adam_learns_three_classes(backbone: Backbone) -> None:
    labels = np.arange(24) % 3
    images = np.random.default_rng(3).integers(0, 200, (24, 32, 32, 3))
    images[np.arange(24), ..., labels] += 50
    cells, unseen = np.arange(18), np.arange(18, 24)
    settings = Adam(10, 6, 3e-3, 0.5, "float32")
    stored = Stored(images.astype(np.uint8))
    fitted = fine_tune(
        backbone,
        stored,
        cells,
        labels[:18],
        settings=settings,
        seed=1,
        validation=(unseen, labels[18:]),
    )
    scores = fitted.log_probabilities(stored, unseen)
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(scores.argmax(axis=1), labels[18:])
    assert fitted.history[-1].accuracy == 1.0
    with pytest.raises(ValueError, match="has 3"):
        fitted.log_odds(stored, unseen)


def test_the_first_step_of_adam_is_as_long_as_the_learning_rate(backbone: Backbone) -> None:
    """Whatever the gradient: its mean over the root of its mean square is a sign."""
    settings = Adam(1, 16, 1e-3, 0.0, "float32")
    fitted = fine_tune(backbone, red_and_blue(), CELLS, LABELS, settings=settings, seed=4)
    torch.manual_seed(4)
    start = Classifier(backbone, 2, "float32")
    moved = (fitted.classifier.last.weight - start.last.weight).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 1e-3), atol=2e-5, rtol=0)


def test_cells_of_one_kind_or_without_labels_are_refused(backbone: Backbone) -> None:
    with pytest.raises(ValueError, match="both 0"):
        fine_tune(backbone, red_and_blue(), CELLS, LABELS * 0, settings=SETTINGS, seed=1)
    with pytest.raises(ValueError, match="16 cells have 15 labels"):
        fine_tune(backbone, red_and_blue(), CELLS, LABELS[:-1], settings=SETTINGS, seed=1)
    with pytest.raises(ValueError, match=r"\[0, 2\].*every label up to the highest"):
        fine_tune(backbone, red_and_blue(), CELLS, LABELS * 2, settings=SETTINGS, seed=1)


@pytest.mark.parametrize(
    ("name", "side", "width"),
    [
        ("alexnet", 64, 4096),
        ("inception_v3", 75, 2048),
        ("resnet18", 32, 512),
        ("resnet50", 32, 2048),
        ("legacy_seresnet18", 64, 512),
    ],
)
def test_the_reports_networks_take_a_step(name: str, side: int, width: int) -> None:
    backbone = backbone_of(name)
    assert backbone.n_features == width
    images, settings = red_and_blue(2, side), having(epochs=1, learning_rate=1e-4)
    fitted = fine_tune(backbone, images, CELLS[:2], LABELS[:2], settings=settings, seed=1)
    assert fitted.classifier.last.weight.shape == (2, width)
    assert fitted.history[0].loss == pytest.approx(math.log(2), abs=0.7)
    assert np.isfinite(fitted.log_odds(images, CELLS[:2])).all()

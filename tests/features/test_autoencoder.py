from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from torch import nn

from lymphokit.errors import WeightsError
from lymphokit.features.autoencoder import (
    Autoencoder,
    encode,
    load_autoencoder,
    mean_image,
    mean_image_error,
    reconstruct,
    reconstruction_error,
    save_autoencoder,
    to_tensor,
)
from lymphokit.features.train_autoencoder import History, train_autoencoder

CPU = torch.device("cpu")
RUN: dict[str, Any] = {"threads": 1, "device": CPU}
ROOT = Path(__file__).parents[2]


def drawn_cells(n: int, seed: int = 0) -> NDArray[np.uint8]:
    """Discs of many places, sizes and colours on a pale ground."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:128, :128]
    images = np.full((n, 128, 128, 3), (250, 225, 200), dtype=np.uint8)
    for image in images:
        row, column, radius = rng.uniform((40, 40, 15), (88, 88, 35))
        inside = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
        image[inside] = rng.integers((50, 20, 90), (200, 120, 180))
    return images


PIXELS = drawn_cells(20)


@pytest.fixture
def settings() -> dict[str, Any]:
    """The settings of config.yaml, but for a small network on few images."""
    block = yaml.safe_load((ROOT / "config.yaml").read_text())["autoencoder"]
    del block["variants"]
    return {**block, "epochs": 3, "batch_size": 8, "latent": 256, "seed": 3, "code": "c", **RUN}


@pytest.fixture
def train(settings: dict[str, Any], tmp_path: Path) -> Callable[..., tuple[Autoencoder, History]]:
    """Train on the drawn cells, with changes."""

    def run(pixels: Any = PIXELS, **changes: Any) -> tuple[Autoencoder, History]:
        given = {"checkpoint": tmp_path / "run.checkpoint", **settings, **changes}
        return train_autoencoder(pixels, **given)

    return run


def weights(model: Autoencoder) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


class PowerCutError(Exception):
    """Nobody catches this."""


class Interrupted:
    """Images that can be read until `after` of them were read."""

    def __init__(self, pixels: NDArray[np.uint8], after: int) -> None:
        self.pixels, self.left, self.shape = pixels, after, pixels.shape

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, cells: Any) -> NDArray[np.uint8]:
        if not isinstance(cells, slice):  # a slice reads all images through, before training
            self.left -= len(cells)
            if self.left < 0:
                raise PowerCutError
        return np.asarray(self.pixels[cells])


@pytest.mark.parametrize("latent", [8192, 4096])
def test_the_reports_latents_are_8_x_8_grids_and_decode_to_the_image_size(latent: int) -> None:
    model = Autoencoder(latent=latent).eval()
    images = torch.rand(2, 3, 128, 128)
    assert model.encode(images).shape == (2, latent // 64, 8, 8)
    assert model(images).shape == images.shape


def test_the_blocks_are_those_of_the_report() -> None:
    model = Autoencoder(latent=8192)
    kinds = [type(layer) for block in model.encoder for layer in block]
    assert kinds == [nn.Conv2d, nn.ReLU, nn.BatchNorm2d, nn.AvgPool2d] * 4
    layers = [layer for layer in model.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert len(layers) == 7
    assert all(layer.kernel_size == (3, 3) for layer in layers)


@pytest.mark.parametrize("latent", [0, 100])
def test_a_latent_that_fits_no_grid_is_refused(latent: int) -> None:
    with pytest.raises(ValueError, match="multiple of 64"):
        Autoencoder(latent=latent)


def test_before_training_the_output_is_nearly_the_initial_colour() -> None:
    torch.manual_seed(0)
    model = Autoencoder(latent=256)
    model.start_at(torch.tensor([0.9, 0.5, 0.1]))
    given_back = model(to_tensor(PIXELS, CPU)).mean(dim=(0, 2, 3))
    np.testing.assert_allclose(given_back.detach(), [0.9, 0.5, 0.1], atol=0.1)


@pytest.mark.trains
def test_training_beats_the_mean_image(
    train: Callable[..., tuple[Autoencoder, History]],
) -> None:
    # Small batches: a hundred steps, after which the batch norms know their statistics.
    model, history = train(PIXELS[:16], epochs=12, batch_size=2, flips=0.0)
    error = reconstruction_error(model, PIXELS[:16], batch_size=8, **RUN)
    assert error < mean_image_error(PIXELS[:16]) / 3
    assert history.losses[-1] < history.losses[0] / 3


@pytest.mark.trains
def test_the_same_seed_trains_the_same_weights(
    train: Callable[..., tuple[Autoencoder, History]], tmp_path: Path
) -> None:
    models = [train(epochs=1, seed=s, checkpoint=tmp_path / f"{i}")[0] for i, s in enumerate("112")]
    first, again, other = map(weights, models)
    assert first == again
    assert first["encoder.0.0.weight"] != other["encoder.0.0.weight"]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_interrupted_in_its_second_epoch_gives_the_same_bytes(
    train: Callable[..., tuple[Autoencoder, History]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    threads: int,
) -> None:
    undisturbed, history = train(checkpoint=tmp_path / "other.checkpoint", threads=threads)
    with pytest.raises(PowerCutError):
        train(Interrupted(PIXELS, after=30), threads=threads)
    resumed, resumed_history = train(threads=threads)
    assert "resumes after epoch 1 of 3" in capsys.readouterr().err
    assert weights(resumed) == weights(undisturbed)
    assert resumed_history.losses == history.losses
    files = [tmp_path / "resumed", tmp_path / "undisturbed"]
    for model, file in zip((resumed, undisturbed), files, strict=True):
        save_autoencoder(model, file)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    "change",
    [{"seed": 4}, {"learning_rate": 0.01}, {"code": "edited"}, {"latent": 128}, {"batch_size": 5}],
    ids=str,
)
def test_a_checkpoint_of_other_settings_is_not_resumed(
    train: Callable[..., tuple[Autoencoder, History]],
    change: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(PIXELS[:4], epochs=1)
    train(PIXELS[:4], epochs=1, **change)
    messages = capsys.readouterr().err
    assert "starts anew" in messages
    assert "resumes" not in messages


def test_a_checkpoint_of_other_images_is_not_resumed(
    train: Callable[..., tuple[Autoencoder, History]], capsys: pytest.CaptureFixture[str]
) -> None:
    train(PIXELS[:4], epochs=1)
    train(PIXELS[4:8], epochs=1)
    assert "starts anew" in capsys.readouterr().err


@pytest.mark.trains
def test_more_epochs_resume_from_fewer_and_fewer_start_anew(
    train: Callable[..., tuple[Autoencoder, History]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    straight, _ = train(PIXELS[:4], epochs=2, checkpoint=tmp_path / "straight")
    short, _ = train(PIXELS[:4], epochs=1)
    before = weights(short)
    longer, _ = train(PIXELS[:4], epochs=2)
    assert weights(longer) == weights(straight)
    again, _ = train(PIXELS[:4], epochs=1)
    assert "2 epochs, not 1" in capsys.readouterr().err
    assert weights(again) == before


def zero_middle(content: bytes) -> bytes:
    """A page that a crash left empty; torch loads such a file."""
    middle = len(content) // 2
    return content[:middle] + bytes(4096) + content[middle + 4096 :]


@pytest.mark.parametrize(
    "damage",
    [
        zero_middle,
        lambda content: content[:1000],
        lambda content: content[:0],
        lambda content: content[1:],
    ],
    ids=["zero page", "truncated", "empty", "first byte lost"],
)
def test_a_damaged_checkpoint_is_not_resumed(
    train: Callable[..., tuple[Autoencoder, History]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[bytes], bytes],
) -> None:
    whole, _ = train(PIXELS[:4], epochs=1)
    file = tmp_path / "run.checkpoint"
    file.write_bytes(damage(file.read_bytes()))
    anew, _ = train(PIXELS[:4], epochs=1)
    assert "cannot be read" in capsys.readouterr().err
    assert weights(anew) == weights(whole)


def test_training_restores_random_state_and_threads(
    train: Callable[..., tuple[Autoencoder, History]],
) -> None:
    torch.manual_seed(5)
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    train(PIXELS[:4], epochs=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.trains
def test_bfloat16_trains_and_encodes(
    train: Callable[..., tuple[Autoencoder, History]],
) -> None:
    model, history = train(PIXELS[:4], epochs=1, precision="bfloat16")
    (latent,) = encode(model, PIXELS[:4], batch_size=4, precision="bfloat16", **RUN)
    assert latent.dtype == np.float32
    assert np.isfinite(latent).all()
    assert np.isfinite(history.losses).all()


def test_encoding_is_the_encoder_flattened_whatever_the_batches() -> None:
    torch.manual_seed(0)
    model = Autoencoder(latent=128).eval()
    with torch.no_grad():
        expected = model.encode(to_tensor(PIXELS[:5], CPU)).flatten(1).numpy()
    batches = list(encode(model, PIXELS[:5], batch_size=2, precision="float32", **RUN))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    np.testing.assert_allclose(np.concatenate(batches), expected, rtol=1e-4, atol=1e-5)


def test_a_saved_network_encodes_as_before(tmp_path: Path) -> None:
    model = Autoencoder(latent=128)
    model(to_tensor(PIXELS[:4], CPU))  # so that the batch norms have statistics
    save_autoencoder(model, tmp_path / "weights.safetensors")
    loaded = load_autoencoder(tmp_path / "weights.safetensors")
    assert loaded.latent == 128
    assert weights(loaded) == weights(model)


@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_a_file_that_is_no_autoencoder_is_refused_with_a_remedy(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="delete it"):
        load_autoencoder(file)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="128"):
        to_tensor(np.zeros((1, 224, 224, 3), dtype=np.uint8), CPU)


def test_pixels_reach_the_network_in_their_place_and_colour() -> None:
    tensor = to_tensor(PIXELS, CPU)
    assert tensor[3, 2, 10, 70] == pytest.approx(PIXELS[3, 10, 70, 2] / 255)


def test_a_reconstruction_is_the_networks_output_as_pixels() -> None:
    model = Autoencoder(latent=64).eval()
    with torch.no_grad():
        output = model(to_tensor(PIXELS[:2], CPU)).clamp(0, 1).permute(0, 2, 3, 1).numpy() * 255
    np.testing.assert_allclose(reconstruct(model, PIXELS[:2], **RUN), output, atol=0.51)


def test_the_mean_image_and_its_error_are_numpys() -> None:
    colours = PIXELS / 255
    np.testing.assert_allclose(mean_image(PIXELS), colours.mean(axis=0))
    assert mean_image_error(PIXELS) == pytest.approx(colours.var(axis=0).mean())


def test_the_error_is_over_all_images_though_the_last_batch_is_short() -> None:
    model = Autoencoder(latent=64).eval()
    errors = [reconstruction_error(model, PIXELS[:5], batch_size=size, **RUN) for size in (2, 5)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-5)

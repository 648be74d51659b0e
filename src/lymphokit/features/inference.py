"""A backbone that is no longer trained, made to compute the same features faster."""

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lymphokit.features.backbone import Backbone
from lymphokit.features.compute import resolve_precision

_TOLERANCE = 1e-3  # of a network's output with batch norm folded, relative to its largest value
_TRIAL_PX = 96  # of images that a network of any size is tried on; Inception needs 75


def for_inference(backbone: Backbone, precision: str) -> Backbone:
    """A copy of a backbone that computes the same features faster.

    Batch norm is folded into the convolution before it, and weights are stored channels last, in
    this precision. Features of a copy in float32 differ by rounding alone.
    """
    network = folded(backbone.network, backbone.size or _TRIAL_PX)
    chosen = resolve_precision(precision)
    network = network.to(getattr(torch, chosen))
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return replace(backbone, network=network, precision=chosen)


def folded(network: nn.Module, side: int) -> nn.Module:
    """A copy of a network in evaluation mode, each batch norm folded into its convolution.

    side: of the images in pixels that it is tried on. Whatever reads a convolution besides its
    batch norm would see other values, which the output shows: the copy is then as the network.
    """
    copied = copy.deepcopy(network)
    images = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    pairs = _norms_of_convolutions(copied, images)
    if not pairs:
        return copied
    for convolution, norm in pairs:
        _fold(copied, convolution, norm)
    with torch.inference_mode():
        expected, found = network(images), copied(images)
    if (found - expected).abs().max() > _TOLERANCE * expected.abs().max():
        return copy.deepcopy(network)
    return copied


class _Trial:
    """Records which batch norm takes the output of which convolution while a network computes."""

    def __init__(self) -> None:
        self.pairs: list[tuple[nn.Module, nn.Module]] = []
        self._made: dict[int, tuple[nn.Module, Tensor]] = {}  # by the identity of the output

    def after_convolution(self, layer: nn.Module, _inputs: object, output: Tensor) -> None:
        self._made[id(output)] = layer, output  # kept, so that no other has its identity

    def before_norm(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if id(inputs[0]) in self._made:
            self.pairs.append((self._made[id(inputs[0])][0], layer))


def _norms_of_convolutions(network: nn.Module, images: Tensor) -> list[tuple[str, str]]:
    """The names of convolutions and of the batch norms that take their output, by a trial."""
    trial, hooks = _Trial(), []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(trial.after_convolution))
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            hooks.append(module.register_forward_pre_hook(trial.before_norm))
    with torch.inference_mode():
        network(images)
    for hook in hooks:
        hook.remove()
    names = {module: name for name, module in network.named_modules()}
    return [(names[convolution], names[norm]) for convolution, norm in trial.pairs]


def _fold(network: nn.Module, convolution: str, norm: str) -> None:
    """Fold a batch norm into a convolution, in place; what timm's norms do next remains."""
    layer, after = network.get_submodule(convolution), network.get_submodule(norm)
    network.set_submodule(convolution, fuse_conv_bn_eval(layer, after))  # type: ignore[type-var, arg-type]
    rest = [getattr(after, name) for name in ("drop", "act") if hasattr(after, name)]
    network.set_submodule(norm, nn.Sequential(*rest))

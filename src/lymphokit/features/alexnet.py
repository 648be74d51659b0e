"""AlexNet, which timm lacks, registered with timm: importing this module makes it available."""

from typing import Any

from torch import nn

from lymphokit.features.torchvision_ops import declare_missing_operators

declare_missing_operators()  # before torchvision, which timm imports too

import torchvision  # noqa: E402
from timm.models import (  # noqa: E402
    build_model_with_cfg,
    generate_default_cfgs,
    register_model,
)

_CHANNELS, _WIDTH = 3, 4096
_WEIGHTS = torchvision.models.AlexNet_Weights.IMAGENET1K_V1

default_cfgs = generate_default_cfgs(  # timm looks for this name in the module
    {
        "alexnet.tv_in1k": {
            "url": _WEIGHTS.url,
            "input_size": (_CHANNELS, 224, 224),
            "min_input_size": (_CHANNELS, *_WEIGHTS.meta["min_size"]),
            "interpolation": "bilinear",
            "num_classes": len(_WEIGHTS.meta["categories"]),
            "first_conv": "features.0",
            "classifier": "classifier.6",
            "license": "bsd-3-clause",
        }
    }
)


@register_model
def alexnet(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """AlexNet of torchvision as `timm.create_model("alexnet", ...)` gives it.

    Images (n, 3, h, w) of at least 63 x 63, normalised by ImageNet's mean and deviation. Without
    classes it gives its 4096 penultimate features, after their ReLU. pretrained: torchvision's
    weights of ImageNet, from its URL or torch's cache. Dropout of a half in the two wide layers,
    as in torchvision.
    Source: report 4.3, which tries it; Krizhevsky 2014.
    """
    network: nn.Module = build_model_with_cfg(_without_weights, "alexnet", pretrained, **kwargs)
    return network


def _without_weights(num_classes: int, in_chans: int) -> nn.Module:
    """AlexNet with random weights; num_classes 0: without a classifier."""
    if in_chans != _CHANNELS:
        raise ValueError(f"alexnet takes RGB images, not {in_chans} channels")
    network: nn.Module = torchvision.models.AlexNet()
    last = nn.Linear(_WIDTH, num_classes) if num_classes else nn.Identity()
    network.get_submodule("classifier").register_module("6", last)
    return network

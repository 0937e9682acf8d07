"""A small convolutional network for flow images that knows where on the face it looks."""

from __future__ import annotations

import math
from typing import Any, cast

from torch import nn

SIDE = 14
"""Side of its input: the flow image, smoothed and halved (`recognisers.fleeting.inputs`)."""


def flow_net(
    *, classes: int = 3, filters: tuple[int, int] = (8, 16), dropout: tuple[float, float] = (0.2, 0.5)
) -> nn.Sequential:
    """Return an untrained network from (n, 3, 14, 14) float32 to logits (n, classes).

    Two convolutions of 3 x 3 with a mean over 2 x 2 between them; one linear map of all 7 x 7 places gives the classes,
    so that a movement of the brows counts other than the same movement of the mouth.

    Parameters
    ----------
    classes
        Number of classes.
    filters
        Filters of the two convolutions.
    dropout
        Share left out after each convolution, and before the linear map.
    """
    first, second = filters
    network = nn.Sequential(
        nn.Conv2d(3, first, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Dropout(dropout[0]),
        nn.Conv2d(first, second, 3, padding=1), nn.ReLU(), nn.Dropout(dropout[0]),
        nn.Flatten(), nn.Dropout(dropout[1]), nn.Linear(second * (SIDE // 2) ** 2, classes),
    )  # fmt: skip
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = cast(Any, layer.weight)[0].numel()
            # The last layer starts near zero: before any training all classes are alike.
            small = 1 / math.sqrt(20) if isinstance(layer, nn.Linear) else 1.0
            nn.init.normal_(layer.weight, std=small * math.sqrt(2 / fan_in))
            nn.init.zeros_(cast(Any, layer.bias))
    return network

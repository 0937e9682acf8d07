"""An exported network in a form that can be trained further.

In the exported file every batch normalisation is folded into the convolution before it. Without them a network trains
worse (Ioffe and Szegedy, "Batch normalization", ICML 2015), so they are put back such that nothing changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fleeting.errors import SettingsError
from fleeting.models.deep_emotion import DeepEmotion
from fleeting.models.expression_net import ExpressionNetwork
from fleeting.models.shipped_expression import normalised
from fleeting.training.pretrained_faces import Layer, put_layer


@torch.no_grad()
def unfold(
    exported: DeepEmotion | ExpressionNetwork,
    network: DeepEmotion | ExpressionNetwork,
    faces: Tensor,
    *,
    where: str,
) -> None:
    """Give a network with normalisations the weights of an exported one without, so that both answer the same.

    The second head of `ExpressionNetwork`, for the votes, is in no exported file: it begins as the first head.

    Parameters
    ----------
    exported
        In evaluation mode.
    network
        Of the same kind and size; in evaluation mode when done.
    faces
        (n, 1, 48, 48) standardised training pictures, a thousand or so: their normalisations begin as what these give.
    where
        Name of what was exported, for the message.

    Raises
    ------
    SettingsError
        Where kind or size differ.
    """
    mine, its = dict(network.named_modules()), dict(exported.named_modules())
    sizes = [
        {name: tuple(m.weight.shape) for name, m in modules.items() if isinstance(m, (nn.Conv2d, nn.Linear))}
        for modules in (mine, its)
    ]
    if sizes[0] != sizes[1]:
        raise SettingsError(
            f"a network of the size that is exported in {where}",
            "a recipe for another",
            "Give the recipe the same network, widths, blocks and stem.",
        )
    network.eval()
    norms = {f"{name}.{place}": sequence[place + 1] for name, sequence, place in normalised(network)}
    hooks = []
    for name in sizes[1]:
        if name in norms:
            hooks.append(its[name].register_forward_hook(_filling(mine[name], norms[name])))
        else:
            mine[name].load_state_dict(its[name].state_dict())
    exported.eval()(faces)
    for hook in hooks:
        hook.remove()
    if isinstance(network, ExpressionNetwork):
        network.votes.load_state_dict(network.labels.state_dict())


def _filling(conv: nn.Module, norm: nn.Module) -> Any:
    """Return a hook of an exported convolution that gives its weights to another and the normalisation behind it."""

    def fill(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(module, nn.Conv2d)
        assert module.bias is not None
        weight, bias = (values.detach().cpu().numpy() for values in (module.weight, module.bias))
        put_layer(conv, norm, Layer(weight, bias, np.ones_like(bias), np.zeros_like(bias)), inputs[0])

    return fill

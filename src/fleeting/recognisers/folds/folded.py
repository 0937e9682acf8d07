"""The same network for many folds at once: a fold is one more dimension of every weight.

`Folded` stacks the weights of one network per fold; `Folded.unfold` puts trained weights back.
Activations are (n, folds, ...); where they do not depend on the fold yet (the input), the second dimension is 1, so
that a first convolution is one convolution with the filters of all folds. What a layer computes for one fold is what
the layer of `torch.nn` computes for that fold's rows: batch norm counts only the rows that `Folded.forward` is told are
the fold's own. Dropout draws one mask per row for all folds, so that a fold's randomness does not depend on how many
others are trained beside it.

Known: `nn.Sequential`, `Streams`, `Channel`, `Conv2d`, `Linear`, `BatchNorm2d`, `ReLU`, `SiLU`, `MaxPool2d`,
`AvgPool2d`, `Dropout`, `Flatten`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting.errors import InputError
from fleeting.recognisers.folds.first_layer import FoldedFirstLayer, RowMask, folded_first_layer
from fleeting.recognisers.streams import Channel, Streams


class FoldedConv2d(nn.Module):
    """Convolution with the filters of every fold, (folds, out, in, k, k)."""

    def __init__(self, layers: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.weight, self.bias = stacked(layers, "weight"), stacked(layers, "bias")
        self.stride, self.padding = layers[0].stride, cast(Any, layers[0].padding)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, folds, out, h', w') of (n, folds or 1, in, h, w)."""
        n, seen = x.shape[:2]
        folds, out = self.weight.shape[:2]
        groups = 1 if seen == 1 else folds
        y = functional.conv2d(
            x.flatten(1, 2), self.weight.flatten(0, 1), self.bias.flatten(), self.stride, self.padding, groups=groups
        )
        return y.view(n, folds, out, *y.shape[2:])


class FoldedLinear(nn.Module):
    """Linear map of every fold, (folds, out, in)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight, self.bias = stacked(layers, "weight"), stacked(layers, "bias")

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, folds, out) of (n, folds or 1, in)."""
        by_fold = x.expand(-1, len(self.weight), -1).transpose(0, 1)
        return torch.baddbmm(self.bias[:, None], by_fold, self.weight.transpose(1, 2)).transpose(0, 1)


class FoldedBatchNorm2d(nn.Module):
    """Batch norm by the statistics of each fold's own rows."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, layers: Sequence[nn.BatchNorm2d], mask: RowMask) -> None:
        super().__init__()
        self.weight, self.bias = stacked(layers, "weight"), stacked(layers, "bias")
        self.register_buffer("running_mean", torch.stack([cast(Tensor, x.running_mean) for x in layers]))
        self.register_buffer("running_var", torch.stack([cast(Tensor, x.running_var) for x in layers]))
        self.eps, self.momentum, self.mask = layers[0].eps, float(layers[0].momentum or 0.0), mask

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, folds, c, h, w), normalised."""
        if not self.training:
            scale = self.weight * torch.rsqrt(self.running_var + self.eps)
            shift = self.bias - self.running_mean * scale
            return x * scale[:, :, None, None] + shift[:, :, None, None]
        own = self.mask.rows.T.to(x.dtype)[:, :, None]
        count = self.mask.count * x.shape[3] * x.shape[4]
        mean = (x.sum((3, 4)) * own).sum(0) / count
        centred = x - mean[:, :, None, None]
        variance = ((centred * centred).sum((3, 4)) * own).sum(0) / count
        self.mask.update(self, mean, variance, count)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale[:, :, None, None] + self.bias[:, :, None, None]


class FoldedDropout(nn.Module):
    """Dropout with one mask per row for all folds."""

    def __init__(self, share: float, mask: RowMask) -> None:
        super().__init__()
        self.share, self.mask = share, mask

    def forward(self, x: Tensor) -> Tensor:
        """Return x with a share of its values 0 and the others enlarged; x itself where not training."""
        if not self.training or self.share == 0:
            return x
        drawn = torch.rand((len(x), 1, *x.shape[2:]), generator=self.mask.generator, device=x.device)
        kept = drawn >= self.share
        return x * (kept.to(x.dtype) / (1 - self.share))


class PerFold(nn.Module):
    """A layer without weights: folds and rows, or folds and channels, count as one dimension to it."""

    def __init__(self, layer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, folds, c, h', w') of (n, folds, c, h, w)."""
        y = self.layer(x.flatten(1, 2))
        return y.view(x.shape[0], x.shape[1], -1, *y.shape[2:])


class FoldedStreams(nn.ModuleList):
    """Branches of every fold, joined along the channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, folds, sum of channels, h', w')."""
        return torch.cat([branch(x) for branch in self], 2)


class FoldedFlatten(nn.Module):
    """All values of a row and fold in one dimension."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, folds, values)."""
        return x.flatten(2)


class FoldedChannel(Channel):
    """Pick one channel of every fold."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, folds, 1, h, w)."""
        return x[:, :, self.index : self.index + 1]


class Folded(nn.Module):
    """Networks of many folds in one.

    Parameters
    ----------
    networks
        One per fold, alike but for their weights.
    generator
        Source of dropout, on the device on which the networks will be.
    """

    def __init__(self, networks: Sequence[nn.Module], *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.mask = RowMask(generator or torch.Generator())
        self.network = _fold(networks, self.mask, first=True)

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the outputs of all folds.

        Parameters
        ----------
        x
            (n, c, h, w), the rows of all folds.
        rows
            (folds, n) bool, which rows are a fold's own; needed while training, by batch norm. None for all.

        Returns
        -------
        (n, folds, outputs)
            Outputs of rows that are not a fold's own mean nothing while training.
        """
        self.mask.set(rows)
        y: Tensor = self.network(x[:, None])
        return y

    def unfold(self, networks: Sequence[nn.Module]) -> None:
        """Copy the weights and statistics of every fold into its network."""
        with torch.no_grad():
            _unfold(self.network, networks)


def stacked(layers: Sequence[nn.Module], name: str) -> nn.Parameter:
    """Weights of that name of all layers, stacked along a new first dimension."""
    return nn.Parameter(torch.stack([getattr(layer, name).detach() for layer in layers]))


def _fold(layers: Sequence[nn.Module], mask: RowMask, *, first: bool) -> nn.Module:
    layer = layers[0]
    if isinstance(layer, nn.Sequential):
        parts = [list(cast(nn.Sequential, x)) for x in layers]
        start: list[nn.Module] = []
        used = 0
        if first:
            fused = folded_first_layer(parts, mask)
            if fused is not None:
                start, used = [fused[0]], fused[1]
        rest = list(zip(*(p[used:] for p in parts), strict=True))
        return nn.Sequential(*start, *(_fold(x, mask, first=first and not used and i == 0) for i, x in enumerate(rest)))
    if isinstance(layer, Streams):
        merged = _merged(cast(Sequence[Streams], layers))
        if merged is not None:
            return _fold(merged, mask, first=first)
        return FoldedStreams([_fold(x, mask, first=first) for x in zip(*cast(Any, layers), strict=True)])
    if isinstance(layer, nn.Conv2d):
        return FoldedConv2d(cast(Sequence[nn.Conv2d], layers))
    if isinstance(layer, nn.Linear):
        return FoldedLinear(cast(Sequence[nn.Linear], layers))
    if isinstance(layer, nn.BatchNorm2d):
        return FoldedBatchNorm2d(cast(Sequence[nn.BatchNorm2d], layers), mask)
    if isinstance(layer, nn.Dropout):
        return FoldedDropout(layer.p, mask)
    return _without_weights(layer)


def _without_weights(layer: nn.Module) -> nn.Module:
    if isinstance(layer, nn.ReLU):
        return nn.ReLU()
    if isinstance(layer, nn.SiLU):
        return nn.SiLU()
    if isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
        return PerFold(layer)
    if isinstance(layer, nn.Flatten):
        return FoldedFlatten()
    if isinstance(layer, Channel):
        return FoldedChannel(layer.index)
    where = "a layer that can be folded (see fleeting.recognisers.folds.folded)"
    raise InputError(where, type(layer).__name__, "Add it there.")


_BY_CHANNEL = (nn.ReLU, nn.SiLU, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d, nn.Dropout)


def _merged(streams: Sequence[Streams]) -> list[nn.Sequential] | None:
    """One branch with the filters of all, where branches differ in their number of filters alone; else None.

    The branches' own networks stay as they are: `_unfold` knows the merged one by its joined channels.
    """
    branches = [list(b) if isinstance(b, nn.Sequential) else [] for b in streams[0]]
    one = branches[0]
    alike = (
        bool(one)
        and isinstance(one[0], nn.Conv2d)
        and all(isinstance(x, _BY_CHANNEL) for x in one[1:])
        and all(
            len(b) == len(one) and all(_settings(x) == _settings(y) for x, y in zip(b, one, strict=True))
            for b in branches
        )
    )
    return [_joined(s) for s in streams] if alike else None


def _settings(layer: nn.Module) -> tuple[str, str]:
    """Type and settings of a layer but its number of filters."""
    if isinstance(layer, nn.Conv2d):
        return "Conv2d", f"{layer.in_channels} {layer.kernel_size} {layer.stride} {layer.padding}"
    if isinstance(layer, nn.BatchNorm2d):
        return "BatchNorm2d", f"{layer.eps} {layer.momentum}"
    return type(layer).__name__, repr(layer)


def _joined(streams: Streams) -> nn.Sequential:
    parts: list[nn.Module] = []
    for layers in zip(*(list(cast(nn.Sequential, b)) for b in streams), strict=True):
        layer = layers[0]
        if isinstance(layer, nn.Conv2d):
            count = sum(x.out_channels for x in cast(Any, layers))
            kernel, stride, padding = (cast(Any, x) for x in (layer.kernel_size, layer.stride, layer.padding))
            joined: nn.Module = nn.Conv2d(layer.in_channels, count, kernel, stride, padding)
        elif isinstance(layer, nn.BatchNorm2d):
            joined = nn.BatchNorm2d(sum(x.num_features for x in cast(Any, layers)), layer.eps, layer.momentum)
        else:
            parts.append(layer)
            continue
        joined.to(layer.weight.dtype)
        with torch.no_grad():
            for name, value in _tensors(joined):
                value.copy_(torch.cat([dict(_tensors(x))[name] for x in layers]))
        parts.append(joined)
    return nn.Sequential(*parts)


def _tensors(layer: nn.Module) -> list[tuple[str, Tensor]]:
    """Weights and statistics that have one entry per channel."""
    return [(k, v) for k, v in layer.state_dict(keep_vars=True).items() if v.ndim > 0]


def _unfold(folded: nn.Module, layers: Sequence[nn.Module]) -> None:
    layer = layers[0]
    if isinstance(layer, Streams) and isinstance(folded, nn.Sequential):
        joined = [_joined(cast(Streams, x)) for x in layers]
        _unfold(folded, joined)
        for streams, one in zip(cast(Sequence[Streams], layers), joined, strict=True):
            _split(one, streams)
    elif isinstance(layer, nn.Sequential):
        parts, place = list(cast(nn.Sequential, folded)), 0
        for part in parts:
            if isinstance(part, FoldedFirstLayer):
                for i, name in ((0, "conv"), (2, "norm")):
                    _copy(part, [cast(Any, x)[i] for x in layers], prefix=f"{name}_")
                place += 4
            else:
                _unfold(part, [cast(Any, x)[place] for x in layers])
                place += 1
    elif isinstance(layer, Streams):
        for i, branch in enumerate(cast(nn.ModuleList, folded)):
            _unfold(branch, [cast(Any, x)[i] for x in layers])
    else:
        _copy(folded, layers)


def _copy(folded: nn.Module, layers: Sequence[nn.Module], *, prefix: str = "") -> None:
    values = folded.state_dict(keep_vars=True)
    for i, layer in enumerate(layers):
        for name, value in _tensors(layer):
            value.copy_(values[prefix + name][i])


def _split(one: nn.Sequential, streams: Streams) -> None:
    for layer, *own in zip(one, *cast(Any, streams), strict=True):
        for name, value in _tensors(layer):
            sizes = [len(dict(_tensors(x))[name]) for x in own]
            for part, target in zip(torch.split(value, sizes), own, strict=True):
                dict(_tensors(target))[name].copy_(part)

"""The first layer of many folds: convolution, ReLU, batch norm and maximum pooling of one shared input.

The feature maps of all folds are large (40 folds of STSTNet: 590 MB for 256 images) and are needed only for the batch
statistics and the maxima. So they are never kept: a few images at a time, small enough for the processor's cache, are
convolved with the filters of all folds, summed and pooled; the backward pass convolves them again (recomputation instead
of memory, as in Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost", 2016). Maxima are taken
before the normalisation, which keeps their order where its scale is positive and turns it where it is negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting.models.row_mask import RowMask


class FoldedFirstLayer(nn.Module):
    """Convolution, ReLU, batch norm and maximum pooling of every fold, on an input that all folds share.

    Parameters
    ----------
    layers
        The four layers of each fold.
    mask
        Which rows are a fold's own.
    """

    conv_weight: nn.Parameter
    conv_bias: nn.Parameter
    norm_weight: nn.Parameter
    norm_bias: nn.Parameter
    norm_running_mean: Tensor
    norm_running_var: Tensor

    def __init__(self, layers: Sequence[Sequence[nn.Module]], mask: RowMask) -> None:
        super().__init__()
        for place, kind in ((0, "conv"), (2, "norm")):
            for name in ("weight", "bias"):
                values = torch.stack([getattr(x[place], name).detach() for x in layers])
                setattr(self, f"{kind}_{name}", nn.Parameter(values))
        norms = [cast(nn.BatchNorm2d, x[2]) for x in layers]
        for name in ("running_mean", "running_var"):
            self.register_buffer(f"norm_{name}", torch.stack([getattr(x, name) for x in norms]))
        self.eps, self.momentum, self.mask = norms[0].eps, float(norms[0].momentum or 0.0), mask
        self.conv_padding = cast(Any, layers[0][0]).padding
        pool = cast(nn.MaxPool2d, layers[0][3])
        self.pool = (pool.kernel_size, pool.stride, pool.padding)

    @property
    def running_mean(self) -> Tensor:
        """Running mean (folds, c)."""
        return self.norm_running_mean

    @property
    def running_var(self) -> Tensor:
        """Running variance (folds, c)."""
        return self.norm_running_var

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, folds, c, h', w') of (n, 1, in, h, w)."""
        folds, channels = self.norm_weight.shape
        weight = self.conv_weight.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        sign = torch.where(self.norm_weight.detach().flatten() < 0, -1.0, 1.0)
        pooled, total, squares, pixels = _SharedConvReluPool.apply(
            x[:, 0], weight, self.conv_bias.flatten(), sign, self.conv_padding, self.pool
        )
        pooled = pooled.view(len(x), folds, channels, *pooled.shape[2:])
        if self.training:
            own = self.mask.rows.T.to(x.dtype)[:, :, None]
            count = self.mask.count * pixels
            # In double precision, so that E[x^2] - E[x]^2 keeps its digits; the tensors are small by now.
            mean64 = (total.view(len(x), folds, channels).double() * own).sum(0) / count
            square64 = (squares.view(len(x), folds, channels).double() * own).sum(0) / count
            variance = (square64 - mean64 * mean64).clamp(min=0).to(x.dtype)
            mean = mean64.to(x.dtype)
            self.mask.update(self, mean.detach(), variance.detach(), count)
        else:
            mean, variance = self.norm_running_mean, self.norm_running_var
        scale = self.norm_weight * torch.rsqrt(variance + self.eps)
        shift = self.norm_bias - mean * scale
        return pooled * scale[:, :, None, None] + shift[:, :, None, None]


def folded_first_layer(parts: Sequence[Sequence[nn.Module]], mask: RowMask) -> tuple[FoldedFirstLayer, int] | None:
    """Return the fused layer and how many layers it stands for, where the networks begin with the four in this order."""
    kinds = (nn.Conv2d, nn.ReLU, nn.BatchNorm2d, nn.MaxPool2d)
    one = parts[0]
    if len(one) < 4 or not all(isinstance(x, k) for x, k in zip(one, kinds, strict=False)):
        return None
    conv = cast(nn.Conv2d, one[0])
    if conv.stride != (1, 1) or conv.groups != 1 or conv.bias is None:
        return None
    return FoldedFirstLayer([p[:4] for p in parts], mask), 4


def _block(x: Tensor, channels: int) -> int:
    """Images at a time: about a megabyte of feature maps on a processor, a gigabyte on a GPU."""
    if x.device.type != "cpu":
        return max(1, 2**28 // (channels * x.shape[2] * x.shape[3]))
    return max(1, 2**18 // (channels * x.shape[2] * x.shape[3]))


class _SharedConvReluPool(torch.autograd.Function):
    """Convolution and ReLU, of which only pooled maxima and the sums of values and squares of every image are kept."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, sign: Tensor, padding: Any, pool: Any
    ) -> tuple[Tensor, Tensor, Tensor, int]:
        x = x.contiguous(memory_format=torch.channels_last)
        pooled, places, total, squares = [], [], [], []
        turned = bool((sign < 0).any())
        for part in x.split(_block(x, len(weight))):
            maps = torch.relu_(functional.conv2d(part, weight, bias, padding=padding))
            total.append(maps.sum((2, 3)))
            squares.append((maps * maps).sum((2, 3)))
            if turned:
                maps *= sign[:, None, None]
            best, place = functional.max_pool2d(maps, *pool, return_indices=True)
            pooled.append(best * sign[:, None, None] if turned else best)
            places.append(place.to(torch.int32))
        ctx.save_for_backward(x, weight, bias, torch.cat(places))
        ctx.padding = padding
        kernel, stride, margin = ([p, p] if isinstance(p, int) else list(p) for p in pool)
        ctx.pool = (kernel, stride, margin, [1, 1], False)
        height, width = maps.shape[2:]
        sums, sums2 = torch.cat(total), torch.cat(squares)
        return torch.cat(pooled), sums, sums2, height * width

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, Tensor, Tensor, None, None, None]:
        g_pooled, g_total, g_squares = gradients[:3]
        x, weight, bias, places = ctx.saved_tensors
        g_weight, g_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        block = _block(x, len(weight))
        for i in range(0, len(x), block):
            part, near = x[i : i + block], slice(i, i + block)
            maps = torch.relu_(functional.conv2d(part, weight, bias, padding=ctx.padding))
            # d/dmaps of the maxima, then of the sums and of the sums of squares.
            g = torch.ops.aten.max_pool2d_with_indices_backward(
                g_pooled[near].contiguous(memory_format=torch.channels_last), maps, *ctx.pool, places[near].long()
            )
            g += g_total[near, :, None, None]
            g.addcmul_(maps, g_squares[near, :, None, None], value=2)
            g = torch.ops.aten.threshold_backward(g, maps, 0)
            _, part_weight, part_bias = torch.ops.aten.convolution_backward(
                g, part, weight, [len(bias)], [1, 1], list(ctx.padding), [1, 1], False, [0, 0], 1, [False, True, True]
            )
            g_weight += part_weight
            g_bias += part_bias
        return None, g_weight, g_bias, None, None, None

"""The first layer of many folds: convolution, ReLU, batch norm and maximum pooling of one shared input.

The feature maps of all folds are large (40 folds of STSTNet: 590 MB for 256 images) and are needed only for batch
statistics and maxima. So they are never kept: a few images at a time, small enough for the processor's cache, are
convolved with the filters of all folds, summed and pooled; the backward pass convolves them again (recomputation
instead of memory, as in Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost", 2016). Maxima are
taken before the normalisation, which keeps their order where its scale is positive and turns it where it is negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


class RowMask:
    """The rows of the batch at hand, and the source of chance that all folds share.

    Parameters
    ----------
    generator
        Source of dropout.

    Attributes
    ----------
    rows
        (folds, n) bool.
    count
        (folds, 1) float32, how many rows are a fold's own, at least 1 so that a fold without any divides by 1.
    """

    rows: Tensor
    count: Tensor

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def set(self, rows: Tensor | None) -> None:
        """Take the rows of the next batch; None where nothing will ask for them."""
        if rows is not None:
            self.rows, self.count = rows, rows.sum(1, keepdim=True).clamp(min=1).to(torch.float32)

    def update(self, layer: Any, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move a layer's running statistics as `torch.nn.BatchNorm2d` does; a fold without rows keeps its own.

        Parameters
        ----------
        layer
            Has ``running_mean``, ``running_var`` (folds, c) and ``momentum``.
        mean, variance
            (folds, c) of the batch; the variance divided by n.
        count
            (folds, 1) values that were averaged.
        """
        with torch.no_grad():
            step = layer.momentum * self.rows.any(1)[:, None].to(mean.dtype)
            unbiased = variance * (count / (count - 1).clamp(min=1))
            layer.running_mean.add_(step * (mean - layer.running_mean))
            layer.running_var.add_(step * (unbiased - layer.running_var))


class FoldedFirstLayer(nn.Module):
    """Convolution, ReLU, batch norm and maximum pooling of every fold, on an input that all folds share."""

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
        weight = self.conv_weight.flatten(0, 1)
        sign = torch.where(self.norm_weight.detach().flatten() < 0, -1.0, 1.0)
        pooled, total, squares, pixels = _SharedConvReluPool.apply(  # type: ignore[no-untyped-call]
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
        return torch.addcmul(shift[:, :, None, None], pooled, scale[:, :, None, None])


def folded_first_layer(parts: Sequence[Sequence[nn.Module]], mask: RowMask) -> tuple[nn.Module, int] | None:
    """Return the fused layer and how many layers it stands for; None where the networks do not begin with those."""
    kinds = (nn.Conv2d, nn.ReLU, nn.BatchNorm2d, nn.MaxPool2d)
    one = parts[0]
    if len(one) < 4 or not all(isinstance(x, k) for x, k in zip(one, kinds, strict=False)):
        return None
    conv = cast(nn.Conv2d, one[0])
    if conv.stride != (1, 1) or conv.groups != 1 or conv.bias is None:
        return None
    return FoldedFirstLayer([p[:4] for p in parts], mask), 4


def _block(x: Tensor, channels: int) -> int:
    """Images at a time: about two megabytes of feature maps on a processor, a gigabyte on a GPU."""
    limit = 2**19 if x.device.type == "cpu" else 2**28
    return max(1, limit // (channels * x.shape[2] * x.shape[3]))


class _Maps:
    """Feature maps after the ReLU of a few images at a time, in one piece of memory that is used again and again.

    A convolution with few input channels and the filters of all folds is a product of (pixels, in * k * k) patches and
    (in * k * k, filters); the result lies as channels last, where pooling runs over neighbours in memory.
    """

    def __init__(self, x: Tensor, weight: Tensor, bias: Tensor, padding: tuple[int, int]) -> None:
        self.shape = weight.shape
        self.filters, _, *kernel = weight.shape
        self.height, self.width = (s + 2 * p - k + 1 for s, p, k in zip(x.shape[2:], padding, kernel, strict=True))
        self.patches = _patches(x, kernel, padding)
        self.matrix, self.bias = functional.pad(weight.flatten(1), (0, 1)).T.contiguous(), bias
        self.block = _block(x, self.filters)
        self.memory = [x.new_empty(self.block * self.pixels, self.filters) for _ in range(2)]

    @property
    def pixels(self) -> int:
        """Pixels of one map."""
        return self.height * self.width

    def of(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Return the maps of images first to last, and a second piece of memory as large; both (pixels, filters)."""
        part = self.patches[first * self.pixels : last * self.pixels]
        maps, spare = (m[: len(part)] for m in self.memory)
        torch.ops.aten._addmm_activation.out(self.bias, part, self.matrix, use_gelu=False, out=maps)  # with a ReLU
        return maps, spare

    def as_images(self, maps: Tensor) -> Tensor:
        """Return (pixels, filters) as images (n, filters, h, w), channels last, without a copy."""
        return maps.view(-1, self.height, self.width, self.filters).permute(0, 3, 1, 2)


def _patches(x: Tensor, kernel: Sequence[int], padding: tuple[int, int]) -> Tensor:
    """Return (n * pixels, in * k * k + 1), what the filters see at every pixel: a few megabytes, shared by all folds.

    The last column, all ones, gives the gradient of the bias; the forward pass multiplies it by 0.
    """
    padded = functional.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    windows = padded.unfold(2, kernel[0], 1).unfold(3, kernel[1], 1).permute(0, 2, 3, 1, 4, 5)
    patches = x.new_empty(*windows.shape[:3], x.shape[1] * kernel[0] * kernel[1] + 1)
    torch.unflatten(patches[..., :-1], -1, windows.shape[3:]).copy_(windows)
    patches[..., -1] = 1
    return patches.flatten(0, 2)


class _SharedConvReluPool(torch.autograd.Function):
    """Convolution and ReLU, of which only pooled maxima and the sums of values and squares of every image are kept."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, sign: Tensor, padding: Any, pool: Any
    ) -> tuple[Tensor, Tensor, Tensor, int]:
        source = _Maps(x, weight, bias, padding)
        n, count = len(x), source.filters
        total, squares = x.new_empty(n, count), x.new_empty(n, count)
        turned = bool((sign < 0).any())
        places: list[Tensor] = []
        pooled = x.new_empty(0)
        for first in range(0, n, source.block):
            last = min(n, first + source.block)
            maps, spare = source.of(first, last)
            _sums(maps.view(last - first, -1, count), spare, total[first:last], squares[first:last])
            if turned:
                maps *= sign
            best, place = functional.max_pool2d(source.as_images(maps), *pool, return_indices=True)
            if not places:  # channels before pixels, as all later layers expect it
                pooled = x.new_empty(n, *best.shape[1:])
            pooled[first:last] = best * sign[:, None, None] if turned else best
            places.append(place)
        # Nothing of it asks for a gradient; kept as it is, so that the patches are not made again.
        ctx.source, ctx.places = source, places
        ctx.pool = (*([p, p] if isinstance(p, int) else list(p) for p in pool), [1, 1], False)
        return pooled, total, squares, source.pixels

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, Tensor, Tensor, None, None, None]:
        g_pooled, g_total, g_squares = gradients[:3]
        source: _Maps = ctx.source
        g_matrix = torch.zeros_like(source.matrix)
        doubled = 2 * g_squares
        for place, first in zip(ctx.places, range(0, len(g_pooled), source.block), strict=True):
            last = first + len(place)
            maps, g = source.of(first, last)
            # d/dmaps of the maxima, then of the sums and of the sums of squares.
            torch.ops.aten.max_pool2d_with_indices_backward.grad_input(
                g_pooled[first:last].contiguous(memory_format=torch.channels_last), source.as_images(maps), *ctx.pool,
                place, grad_input=source.as_images(g),
            )  # fmt: skip
            by_image = (last - first, -1, source.filters)
            _add_gradient_of_sums(
                g.view(by_image), maps.view(by_image), g_total[first:last, None], doubled[first:last, None]
            )
            g_matrix.addmm_(source.patches[first * source.pixels : last * source.pixels].T, g)
        return None, g_matrix[:-1].T.reshape(source.shape), g_matrix[-1], None, None, None


def _sums(maps: Tensor, spare: Tensor, total: Tensor, squares: Tensor) -> None:
    """Sum (n, pixels, filters) and its squares over the pixels, into (n, filters)."""
    torch.sum(maps, 1, out=total)
    torch.mul(maps, maps, out=spare.view_as(maps))
    torch.sum(spare.view_as(maps), 1, out=squares)


def _add_gradient_of_sums(g: Tensor, maps: Tensor, of_total: Tensor, of_squares: Tensor) -> None:
    """Add d/dmaps of both sums to g, and let nothing through where the ReLU was 0; all in place of g."""
    g.addcmul_(maps, of_squares).add_(of_total)
    torch.ops.aten.threshold_backward.grad_input(g, maps, 0, grad_input=g)

"""The fused flow network: dense flow between two pictures of a face, from hundredths of a pixel to eight pixels.

Two branches and a fusion, after Ilg et al., "FlowNet 2.0: evolution of optical flow estimation with deep networks",
CVPR 2017 (section 4: a network for ordinary and one for small displacements, and a fusion network that sees both flows,
their magnitudes and brightness errors); the fused network of Li et al., "Deep convolutional neural network with optical
flow for facial micro-expression recognition", J. Circuits, Systems and Computers 29(1), 2050006, 2019.

Deviations and readings
- The paper does not print its network. Here everything works on grey crops of faces and is small enough for one core.
- `SmallBranch` compares at full resolution, by what brightness constancy says about tenths of a pixel: products of
  derivatives of learned filters, as in Lucas and Kanade, "An iterative image registration technique", IJCAI 1981. The
  least-squares steps over windows of several sizes are computed, not learned; the network learns the filters, whom of
  the windows to believe where, and what to add. Such steps are linear in the movement, however small it is.
- `OrdinaryBranch` makes the same comparison, with weights of its own, on pictures at a quarter, then at a half of the
  resolution, where eight pixels are two; what it finds warps the second picture before `SmallBranch` looks at it: the
  stacking of FlowNet 2.0 (section 3.2) on a pyramid, as in Ranjan and Black, "Optical flow estimation using a spatial
  pyramid network", CVPR 2017.
- Warped pictures are given to the network as they are: no gradient runs through a warp.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MULTIPLE = 32
"""Height and width of the pictures must be multiples of this."""

LEVELS = (4, 2)
"""How many times smaller the pictures of the ordinary branch are, in order."""

CELL = 4
"""Pixels of a compared picture along each side of a cell of the branches' flows."""

FILTERS = 4
MOST_STEP = 4.0
"""Largest step in pixels that a least-squares solution may propose."""


def convolution(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution and a rectifier."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.ReLU())


def head(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a last convolution, whose answer begins near 0."""
    layer = nn.Conv2d(inputs, outputs, 3, 1, 1)
    nn.init.normal_(layer.weight, std=1e-3)
    nn.init.zeros_(torch.as_tensor(layer.bias))
    return layer


def larger(flow: Tensor, factor: int) -> Tensor:
    """Bilinear enlargement; lengths stay as they are."""
    return F.interpolate(flow, scale_factor=float(factor), mode="bilinear", align_corners=False)


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """Second picture (n, 1, h, w) as the first one would see it: at x + flow(x), by cubic interpolation."""
    height, width = picture.shape[-2:]
    y = torch.arange(height, dtype=flow.dtype, device=flow.device)[:, None] + flow[:, 1]
    x = torch.arange(width, dtype=flow.dtype, device=flow.device)[None, :] + flow[:, 0]
    at = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
    return F.grid_sample(picture, at, mode="bicubic", padding_mode="border", align_corners=False)


def window(values: Tensor, size: int) -> Tensor:
    """Mean over a square window around each cell, over what of it lies in the picture."""
    return F.avg_pool2d(values, size, 1, size // 2, count_include_pad=False)


def step(equations: Tensor, floor: Tensor) -> Tensor:
    """Solve (A + floor I) d = r in every cell.

    Parameters
    ----------
    equations
        (..., 5, h, w): A's entries xx, xy, yy, then r.
    floor
        Broadcastable, positive.

    Returns
    -------
    (..., 2, h, w), each entry cut off at `MOST_STEP`.
    """
    xx, xy, yy, rx, ry = torch.split(equations, 1, -3)
    xx, yy = xx + floor, yy + floor
    found = torch.cat([yy * rx - xy * ry, xx * ry - xy * rx], -3) / (xx * yy - xy * xy)
    return torch.clamp(found, -MOST_STEP, MOST_STEP)


def unexplained(equations: Tensor, flow: Tensor) -> Tensor:
    """Right sides r - A flow (n, 2, h, w): what of the change in brightness a flow does not explain.

    Parameters
    ----------
    equations
        (n, 5, h, w), as for `step`.
    flow
        (n, 2, h, w).
    """
    return equations[:, 3:] - equations[:, 0:2] * flow[:, 0:1] - equations[:, 1:3] * flow[:, 1:2]


class Refinement(nn.Module):
    """One step of a flow towards what explains the change in brightness, over several windows at once."""

    def __init__(self, hidden: int, windows: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.windows = windows
        last = head(width, len(windows) + 3)
        with torch.no_grad():
            torch.as_tensor(last.bias)[: len(windows)] = 1.0 / len(windows)
        self.mix = nn.Sequential(convolution(hidden + 2 * len(windows) + 2, width), last)

    def forward(self, hidden: Tensor, equations: Tensor, floor: Tensor, flow: Tensor) -> Tensor:
        """Return the next flow (n, 2, h, w)."""
        rest = torch.cat([equations[:, :3], unexplained(equations, flow)], 1)
        # All windows in one: many small operations take longer than a few large ones.
        steps = step(torch.stack([window(rest, size) for size in self.windows], 1), floor[:, None])
        mixed = self.mix(torch.cat([hidden, steps.flatten(1, 2), flow], 1))
        count = len(self.windows)
        flow = flow + (mixed[:, :count, None] * steps).sum(1)
        smooth = window(flow, 3)
        result: Tensor = flow + torch.sigmoid(mixed[:, count : count + 1]) * (smooth - flow) + mixed[:, count + 1 :]
        return result


class Comparison(NamedTuple):
    """What `SmallBranch` found: in pixels of the pictures.

    Attributes
    ----------
    flow
        (n, 2, h / 4, w / 4).
    hidden
        (n, 32, h / 4, w / 4): what was seen.
    equations
        (n, 5, h / 2, w / 2): brightness constancy, A flow = r, as for `step`.
    floor
        (n, 1, 1, 1), for `step`.
    """

    flow: Tensor
    hidden: Tensor
    equations: Tensor
    floor: Tensor


class SmallBranch(nn.Module):
    """Flow of up to about 1.5 pixels; the first comparison has no stride.

    Parameters
    ----------
    filters
        Learned filters of the pictures; each gives an equation of brightness constancy at every pixel.
    """

    def __init__(self, *, filters: int = FILTERS) -> None:
        super().__init__()
        self.filters = filters
        self.kernels = nn.Parameter(_first_kernels(filters))
        self.trust = nn.Parameter(torch.zeros(filters))
        self.floors = nn.Parameter(torch.full((2,), -5.0))
        self.bank: Tensor
        self.register_buffer("bank", torch.zeros(4 * filters, 2, 7, 7), persistent=False)
        self.fine = convolution(7 * filters + 4, 32, stride=2)
        self.middle = convolution(32, 32)
        self.coarse = nn.Sequential(convolution(32, 48, stride=2), convolution(48, 48), convolution(48, 48))
        self.joined = nn.Sequential(convolution(32 + 48, 32, kernel=1), convolution(32, 32))
        self.refine = nn.ModuleList([Refinement(32, windows, 16) for windows in ((3, 7, 15), (3, 7))])

    def train(self, mode: bool = True) -> SmallBranch:
        """Switch between training and use; in use the filters' slopes are computed once."""
        super().train(mode)
        if not mode:
            self.bank.copy_(self._bank().detach())
        return self

    def _bank(self) -> Tensor:
        """Kernels (4 filters, 2, 7, 7): of the mean picture the filters and their slopes, of the change the filters."""
        smooth = F.pad(self.kernels, (1, 1, 1, 1))
        # A convolution here is a correlation: this kernel, moved to the right, is the picture's slope to the right.
        across = (F.pad(self.kernels, (2, 0, 1, 1)) - F.pad(self.kernels, (0, 2, 1, 1))) / 2
        down = (F.pad(self.kernels, (1, 1, 2, 0)) - F.pad(self.kernels, (1, 1, 0, 2))) / 2
        of_mean = torch.cat([smooth, across, down])
        nothing = torch.zeros_like(of_mean)
        return torch.cat([torch.cat([of_mean, nothing], 1), torch.cat([nothing[: self.filters], smooth], 1)])

    def forward(self, first: Tensor, second: Tensor) -> Comparison:
        """Compare two pictures (n, 1, h, w) of mean 0 and contrast 1."""
        products = self._products(first, second)
        trust = F.softplus(self.trust)[None, None, :, None, None]
        n, _, height, width = products.shape
        together = (products.view(n, 7, self.filters, height, width) * trust).sum(2)
        equations = torch.cat([together[:, :3], -together[:, 3:5]], 1)
        wide = window(equations, 9)
        energy = wide[:, 0:1] + wide[:, 2:3]
        level = (energy.mean((2, 3), keepdim=True) + 1e-6) * 0.5
        floors = F.softplus(self.floors)
        floor, coarse_floor = floors[0] * level, floors[1] * level
        guess = step(wide, floor)
        known = torch.log(torch.cat([energy, together[:, 5:6]], 1) / level + 1e-3)
        fine = self.fine(torch.cat([products / (energy + 0.1 * level), known, guess], 1))
        middle = self.middle(fine)
        coarse = F.interpolate(self.coarse(middle), scale_factor=2.0, mode="nearest")
        hidden = self.joined(torch.cat([middle, coarse], 1))
        pooled = F.avg_pool2d(equations, 2)
        flow = torch.zeros_like(pooled[:, :2])
        for refine in self.refine:
            flow = refine(hidden, pooled, coarse_floor, flow)
        return Comparison(flow, hidden, equations, floor)

    def _products(self, first: Tensor, second: Tensor) -> Tensor:
        """Means (n, 7 filters, h / 2, w / 2) of the products of derivatives over two by two pixels."""
        bank = self._bank() if self.training else self.bank
        both = F.pad(torch.cat([(first + second) / 2, second - first], 1), (3, 3, 3, 3), mode="replicate")
        f, x, y, t = torch.split(F.conv2d(both, bank), self.filters, 1)
        products = (x * x, x * y, y * y, x * t, y * t, t * t, f * t)
        return torch.cat([F.avg_pool2d(product, 2) for product in products], 1)


def _first_kernels(filters: int) -> Tensor:
    """Blurs (filters, 1, 5, 5) of growing width; every other one without its mean, so that it sees no gain of light."""
    at = torch.arange(5, dtype=torch.float32) - 2
    kernels = []
    for k in range(filters):
        line = torch.exp(-(at**2) / (2 * (0.6 + 0.2 * k) ** 2))
        blur = torch.outer(line, line)
        blur = blur / blur.sum()
        if k % 2:
            wide = torch.exp(-(at**2) / (2 * 2.5**2))
            flat = torch.outer(wide, wide)
            blur = blur - flat / flat.sum()
        kernels.append(blur)
    return torch.stack(kernels)[:, None]


class OrdinaryBranch(nn.Module):
    """Flow of up to about eight pixels: the same comparison on pictures made smaller, each step warped by the last."""

    def __init__(self) -> None:
        super().__init__()
        self.compare = SmallBranch()

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, ...]:
        """Compare two pictures (n, 1, h, w) of mean 0 and contrast 1.

        Returns
        -------
        tuple
            For each of `LEVELS` the flow so far, (n, 2, h / 4 level, w / 4 level), in pixels of the pictures.
        """
        flows: list[Tensor] = []
        for level in LEVELS:
            small_first, small_second = F.avg_pool2d(first, level), F.avg_pool2d(second, level)
            if not flows:
                flows.append(self.compare(small_first, small_second).flow * level)
                continue
            # No gradient runs through a warp: each step is taught by its own error.
            passed = larger(flows[-1].detach(), LEVELS[0] // level)
            found = self.compare(small_first, warp(small_second, larger(passed, CELL) / level))
            flows.append(passed + found.flow * level)
        return tuple(flows)


class Fusion(nn.Module):
    """From both flows, their magnitudes and brightness errors to one flow."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = convolution(2 * 32 + 10, 32, kernel=1)
        self.middle = nn.Sequential(convolution(32, 32), convolution(32, 32))
        self.share = head(32, 1 + 2)
        self.down = convolution(32, 16, kernel=1)
        self.refine = Refinement(16, (3, 9), 16)
        self.out = nn.Sequential(convolution(16 + 2 + 2, 16), head(16, 8))

    def forward(
        self, flows: tuple[Tensor, Tensor], errors: tuple[Tensor, Tensor], found: tuple[Comparison, Comparison]
    ) -> tuple[Tensor, Tensor]:
        """Fuse.

        Parameters
        ----------
        flows
            Two (n, 2, h / 4, w / 4): of the ordinary and of the small branch.
        errors
            Two (n, 1, h / 4, w / 4): difference in brightness that each of them leaves.
        found
            By which the flows were found; that of the ordinary branch on the warped picture.

        Returns
        -------
        quarter
            (n, 2, h / 4, w / 4) flow in pixels.
        full
            (n, 2, h, w), the same refined.
        """
        ordinary, small = flows
        warped, plain = found
        apart = ordinary - small
        lengths = [torch.sqrt((f * f).sum(1, keepdim=True) + 1e-8) for f in flows]
        hidden = self.middle(
            self.seen(torch.cat([ordinary, small, *lengths, *errors, apart, warped.hidden, plain.hidden], 1))
        )
        choice = self.share(hidden)
        share = torch.sigmoid(choice[:, 0:1])
        quarter = small + share * apart + choice[:, 1:3]
        # The equations of the warped picture speak of what is left after the warp: of flow minus its coarse part.
        passed = larger(ordinary - warped.flow, 2)
        weight = larger(share, 2)
        back = torch.cat([warped.equations[:, :3], unexplained(warped.equations, -passed)], 1)
        equations = plain.equations + weight * (back - plain.equations)
        features = larger(self.down(hidden), 2)
        half = self.refine(features, equations, plain.floor, larger(quarter, 2))
        energy = window(equations[:, 0:1] + equations[:, 2:3], 9)
        rest = unexplained(equations, half) / (energy + plain.floor)
        return quarter, larger(half, 2) + F.pixel_shuffle(self.out(torch.cat([features, half, rest], 1)), 2)


class MicroFlowNetwork(nn.Module):
    """Flow from a first picture to a second one, (n, 1, h, w) each in 0..255; sides are multiples of `MULTIPLE`."""

    def __init__(self) -> None:
        super().__init__()
        self.ordinary, self.small, self.fusion = OrdinaryBranch(), SmallBranch(), Fusion()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the flow (n, 2, h, w) in pixels: u, then v."""
        return self.stages(first, second)[-1]

    def stages(self, first: Tensor, second: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor, Tensor, Tensor]:
        """All flows, in pixels of the pictures.

        Returns
        -------
        coarse
            Of `OrdinaryBranch`.
        ordinary, small, quarter
            (n, 2, h / 4, w / 4): of the ordinary branch after its last warp, of the small one, and fused.
        flow
            (n, 2, h, w).
        """
        first, second = normalised(first), normalised(second)
        coarse = self.ordinary(first, second)
        passed = larger(coarse[-1].detach(), LEVELS[-1])
        warped = self.small(first, warp(second, larger(passed, CELL)))
        plain = self.small(first, second)
        ordinary = passed + warped.flow
        halves = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
        errors = brightness_error(*halves, ordinary.detach()), brightness_error(*halves, plain.flow.detach())
        quarter, flow = self.fusion((ordinary, plain.flow), errors, (warped, plain))
        return coarse, ordinary, plain.flow, quarter, flow


def normalised(picture: Tensor) -> Tensor:
    """Picture with mean 0 and standard deviation 1; a lamp's gain and offset leave no trace."""
    centred = picture - picture.mean((2, 3), keepdim=True)
    return centred / torch.sqrt((centred * centred).mean((2, 3), keepdim=True) + 1.0)


def brightness_error(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """Difference (n, 1, h / 4, w / 4) that a flow (n, 2, h / 4, w / 4) leaves of pictures (n, 1, h / 2, w / 2)."""
    return F.avg_pool2d((first - warp(second, larger(flow / 2, 2))).abs(), 2)

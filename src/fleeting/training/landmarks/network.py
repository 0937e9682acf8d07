"""The landmark network: one trunk for 68 points, head pose, eye and mouth opening, and face or not.

Sources: Zhang et al., "Facial landmark detection by deep multi-task learning" (TCDCN), ECCV 2014, for one trunk with a
landmark head and auxiliary heads; Li et al., "Deep convolutional neural network with optical flow for facial
micro-expression recognition", JCSC 29(1), 2019, whose first stage it is; Sun et al., "Integral human pose regression",
ECCV 2018, section 2, for coordinates as the expectation of a heat map.

Deviations and readings: Li et al. do not print their network, so it is a reading in the TCDCN family. TCDCN regresses
5 points from a fully connected layer; here 68 points are expectations of 68 heat maps at a quarter of the crop's side,
which are made from the trunk's scales. The auxiliary tasks are those that the project's labels allow: pose (3), eye
opening (2), mouth opening (1), beside face or not, which is no auxiliary task here but the verifier of the finder. Eye
and mouth opening are read where the heat maps place lids and lips: from the features averaged under each map, beside
the trunk's average.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fleeting.faces.ibug import INNER_LIPS, LEFT_EYE, RIGHT_EYE

POINTS = 68
STATES = 7
"""Yaw, pitch, roll, opening of the left eye, of the right eye, of the mouth; face or not."""

POSE_SCALE = 30.0
"""Degrees in one unit of the pose head."""

OPENING_SCALE = 0.1
"""Opening in one unit of the eye and mouth heads: answers of about 1 keep their steps of learning small."""


def _conv(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (n, width, h, w)."""
        return torch.relu(x + self.second(self.first(x)))


class LandmarkNetwork(nn.Module):
    """Multi-task network on grey face crops.

    Parameters
    ----------
    size
        Side of the crop in pixels, a multiple of 16.
    widths
        Channels at 1/2, 1/4, 1/8 and 1/16 of the side.
    blocks
        Residual blocks at 1/4, 1/8 and 1/16.
    head_width
        Channels in front of the heat maps.
    """

    def __init__(
        self,
        *,
        size: int = 80,
        widths: tuple[int, int, int, int] = (16, 32, 64, 128),
        blocks: tuple[int, int, int] = (1, 2, 2),
        head_width: int = 32,
    ) -> None:
        super().__init__()
        if size % 16:
            raise ValueError(f"Expected a crop side that 16 divides; got {size}.")
        self.size = size
        stem, quarter, eighth, sixteenth = widths
        self.stem = _conv(1, stem, stride=2)
        self.quarter = self._stage(stem, quarter, blocks[0])
        self.eighth = self._stage(quarter, eighth, blocks[1])
        self.sixteenth = self._stage(eighth, sixteenth, blocks[2])
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.from_sixteenth = nn.Conv2d(sixteenth, eighth, 1)
        self.mix_eighth = _conv(eighth, eighth, kernel=1)
        self.from_eighth = nn.Conv2d(eighth, head_width, 1)
        self.from_quarter = nn.Conv2d(quarter, head_width, 1)
        self.mix_quarter = _conv(head_width, head_width)
        self.heat = nn.Conv2d(head_width, POINTS, 1)
        self.pose = self._head(sixteenth, 3)
        self.eyes = self._head((LEFT_EYE.stop - RIGHT_EYE.start) * head_width + sixteenth, 2)
        self.mouth = self._head((INNER_LIPS.stop - INNER_LIPS.start) * head_width + sixteenth, 1)
        self.face = self._head(sixteenth, 1)
        cells = size // 4
        self.register_buffer("places", (torch.arange(cells, dtype=torch.float32) + 0.5) * 4 - 0.5, persistent=False)

    @staticmethod
    def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
        return nn.Sequential(_conv(inputs, outputs, stride=2), *(ResidualBlock(outputs) for _ in range(blocks)))

    @staticmethod
    def _head(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(inputs, 48), nn.ReLU(inplace=True), nn.Linear(48, outputs))

    @staticmethod
    def normalise(crops: Tensor) -> Tensor:
        """Subtract each crop's mean and divide by its deviation (plus 8 grey levels, so that flat stays flat)."""
        x = crops.float()
        x = x - x.mean((2, 3), keepdim=True)
        return x / (x.square().mean((2, 3), keepdim=True).sqrt() + 8.0)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return points and states of `answer`."""
        return self.answer(crops)[:2]

    def answer(
        self, crops: Tensor, detached: tuple[bool, bool, bool, bool] = (False,) * 4
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run the network.

        Parameters
        ----------
        crops
            (n, 1, size, size), 0..255, any type.
        detached
            For pose, eyes, mouth and face: whether the head no longer teaches the trunk.

        Returns
        -------
        tuple
            Points (n, 68, 2) float32 in pixels of the crop (x, y), and states (n, 7) float32: yaw, pitch, roll in units
            of `POSE_SCALE` degrees, opening of the left eye, the right eye, the mouth in units of `OPENING_SCALE`,
            and the logit of a face; and the heat maps as logits (n, 68, cells * cells) float32, row by row.
        """
        quarter = self.quarter(self.stem(self.normalise(crops)))
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        pooled = sixteenth.mean((2, 3))
        wide = self.mix_eighth(torch.relu(eighth + self.up(self.from_sixteenth(sixteenth))))
        fine = self.mix_quarter(torch.relu(self.from_quarter(quarter) + self.up(self.from_eighth(wide))))
        # Half precision is too coarse for places of a fraction of a cell.
        with torch.autocast("cpu", enabled=False):
            heat = self.heat(fine.float())
        cells = heat.shape[-1]
        heat = heat.reshape(heat.shape[0], POINTS, cells * cells)
        flat = torch.softmax(heat, 2)
        share = flat.reshape(heat.shape[0], POINTS, cells, cells)
        places: Tensor = self.places  # type: ignore[assignment]
        points = torch.stack([(share.sum(2) * places).sum(2), (share.sum(3) * places).sum(2)], 2)
        # The heat maps only say where to look: opening and closing must not move them.
        look = flat[:, RIGHT_EYE.start :].detach()
        seen = torch.bmm(look, fine.reshape(heat.shape[0], -1, cells * cells).transpose(1, 2).float())
        eyes = torch.cat([seen[:, : LEFT_EYE.stop - RIGHT_EYE.start].flatten(1), pooled], 1)
        mouth = torch.cat([seen[:, INNER_LIPS.start - RIGHT_EYE.start :].flatten(1), pooled], 1)
        heads = zip((self.pose, self.eyes, self.mouth, self.face), (pooled, eyes, mouth, pooled), detached, strict=True)
        states = [head(given.detach() if stop else given) for head, given, stop in heads]
        return points, torch.cat(states, 1).float(), heat


class ExportedLandmarkNetwork(nn.Module):
    """The network as shipped: uint8 crops in; points in pixels, states in degrees, ratios and a probability out."""

    def __init__(self, network: LandmarkNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Map (n, 1, size, size) uint8 to points (n, 68, 2) and states (n, 7)."""
        points, states = self.network(crops)
        pose, openings, face = states[:, :3] * POSE_SCALE, states[:, 3:6] * OPENING_SCALE, torch.sigmoid(states[:, 6:])
        return points, torch.cat([pose, openings.clamp(min=0.0), face], 1)

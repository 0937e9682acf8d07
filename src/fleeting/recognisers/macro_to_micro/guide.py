"""MaNet: learns from macro-expressions, is frozen, and leaves behind what guides MiNet.

Its spatial stream learns from real still faces (FER-2013, the classes that micro-expressions have too), its temporal
stream from macro-expressions (drawn ones, or CK+). Frozen, it sees every face and every clip once; what it makes of
them is all that MiNet needs (`MacroGuide`), so guiding costs no second network while training.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting.datasets.samples import Samples
from fleeting.errors import WeightsError
from fleeting.recognisers.macro_to_micro.network import STRIDES, TwoStream, apex_of, sampled
from fleeting.recognisers.sequences.clip_rows import ClipRows, InputKind, clip_rows
from fleeting.recognisers.sequences.drawn_flow import DrawnFlowSettings, drawn_flow
from fleeting.recognisers.sequences.fit import FitSettings, SequenceTrainer

log = logging.getLogger(__name__)

GUIDE = "macro_guide.safetensors"


@dataclass(frozen=True, slots=True)
class MacroSettings:
    """How MaNet is trained.

    Attributes
    ----------
    width, length, side
        Of the network and the clips, as for MiNet.
    faces
        Most still faces that are learned from; 0 for all.
    kind
        What the clips hold. Flow has no still faces: MaNet then learns drawn macro-expressions and their apexes (ours).
    drawn
        How these are drawn.
    kept
        Faces and clips, at most, whose features guide MiNet.
    still, moving
        How the spatial and the temporal stream are trained.
    """

    width: int = 24
    length: int = 64
    side: int = 112
    faces: int = 0
    kind: InputKind = "grey"
    drawn: DrawnFlowSettings = field(default_factory=DrawnFlowSettings)
    kept: int = 3000
    still: FitSettings = field(default_factory=lambda: FitSettings(epochs=12, batch=64, optimiser="adamw", shift=0.08))
    moving: FitSettings = field(default_factory=lambda: FitSettings(epochs=20, batch=16, optimiser="adamw"))


@dataclass(frozen=True, slots=True)
class MacroGuide:
    """What a frozen MaNet says of macro-expressions.

    Attributes
    ----------
    maps
        (n, channels, s, s) spatial feature maps of still faces.
    map_label
        (n,) their classes.
    temporal
        (strides, m, 128) temporal features of clips, sampled at each stride of
        `recognisers.macro_to_micro.network.STRIDES`.
    temporal_label
        (m,) their classes.
    """

    maps: Tensor
    map_label: Tensor
    temporal: Tensor
    temporal_label: Tensor

    def to(self, device: torch.device) -> MacroGuide:
        """Return the guide on a device."""
        return MacroGuide(*(getattr(self, name).to(device) for name in self.__slots__))


class StillTask:
    """Teaches the spatial stream still faces, enlarged to a side in pixels: "clips" of one frame."""

    def __init__(self, network: TwoStream, *, side: int) -> None:
        self.network: nn.Module = network
        self._streams, self._side = network, side

    def logits(self, clips: Tensor) -> Tensor:
        """Return (n, classes) of faces (n, c, 1, h, w)."""
        spatial = self._streams.maps(enlarged(clips[:, :, 0], self._side)).mean((2, 3))
        logits: Tensor = self._streams.spatial_head(self._streams.dropout(spatial))
        return logits

    def loss(self, clips: Tensor, label: Tensor, weight: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
        """Return the cross-entropy."""
        return {"cross-entropy": functional.cross_entropy(self.logits(clips).float(), label, weight)}

    def answers(self, clips: Tensor) -> dict[str, Tensor]:
        """Return what the spatial stream says."""
        return {"spatial": self.logits(clips)}


class MovingTask:
    """Teaches the temporal stream clips, each at a stride that is drawn anew."""

    def __init__(self, network: TwoStream) -> None:
        self.network: nn.Module = network
        self._streams = network

    def loss(self, clips: Tensor, label: Tensor, weight: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
        """Return the cross-entropy of the clips as a whole, and at a drawn stride around their middle."""
        stride = STRIDES[int(torch.randint(len(STRIDES), (1,), generator=draw))]
        part = self._streams.moved(sampled(clips.float(), stride, middle(clips.shape[2], stride)))
        answers = (self._whole(clips), self._streams.temporal_head(self._streams.dropout(part)))
        return {
            name: functional.cross_entropy(logits.float(), label, weight) / 2
            for name, logits in zip(("whole", "part"), answers, strict=True)
        }

    def _whole(self, clips: Tensor) -> Tensor:
        # Not the whole network: the frozen spatial stream must not go on adapting its batch norms.
        logits: Tensor = self._streams.temporal_head(self._streams.dropout(self._streams.course(clips)))
        return logits

    def answers(self, clips: Tensor) -> dict[str, Tensor]:
        """Return what the temporal stream says."""
        return {"temporal": self._whole(clips)}


def enlarged(pictures: Tensor, side: int) -> Tensor:
    """Return pictures (n, c, h, w) at another side, float32."""
    return functional.interpolate(pictures.float(), (side, side), mode="bilinear", align_corners=False)


def middle(length: int, stride: int) -> int:
    """Return where 16 frames at a stride begin so that they lie in the middle of a clip."""
    return max((length - 1 - 15 * stride) // 2, 0)


def train_manet(
    faces: tuple[ClipRows, ClipRows] | None,
    rows: tuple[ClipRows, ClipRows],
    settings: MacroSettings,
    *,
    seed: int,
    out: Path | None = None,
) -> tuple[TwoStream, MacroGuide]:
    """Train MaNet and freeze it.

    Parameters
    ----------
    faces
        To train on and to validate on, of `still_faces.still_faces`; None for the apexes of the clips alone.
    rows
        Clips of macro-expressions with the same classes: `macro_rows` or `drawn_rows`.
    settings
        How.
    seed
        Of the first weights and all draws.
    out
        Folder of checkpoints (``still``, ``moving``); nothing is written where None.

    Returns
    -------
    network, guide
        MaNet, and what it leaves behind.
    """
    torch.manual_seed(seed)
    classes = int(rows[0].label.max()) + 1
    network = TwoStream(classes, length=settings.length, width=settings.width, kind=settings.kind)
    shown = faces or (apexes(rows[0]), apexes(rows[1]))
    still = SequenceTrainer(StillTask(network, side=settings.side), settings.still, classes=classes, seed=seed)
    still.fit(*shown, out=None if out is None else out / "still", recipe=settings)
    for frozen in (network.spatial, network.spatial_head):
        frozen.requires_grad_(False)
    moving = SequenceTrainer(MovingTask(network), settings.moving, classes=classes, seed=seed)
    moving.fit(*rows, out=None if out is None else out / "moving", recipe=settings)
    network.requires_grad_(False)
    network.eval()
    return network, guide_of(network, shown[0], rows[0], settings)


def macro_rows(macro: Samples, settings: MacroSettings, *, seed: int) -> tuple[ClipRows, ClipRows]:
    """Return clips of macro-expressions to train on, and those of a quarter of the people to validate on."""
    people = np.random.default_rng([seed, 7]).permutation(np.unique(macro.subject))
    held = np.isin(macro.subject, people[: max(1, len(people) // 4)])
    seen = {"kind": settings.kind, "length": settings.length, "side": settings.side}
    return clip_rows(macro.select(~held), **seen), clip_rows(macro.select(held), **seen)  # type: ignore[arg-type]


def drawn_rows(settings: MacroSettings, *, seed: int) -> tuple[ClipRows, ClipRows]:
    """Draw macro-expressions as flow, and an eighth as many to validate on."""
    return tuple(  # type: ignore[return-value]
        drawn_flow(replace(settings.drawn, count=count), "macro", length=settings.length, side=settings.side, seed=s)
        for count, s in ((settings.drawn.count, seed), (max(3, settings.drawn.count // 8), seed + 1000))
    )


def apexes(rows: ClipRows) -> ClipRows:
    """Return the apex of each clip (n, c, t, side, side) as a clip of one frame."""
    found = torch.cat([apex_of(rows.clips[i : i + 64].float()) for i in range(0, len(rows), 64)])
    return ClipRows(found.round().to(torch.uint8)[:, :, None], rows.label, rows.flow_axis)


@torch.no_grad()
def guide_of(network: TwoStream, faces: ClipRows, clips: ClipRows, settings: MacroSettings) -> MacroGuide:
    """Let a frozen MaNet see faces and clips once."""
    device = next(network.parameters()).device
    n, m = min(len(faces), settings.kept), min(len(clips), settings.kept)
    maps = [
        network.maps(enlarged(faces.clips[i : i + 64, :, 0].to(device), settings.side)).half().cpu()
        for i in range(0, n, 64)
    ]
    temporal = [
        torch.cat(
            [
                network.moved(sampled(clips.clips[i : i + 16].to(device).float(), stride, middle(length, stride))).cpu()
                for i in range(0, m, 16)
            ]
        )
        for stride, length in ((s, clips.clips.shape[2]) for s in STRIDES)
    ]
    # Copies: apexes and clips share their labels, and safetensors writes no memory twice.
    labels = faces.label[:n].clone(), clips.label[:m].clone()
    return MacroGuide(torch.cat(maps)[:n], labels[0], torch.stack(temporal)[:, :m], labels[1])


def write_guide(guide: MacroGuide, network: TwoStream, path: Path, settings: MacroSettings) -> None:
    """Write the guide, MaNet's weights and its settings as safetensors."""
    from safetensors.torch import save_file

    tensors = {f"guide.{name}": getattr(guide, name).contiguous() for name in guide.__slots__}
    tensors |= {f"network.{name}": value.contiguous().cpu() for name, value in network.state_dict().items()}
    save_file(tensors, str(path), metadata={"settings": repr(asdict(settings))})


def read_guide(path: Path) -> tuple[MacroGuide, dict[str, Tensor]]:
    """Read the guide and MaNet's weights.

    Raises
    ------
    WeightsError
        Where there is no such file, or it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(str(path))
        guide = MacroGuide(*(stored[f"guide.{name}"] for name in MacroGuide.__slots__))
    except (OSError, KeyError, SafetensorError) as error:
        raise WeightsError(f"a guide of MaNet at {path}", f"{error}", "Train it with `fleeting train`.") from error
    return guide, {k.removeprefix("network."): v for k, v in stored.items() if k.startswith("network.")}

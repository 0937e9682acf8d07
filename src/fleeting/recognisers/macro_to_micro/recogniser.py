"""Macro-to-micro: MiNet learns micro-expressions, guided by what a frozen MaNet says of macro-expressions.

Xia and Wang 2021 (`recognisers.macro_to_micro.network`). ``L = L_cls + l1 L_adv + l2 L_rel + l3 L_con``:

- *adversarial*: a discriminator tells MiNet's spatial feature maps from MaNet's, behind a reversed gradient, so that
  MiNet's become like MaNet's;
- *relation*: MiNet's temporal features of a clip sampled at one stride beside MaNet's of a macro clip at another: which
  stride was smaller?
- *contrastive*: features of one class are pulled together, those of micro and macro alike (supervised contrastive loss,
  Khosla et al., NeurIPS 2020, equation 2, temperature 0.07), for the spatial and the temporal features each.

Deviations and readings: the weights are ours (the predecessor, Xia et al., ACM MM 2020, used 1e-3); MiNet learns from
the first epoch on with all losses, so that MiNet alone and guided MiNet get the same number of steps; `start` may begin
with MaNet's weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting.datasets.samples import Samples
from fleeting.errors import SettingsError
from fleeting.recognisers.macro_to_micro.guide import MacroGuide, middle, read_guide
from fleeting.recognisers.macro_to_micro.network import (
    FRAMES,
    STRIDES,
    Discriminator,
    RelationClassifier,
    Seen,
    TwoStream,
    reverse_gradient,
    sampled,
)
from fleeting.recognisers.sequences.clip_rows import InputKind
from fleeting.recognisers.sequences.fit import FitSettings, FittedSequence, content, fit_sequence, plain_settings


@dataclass(frozen=True, slots=True)
class MiNetSettings:
    """MiNet, its losses and how it is trained.

    Attributes
    ----------
    adversarial, relation, contrastive
        Weights l1, l2, l3; all 0 is MiNet alone.
    temperature
        Of the contrastive loss.
    guide
        File of `macro_guide.write_guide`; needed where a weight is not 0 or `start` is ``macro``.
    start
        First weights: ``random``, or those of MaNet (``macro``).
    kind
        What the clips hold, ``grey`` or ``flow``; the guide's must be the same.
    width, length, side, dropout
        Of the network and the clips.
    fit
        How it is trained.
    """

    adversarial: float = 0.1
    relation: float = 0.1
    contrastive: float = 0.1
    temperature: float = 0.07
    guide: str = ""
    start: Literal["random", "macro"] = "random"
    kind: InputKind = "grey"
    width: int = 24
    length: int = 64
    side: int = 112
    dropout: float = 0.5
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(epochs=40, batch=16, optimiser="adamw", learning_rate=1e-3)
    )

    def __post_init__(self) -> None:
        least = STRIDES[-1] * (FRAMES - 1) + 1
        if self.relation and self.length < least:
            raise SettingsError(
                f"at least {least} frames for the relation of sampling strides", f"{self.length}", "Change length."
            )

    @property
    def guided(self) -> bool:
        """Whether MaNet has a say."""
        return bool(self.adversarial or self.relation or self.contrastive or self.start == "macro")


def supervised_contrastive(features: Tensor, label: Tensor, *, temperature: float) -> Tensor:
    """Return the supervised contrastive loss (Khosla et al. 2020, equation 2), mean over rows that have a positive.

    Parameters
    ----------
    features
        (n, d), any length; they are normalised here.
    label
        (n,) classes.
    temperature
        Divides the cosines.
    """
    unit = functional.normalize(features.float(), dim=1)
    cosines = unit @ unit.T / temperature
    own = torch.eye(len(label), dtype=torch.bool, device=label.device)
    cosines = cosines.masked_fill(own, float("-inf"))
    log_share = cosines - torch.logsumexp(cosines, 1, keepdim=True)
    positive = (label[:, None] == label[None]) & ~own
    counts = positive.sum(1)
    summed = log_share.masked_fill(~positive, 0.0).sum(1)
    some = counts > 0
    if not bool(some.any()):
        return features.sum() * 0.0
    return -(summed[some] / counts[some]).mean()


class MiNetTask:
    """Teaches MiNet.

    Raises
    ------
    SettingsError
        Where a guide is needed and none is named.
    WeightsError
        Where the guide cannot be read.
    """

    def __init__(self, settings: MiNetSettings, *, classes: int, seed: int) -> None:
        self.settings = settings
        torch.manual_seed(seed)
        seen = {"length": settings.length, "width": settings.width, "dropout": settings.dropout}
        minet = TwoStream(classes, kind=settings.kind, **seen)  # type: ignore[arg-type]
        parts: dict[str, nn.Module] = {"minet": minet}
        self._guide: MacroGuide | None = None
        if settings.guided:
            if not settings.guide:
                raise SettingsError("the file of MaNet's guide", "none", "Set guide, or all weights to 0.")
            self._guide, state = read_guide(Path(settings.guide))
            if settings.start == "macro":
                minet.load_state_dict(state)
        if settings.adversarial:
            parts["discriminator"] = Discriminator(8 * settings.width)
        if settings.relation:
            parts["relation"] = RelationClassifier()
        self.parts = nn.ModuleDict(parts)
        self.minet = minet

    @property
    def network(self) -> nn.Module:
        """MiNet and what is trained beside it."""
        return self.parts

    def loss(self, clips: Tensor, label: Tensor, weight: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
        """Return the cross-entropy, and the guiding losses that have a weight."""
        seen: Seen = self.minet(clips)
        terms = {"cross-entropy": functional.cross_entropy(seen.logits.float(), label, weight)}
        if self._guide is None:
            return terms
        guide = self._guide = self._guide.to(clips.device)
        faces = torch.randint(len(guide.map_label), (len(clips),), generator=draw).to(clips.device)
        moves = torch.randint(len(guide.temporal_label), (len(clips),), generator=draw).to(clips.device)
        if self.settings.adversarial:
            terms["adversarial"] = self.settings.adversarial * self._adversarial(seen.maps, guide.maps[faces])
        if self.settings.relation:
            terms["relation"] = self.settings.relation * self._relation(clips, guide.temporal[:, moves], draw)
        if self.settings.contrastive:
            middle_stride = len(STRIDES) // 2
            pairs = (
                (seen.spatial, guide.maps[faces].float().mean((2, 3)), guide.map_label[faces]),
                (seen.temporal, guide.temporal[middle_stride, moves], guide.temporal_label[moves]),
            )
            terms["contrastive"] = (
                self.settings.contrastive
                * torch.stack(
                    [
                        supervised_contrastive(
                            torch.cat([micro.float(), macro.float()]),
                            torch.cat([label, macro_label]),
                            temperature=self.settings.temperature,
                        )
                        for micro, macro, macro_label in pairs
                    ]
                ).mean()
            )
        return terms

    def _adversarial(self, micro: Tensor, macro: Tensor) -> Tensor:
        micro, macro = micro.float(), macro.float()
        discriminator = self.parts["discriminator"]
        truth = torch.cat([torch.ones(len(micro)), torch.zeros(len(macro))]).to(micro.device)
        logits = discriminator(torch.cat([reverse_gradient(micro), macro]))[:, 0]
        return functional.binary_cross_entropy_with_logits(logits.float(), truth)

    def _relation(self, clips: Tensor, macro: Tensor, draw: torch.Generator) -> Tensor:
        mine = int(torch.randint(len(STRIDES), (1,), generator=draw))
        others = torch.randint(len(STRIDES), (len(clips),), generator=draw)
        stride = STRIDES[mine]
        micro = self.minet.moved(sampled(clips.float(), stride, middle(clips.shape[2], stride)))
        theirs = macro[others.to(clips.device), torch.arange(len(clips), device=clips.device)]
        logits = self.parts["relation"](torch.cat([micro, theirs.to(micro.dtype)], 1))
        truth = (1 + torch.sign(mine - others)).to(clips.device)
        return functional.cross_entropy(logits.float(), truth)

    def answers(self, clips: Tensor) -> dict[str, Tensor]:
        """Return MiNet's answer."""
        seen: Seen = self.minet(clips)
        return {"both streams": seen.logits}


@dataclass(frozen=True)
class MacroToMicro:
    """The system before its training.

    Attributes
    ----------
    name
        Of the model.
    plan
        Its settings.
    """

    name: str = "macro-to-micro"
    plan: MiNetSettings = field(default_factory=MiNetSettings)
    needs: Literal["flow", "sequence"] = "sequence"

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values; the guide by its content, without device and threads."""
        guide = content(self.plan.guide) if self.plan.guided else ""
        return plain_settings(self.name, self.plan) | {"guide": guide}

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedSequence:
        """Train; the best epoch by the validation clips is kept where there are any, else the last one."""
        task = MiNetTask(self.plan, classes=len(train.classes), seed=seed)
        fitted = FittedSequence(task, self.plan.kind, self.plan.length, self.plan.side)
        return fit_sequence(fitted, self.plan.fit, train, validation, seed=seed)


ALONE: dict[str, Any] = {"adversarial": 0.0, "relation": 0.0, "contrastive": 0.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "minet": ALONE,
    "minet-adversarial": {"relation": 0.0, "contrastive": 0.0},
    "minet-relation": {"adversarial": 0.0, "contrastive": 0.0},
    "minet-contrastive": {"adversarial": 0.0, "relation": 0.0},
    "macro-to-micro": {},
}
"""What differs from `MiNetSettings`, by the name of the model: which losses guide."""


def macro_to_micro(name: str = "macro-to-micro", *, plan: MiNetSettings | None = None) -> MacroToMicro:
    """Return the system of a name of `VARIANTS`, on top of a plan."""
    return MacroToMicro(name, replace(plan or MiNetSettings(), **VARIANTS[name]))

"""DSTICNN as a recogniser: both streams learn from the labels and from each other.

Zhu and Chen 2022 (`recognisers.dsticnn.network`). Loss of stream k, as we read the paper:
``L_k = CE(p_k, y) + alpha * JS(p_32 || p_64) + beta * MSE(F_32, F_64)``, F the output of pool4, JS with the mean of
both as its middle, alpha = beta = 1; both losses are added up and both streams stepped together. Classes are balanced
inside the training clips by their weights in the cross-entropy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
import torch.nn.functional as functional
from torch import Tensor

from fleeting.datasets.samples import Samples
from fleeting.recognisers.dsticnn.network import SCALES, Answer, Dsticnn
from fleeting.recognisers.sequences.clip_rows import InputKind
from fleeting.recognisers.sequences.fit import FitSettings, FittedSequence, content, fit_sequence, plain_settings

STREAMS: tuple[str, str] = (f"{SCALES[0]} frames", f"{SCALES[1]} frames")


@dataclass(frozen=True, slots=True)
class DsticnnSettings:
    """DSTICNN and its losses.

    Attributes
    ----------
    kind
        What the clips hold, see `recognisers.sequences.clip_rows`.
    length, side
        Frames and pixels of the clips; 112 in the paper.
    js, mse
        Weights alpha and beta of the interaction.
    dropout
        See `recognisers.dsticnn.network.Dsticnn`.
    start
        File of first weights (`recognisers.sequences.start`); drawn at random where empty.
    fit
        How it is trained.
    """

    kind: InputKind = "grey"
    length: int = 64
    side: int = 112
    js: float = 1.0
    mse: float = 1.0
    dropout: float = 0.5
    start: str = ""
    fit: FitSettings = field(default_factory=FitSettings)


def jensen_shannon(one: Tensor, other: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of two answers in nats, 0 to ln 2, mean over rows.

    Parameters
    ----------
    one, other
        (n, classes) logits.
    """
    p, q = one.float().log_softmax(1), other.float().log_softmax(1)
    middle = torch.logaddexp(p, q) - math.log(2)
    both = (p.exp() * (p - middle) + q.exp() * (q - middle)).sum(1) / 2
    return both.mean()


class DsticnnTask:
    """Teaches `recognisers.dsticnn.network.Dsticnn`."""

    def __init__(self, settings: DsticnnSettings, *, classes: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.settings = settings
        self.network = Dsticnn(
            classes,
            length=settings.length,
            side=settings.side,
            kind=settings.kind,
            dropout=settings.dropout,
        )
        if settings.start:
            from safetensors.torch import load_file

            self.network.load_state_dict(load_file(settings.start))

    def loss(self, clips: Tensor, label: Tensor, weight: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
        """Return cross-entropy of both streams, and the interaction of each with the other."""
        answer: Answer = self.network(clips)
        terms = {
            f"cross-entropy {name}": functional.cross_entropy(logits.float(), label, weight)
            for name, logits in zip(STREAMS, answer.logits, strict=True)
        }
        # Each stream's loss has both terms, and both losses are added up.
        if self.settings.js:
            terms["js"] = 2 * self.settings.js * jensen_shannon(*answer.logits)
        if self.settings.mse:
            one, other = (values.float() for values in answer.features)
            terms["mse"] = 2 * self.settings.mse * functional.mse_loss(one, other)
        return terms

    def answers(self, clips: Tensor) -> dict[str, Tensor]:
        """Return the fused answer and those of both streams."""
        answer: Answer = self.network(clips)
        return {"fused": answer.fused(), **dict(zip(STREAMS, answer.logits, strict=True))}


@dataclass(frozen=True)
class DsticnnRecogniser:
    """DSTICNN before its training.

    Attributes
    ----------
    name
        As ``fleeting benchmark --model`` spells it.
    plan
        Its settings.
    """

    name: str = "dsticnn"
    plan: DsticnnSettings = field(default_factory=DsticnnSettings)
    needs: Literal["flow", "sequence"] = "sequence"

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values; first weights by their content, without device and threads."""
        return plain_settings(self.name, self.plan) | {"start": content(self.plan.start)}

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedSequence:
        """Train; the best epoch by the validation clips is kept where there are any, else the last one."""
        task = DsticnnTask(self.plan, classes=len(train.classes), seed=seed)
        fitted = FittedSequence(task, self.plan.kind, self.plan.length, self.plan.side)
        return fit_sequence(fitted, self.plan.fit, train, validation, seed=seed)


VARIANTS: dict[str, dict[str, Any]] = {
    "dsticnn": {},
    "dsticnn-none": {"js": 0.0, "mse": 0.0},
    "dsticnn-js": {"mse": 0.0},
    "dsticnn-mse": {"js": 0.0},
    "dsticnn-flow": {"kind": "flow"},
}
"""What differs from `DsticnnSettings`, by the name of the model: the ablations of interaction and input."""


def dsticnn(name: str = "dsticnn", *, plan: DsticnnSettings | None = None) -> DsticnnRecogniser:
    """Return the recogniser of a name of `VARIANTS`, on top of a plan."""
    return DsticnnRecogniser(name, replace(plan or DsticnnSettings(), **VARIANTS[name]))

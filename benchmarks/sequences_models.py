"""What `benchmarks/sequences.py` compares: floors, DSTICNN, MiNet alone and guided."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fleeting.datasets.samples import Samples
from fleeting.motion.flow_image import expression_flow, flow_image
from fleeting.recognisers.clip_svm import of_each, sequences
from fleeting.recognisers.contract import Fitted, Recogniser
from fleeting.recognisers.dsticnn import recogniser as dsticnn
from fleeting.recognisers.linear_svm import LinearSvm
from fleeting.recognisers.macro_to_micro import recogniser as macro_to_micro
from fleeting.recognisers.macro_to_micro.guide import GUIDE, MacroSettings, drawn_rows, train_manet, write_guide
from fleeting.recognisers.registry import recogniser
from fleeting.recognisers.sequences.drawn_flow import DrawnFlowSettings
from fleeting.recognisers.sequences.fit import FitSettings
from fleeting.recognisers.sequences.start import StartSettings, write_start

MEAN = "linear-svm-mean"
FLOORS = ("linear-svm", MEAN, "lbp-top", "mdmo")
STARTED = "-start"
VARIANTS = (
    *FLOORS, "dsticnn-none", "dsticnn", "dsticnn-none-start", "dsticnn-start", "minet", "macro-to-micro",
)  # fmt: skip
AROUND = 10
"""Frames on either side of the apex, of 64, over which `MeanFlow` averages."""


@dataclass(frozen=True)
class MeanFlow:
    """A linear machine on flow from the onset, averaged over the frames around the apex, head motion removed."""

    around: int = AROUND
    name: str = MEAN
    needs: Literal["flow", "sequence"] = "sequence"

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Fitted:
        """Fit the machine; nothing is chosen."""
        return FittedMeanFlow(LinearSvm().fit(self.averaged(train), None, seed=seed), self)

    def averaged(self, samples: Samples) -> Samples:
        """Return samples whose flow images are the averages."""
        made = of_each(sequences(samples), self.image, key=f"mean flow {self.around}")
        return replace(samples, flow=made.astype(np.uint8))

    def image(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the flow image of a clip (t, h, w)."""
        flows = np.stack([expression_flow(crops[0], crop)[0] for crop in crops[1:]])
        apex = int(np.hypot(flows[..., 0], flows[..., 1]).mean((1, 2)).argmax())
        mean = flows[max(0, apex - self.around) : apex + self.around + 1].mean(0)
        return flow_image(mean).astype(np.float32)


@dataclass(frozen=True)
class FittedMeanFlow:
    """The machine behind the averages."""

    machine: Fitted
    of: MeanFlow
    threshold: float = 0.0

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return (n, classes)."""
        return self.machine.probabilities(self.of.averaged(samples))


def models(options: argparse.Namespace) -> dict[str, Recogniser]:
    """Return the variants, having trained once what they begin with or are guided by."""
    made: dict[str, Recogniser] = {}
    once = FitSettings(epochs=options.drawn_epochs, batch=32, optimiser="adamw", learning_rate=1e-3)
    fit = replace(once, epochs=options.epochs, batch=16)
    short = replace(fit, epochs=options.start_epochs, learning_rate=options.start_rate)
    seen: dict[str, Any] = {"kind": "flow", "length": options.length, "side": options.side}
    drawn = DrawnFlowSettings(count=options.drawn)
    for name in options.variants:
        plain = name.removesuffix(STARTED)
        if name == MEAN:
            made[name] = MeanFlow()
        elif name in FLOORS:
            made[name] = recogniser(name)
        elif plain.startswith("dsticnn"):
            plan = dsticnn.dsticnn(plain, plan=dsticnn.DsticnnSettings(fit=fit, **seen)).plan
            if name != plain:
                path = options.runs / f"{name}.safetensors"
                task = dsticnn.DsticnnTask(plan, classes=3, seed=0)
                write_start(task, StartSettings(drawn, once), path, length=options.length, side=options.side, seed=0)
                plan = replace(plan, start=str(path), fit=short)
            made[name] = dsticnn.DsticnnRecogniser(name, plan)
        else:
            guide = options.runs / GUIDE
            if name != "minet" and not guide.exists():
                macro = MacroSettings(still=once, moving=once, drawn=drawn, **seen)
                network, says = train_manet(None, drawn_rows(macro, seed=0), macro, seed=0)
                write_guide(says, network, guide, macro)
            ours = macro_to_micro.MiNetSettings(guide=str(guide), fit=fit, start="macro", **seen)
            ours = replace(ours, start="random") if name == "minet" else ours
            made[name] = macro_to_micro.macro_to_micro(name, plan=ours)
        print(f"{name}: ready", flush=True)
    return made

"""What `benchmarks/sequences.py` compares: classical systems, the recogniser of flow images, DSTICNN and MiNet."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from fleeting.recognisers.contract import Recogniser
from fleeting.recognisers.dsticnn import recogniser as dsticnn
from fleeting.recognisers.macro_to_micro import recogniser as macro_to_micro
from fleeting.recognisers.macro_to_micro.guide import GUIDE, MacroSettings, drawn_rows, train_manet, write_guide
from fleeting.recognisers.registry import recogniser
from fleeting.recognisers.sequences.drawn_flow import DrawnFlowSettings
from fleeting.recognisers.sequences.fit import FitSettings
from fleeting.recognisers.sequences.start import StartSettings, write_start

FLOORS = ("linear-svm", "lbp-top", "mdmo", "fleeting")
"""What has no chance in it: one seed is enough."""
STARTED = "-start"
VARIANTS = (
    *FLOORS, "dsticnn-none", "dsticnn", "dsticnn-none-start", "dsticnn-start", "minet", "macro-to-micro",
)  # fmt: skip


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
        if name in FLOORS:
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

"""Write the model of action units as ONNX, with all of its preprocessing inside."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.naming.action_units import UNITS
from fleeting.recognisers.fleeting.network import LIMIT
from fleeting.recognisers.fleeting.train import both_ways, kernel_answers, mean_of_both, network_logits
from fleeting.training.action_units.model import SOFT, UnitModel
from fleeting.training.export import Graph, standardised


def graph(model: UnitModel) -> onnx.ModelProto:
    """Return the model as an ONNX graph from flow images (n, 28, 28, 3) uint8 to answers (n, units, 3) float32."""
    g, count = Graph(), len(UNITS)
    cut = standardised(g, limit=LIMIT)
    image = g.add("Reshape", [cut, g.constant("image", [0, len(CHANNELS), SIZE, SIZE], np.int64)], "standardised")
    both = both_ways(g, image)
    kernel = kernel_answers(g, both, model.features.projections, model.ridge)
    said = network_logits(g, both, model.network, "net")
    moved, sides = (
        g.add("Gather", [said, g.constant(f"{name}_columns", columns, np.int64)], name, axis=1)
        for name, columns in (("moved", np.arange(count)), ("sides", np.arange(count, 2 * count)))
    )
    logit = mean_of_both(g, moved, count, "moved")
    soft = g.add("Tanh", [g.add("Mul", [logit, g.constant("soft", 1 / SOFT)], "softer")], "network")
    sums = g.add("Add", [kernel, soft], "sums")
    scaled = g.add("Mul", [sums, g.constant("slope", model.slope)], "steeper")
    odds = g.add("Add", [scaled, g.constant("offset", model.offset)], "odds")
    pair = g.add("Reshape", [sides, g.constant("sides_pair", [2, -1, count], np.int64)], "both_sides")
    one = g.add("Unsqueeze", [odds, g.constant("first", [0], np.int64)], "odds_first")
    stacked = g.add("Concat", [one, pair], "logits_first", axis=0)
    logits = g.add("Transpose", [stacked], "logits", perm=[1, 2, 0])
    g.add("Sigmoid", [logits], "answers")
    flow = ("flow", TensorProto.UINT8, ["n", SIZE, SIZE, len(CHANNELS)])
    return g.model("action_units", flow, ("answers", ["n", count, 3]))

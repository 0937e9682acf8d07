"""Write the model of action units as ONNX, with all of its preprocessing inside."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.naming.action_units import UNITS
from fleeting.recognisers.fleeting.network import LIMIT
from fleeting.recognisers.fleeting.train import both_ways, kernel_answers, network_logits
from fleeting.training.action_units.model import UnitModel
from fleeting.training.export import Graph, standardised


def graph(model: UnitModel) -> onnx.ModelProto:
    """Return the model as an ONNX graph from flow images (n, 28, 28, 3) uint8 to answers (n, units, 3) float32."""
    g, count = Graph(), len(UNITS)
    cut = standardised(g, limit=LIMIT)
    image = g.add("Reshape", [cut, g.constant("image", [0, len(CHANNELS), SIZE, SIZE], np.int64)], "standardised")
    both = both_ways(g, image)
    answers = kernel_answers(g, both, model.start.features.projections, model.start.prior, model.fitted.own)
    said = network_logits(g, both, model.start.network, "net")
    sides = g.add("Gather", [said, g.constant("sides_columns", np.arange(count, 2 * count), np.int64)], "sides", axis=1)
    scaled = g.add("Mul", [answers, g.constant("slope", model.fitted.slope)], "steeper")
    odds = g.add("Add", [scaled, g.constant("offset", model.fitted.offset)], "odds")
    pair = g.add("Reshape", [sides, g.constant("sides_pair", [2, -1, count], np.int64)], "both_sides")
    one = g.add("Unsqueeze", [odds, g.constant("first", [0], np.int64)], "odds_first")
    stacked = g.add("Concat", [one, pair], "logits_first", axis=0)
    logits = g.add("Transpose", [stacked], "logits", perm=[1, 2, 0])
    g.add("Sigmoid", [logits], "answers")
    flow = ("flow", TensorProto.UINT8, ["n", SIZE, SIZE, len(CHANNELS)])
    return g.model("action_units", flow, ("answers", ["n", count, 3]))

"""The recognisers that `fleeting benchmark --model` knows."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from fleeting.errors import MissingExtraError, SettingsError
from fleeting.recognisers.contract import Recogniser
from fleeting.settings import nearest

RECOGNISERS: dict[str, tuple[str, ...]] = {
    "linear-svm": ("fleeting.recognisers.linear_svm", "LinearSvm"),
    "ststnet": ("fleeting.recognisers.flow_networks", "ststnet_recogniser"),
    "off-apexnet": ("fleeting.recognisers.flow_networks", "off_apexnet_recogniser"),
    "fleeting": ("fleeting.recognisers.fleeting.recogniser", "Fleeting"),
    "lbp-top": ("fleeting.recognisers.lbp_top", "LbpTop"),
    "mdmo": ("fleeting.recognisers.mdmo", "Mdmo"),
    "mdmo-flow-image": ("fleeting.recognisers.mdmo", "FlowImageDirections"),
    "flow-svm": ("fleeting.recognisers.flow_svm.recogniser", "FlowSvm"),
    "flow-svm-image": ("fleeting.recognisers.flow_svm.recogniser", "flow_svm_of_images"),
    "dsticnn": ("fleeting.recognisers.dsticnn.recogniser", "dsticnn"),
    "dsticnn-none": ("fleeting.recognisers.dsticnn.recogniser", "dsticnn", "dsticnn-none"),
    "dsticnn-js": ("fleeting.recognisers.dsticnn.recogniser", "dsticnn", "dsticnn-js"),
    "dsticnn-mse": ("fleeting.recognisers.dsticnn.recogniser", "dsticnn", "dsticnn-mse"),
    "dsticnn-flow": ("fleeting.recognisers.dsticnn.recogniser", "dsticnn", "dsticnn-flow"),
    "minet": ("fleeting.recognisers.macro_to_micro.recogniser", "macro_to_micro", "minet"),
    "deep-emotion": ("fleeting.recognisers.deep_emotion.recogniser", "deep_emotion"),
    "expression": ("fleeting.recognisers.deep_emotion.recogniser", "expression"),
    "shipped": ("fleeting.recognisers.shipped", "Shipped"),
}
"""Module, class (or function) that gives the recogniser, and what it is called with; imported only when it is asked
for, since most need torch or scikit-learn."""


def recogniser(name: str, *, known: Mapping[str, tuple[str, ...]] = RECOGNISERS) -> Recogniser:
    """Return the recogniser of a name, with its default settings; `known` has those of another task.

    Raises
    ------
    SettingsError
        For an unknown name, with the nearest known one.
    MissingExtraError
        Where the research extra is not installed.
    """
    if name not in known:
        raise SettingsError("a known model", repr(name), nearest(name, known))
    module, factory, *called_with = known[name]
    try:
        made: Recogniser = getattr(importlib.import_module(module), factory)(*called_with)
    except ImportError as error:
        if error.name and error.name.split(".")[0] == "fleeting":
            raise
        raise MissingExtraError("research", f"the model '{name}' ({error.name})") from error
    return made

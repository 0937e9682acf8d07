"""The recognisers that `fleeting benchmark --model` knows."""

from __future__ import annotations

import importlib

from fleeting.errors import MissingExtraError, SettingsError
from fleeting.settings import nearest
from fleeting.training.contract import Recogniser

RECOGNISERS: dict[str, tuple[str, str]] = {
    "linear-svm": ("fleeting.training.linear_svm", "LinearSvm"),
    "linear-half-face": ("fleeting.training.half_face", "HalfFace"),
    "ststnet": ("fleeting.training.flow_networks", "ststnet_recogniser"),
    "off-apexnet": ("fleeting.training.flow_networks", "off_apexnet_recogniser"),
    "fleeting": ("fleeting.training.fleeting_recogniser", "Fleeting"),
    "lbp-top": ("fleeting.training.lbp_top", "LbpTop"),
    "mdmo": ("fleeting.training.mdmo", "Mdmo"),
    "mdmo-flow-image": ("fleeting.training.mdmo", "FlowImageDirections"),
    "flow-svm": ("fleeting.training.flow_svm", "FlowSvm"),
    "flow-svm-image": ("fleeting.training.flow_svm", "flow_svm_of_images"),
    "dsticnn": ("fleeting.training.dsticnn", "dsticnn"),
    "dsticnn-none": ("fleeting.training.dsticnn", "without_interaction"),
    "dsticnn-js": ("fleeting.training.dsticnn", "with_js"),
    "dsticnn-mse": ("fleeting.training.dsticnn", "with_mse"),
    "dsticnn-flow": ("fleeting.training.dsticnn", "of_flow"),
    "dsticnn-grey-flow": ("fleeting.training.dsticnn", "of_grey_and_flow"),
    "minet": ("fleeting.training.macro_to_micro", "minet"),
    "deep-emotion": ("fleeting.training.expression_recogniser", "deep_emotion"),
    "expression": ("fleeting.training.expression_recogniser", "expression"),
    "shipped": ("fleeting.training.shipped", "Shipped"),
}
"""Module and class (or function) that gives the recogniser when it is called without arguments; imported only when it
is asked for, since most need torch or scikit-learn."""


def recogniser(name: str) -> Recogniser:
    """Return the recogniser of a name, with its default settings.

    Raises
    ------
    SettingsError
        For an unknown name, with the nearest known one.
    MissingExtraError
        Where the research extra is not installed.
    """
    if name not in RECOGNISERS:
        raise SettingsError("a known model", repr(name), nearest(name, RECOGNISERS))
    module, factory = RECOGNISERS[name]
    try:
        made: Recogniser = getattr(importlib.import_module(module), factory)()
    except ImportError as error:
        if error.name and error.name.split(".")[0] == "fleeting":
            raise
        raise MissingExtraError("research", f"the model '{name}' ({error.name})") from error
    return made

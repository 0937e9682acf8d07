"""The recogniser of a name: one of ours, or ``my_package.my_module:MyModel`` of somebody else."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from fleeting.errors import SettingsError
from fleeting.recognisers.registry import RECOGNISERS, recogniser
from fleeting.scale.job import plain_json
from fleeting.settings import nearest

PARTS: tuple[str, ...] = ("name", "needs", "fit", "settings")
"""What every recogniser has (`recognisers.contract.Recogniser`)."""

FITS: tuple[str, ...] = ("fit", "fit_many", "fit_epochs", "fit_many_epochs")
"""Of these all but the first may be missing; each takes two arguments and ``seed``. None takes a test."""

_HINT = "See 'A model of your own' in docs/how-to/benchmarks.md."


def named_model(name: str, *, known: Mapping[str, tuple[str, ...]] = RECOGNISERS) -> Any:
    """Return a recogniser, or the model of another task, with its default settings.

    Parameters
    ----------
    name
        One of `known`, or ``MODULE:CLASS`` (or a function) that gives one when it is called
        without arguments. The module has to be where Python finds it, for other processes and machines too.
    known
        Module and class by name, as `registry.RECOGNISERS`.

    Raises
    ------
    SettingsError
        For an unknown name, a module that cannot be imported or lacks the class, and for what is no recogniser.
    MissingExtraError
        Where one of ours needs the research extra and it is not installed.
    """
    if ":" not in name:
        return recogniser(name, known=known)
    factory = _factory(name)
    try:
        model = factory()
    except Exception as error:  # whatever its code raises
        raise SettingsError(
            f"'{name}' to give a recogniser when it is called without arguments",
            f"{type(error).__name__}: {error}",
            "Give every argument a default.",
        ) from error
    _check(model, name)
    return model


def _factory(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if not module or not attribute or module.startswith("."):
        raise SettingsError("a model as MODULE:CLASS", f"'{name}'", "Write for example my_package.my_module:MyModel.")
    try:
        room = importlib.import_module(module)
    except Exception as error:  # whatever its code raises
        own = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
        hint = "Install it, or name its folder in PYTHONPATH." if own else "Mend the module, or install what it needs."
        raise SettingsError(f"a module '{module}'", f"{type(error).__name__}: {error}", hint) from error
    factory = getattr(room, attribute, None)
    if not callable(factory):
        known = [n for n, value in vars(room).items() if callable(value) and not n.startswith("_")]
        got = "none of that name" if factory is None else f"a {type(factory).__name__}"
        raise SettingsError(f"a class '{attribute}' in {room.__file__}", got, nearest(attribute, known))
    return factory


def _check(model: Any, name: str) -> None:
    missing = [part for part in PARTS if not hasattr(model, part)]
    if missing:
        raise SettingsError(f"a recogniser with {', '.join(PARTS)}", f"'{name}' without {', '.join(missing)}", _HINT)
    if model.needs not in ("flow", "sequence"):
        raise SettingsError(f"'flow' or 'sequence' as needs of '{name}'", repr(model.needs), _HINT)
    for fit in FITS:
        if hasattr(model, fit):
            two = "data, folds" if "many" in fit else "train, validation"
            _check_arguments(getattr(model, fit), f"{fit}({two}, *, seed)", name)
    try:
        settings = model.settings()
    except Exception as error:  # whatever its code raises
        raise SettingsError(f"settings() of '{name}'", f"{type(error).__name__}: {error}", _HINT) from error
    if not isinstance(settings, Mapping):
        raise SettingsError(f"a dictionary from settings() of '{name}'", type(settings).__name__, _HINT)
    plain_json(settings)


def _check_arguments(fit: Any, wanted: str, name: str) -> None:
    if not callable(fit):
        raise SettingsError(f"{wanted} of '{name}'", f"a {type(fit).__name__}", _HINT)
    signature = inspect.signature(fit)
    try:
        signature.bind(None, None, seed=0)
    except TypeError as error:
        raise SettingsError(f"{wanted} of '{name}'", f"{signature} ({error})", _HINT) from error

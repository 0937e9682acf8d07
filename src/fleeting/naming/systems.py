"""The systems that can name an event, and how one or all of them are asked.

A system is a recogniser with its card. To add one, write a class with the attributes and the method of `System`, and
its loader into `SYSTEMS`; `fleeting analyse --system`, the report and the files then know it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.errors import SettingsError
from fleeting.labels import UNSURE
from fleeting.motion.clip_input import CROP_WIDTH, clip_input
from fleeting.naming.event_frames import EventView
from fleeting.naming.flow_svm import FlowSvmSystem
from fleeting.naming.recogniser import Recogniser
from fleeting.records import SystemAnswer
from fleeting.settings import RecognitionSettings, nearest

ALL = "all"


class System(Protocol):
    """A recogniser of events.

    `labels` are its classes in the order of the probabilities; below `threshold` of the best class the answer is
    "unsure"; `needs_frames` says whether it looks at `EventView.crops`.
    """

    labels: tuple[str, ...]
    threshold: float
    needs_frames: bool
    card: dict[str, Any]

    def probabilities(self, events: Sequence[EventView]) -> npt.NDArray[np.float32]:
        """Return (n, classes) float32, rows summing to 1; may be called by several threads."""
        ...


class FlowSystem:
    """The shipped recogniser of flow images.

    Parameters
    ----------
    folder
        Of ``fleeting.onnx`` and its card; the shipped ones where None.
    """

    needs_frames = False

    def __init__(self, folder: Path | None = None) -> None:
        self._recogniser = Recogniser(folder=folder)
        self.labels = self._recogniser.labels
        self.threshold = self._recogniser.threshold
        self.card = self._recogniser.card

    def probabilities(self, events: Sequence[EventView]) -> npt.NDArray[np.float32]:
        """Return (n, 3) of flow images."""
        images = [e.flow_image for e in events]
        return self._recogniser(np.stack(images) if images else np.zeros((0, 28, 28, 3), np.uint8))


class SequenceSystem:
    """A network that reads the frames of an event, as `motion.clip_input` makes them.

    Parameters
    ----------
    name
        Of the network and its card.
    folder
        Where they are; the shipped ones where None.
    """

    needs_frames = True

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self.card = weights.card(name, folder=folder)
        self.labels: tuple[str, ...] = tuple(self.card["labels"])
        self.threshold = float(self.card["unsure"]["threshold"])
        self._session = weights.session(name, folder=folder)

    def probabilities(self, events: Sequence[EventView]) -> npt.NDArray[np.float32]:
        """Return (n, classes)."""
        if not events:
            return np.zeros((0, len(self.labels)), np.float32)
        clips = self.card["inputs"]["clips"]
        _, _, length, side, _ = clips["shape"]
        how = {"kind": clips["kind"], "length": length, "side": side, "width": clips.get("width", CROP_WIDTH)}
        made = np.stack([clip_input(e.crops, **how) for e in events])
        answer: npt.NDArray[np.float32] = self._session.run(["probabilities"], {"clips": made})[0]
        return answer


@dataclass(frozen=True, slots=True)
class Entry:
    """How a system is had.

    Attributes
    ----------
    weights
        Name of its network and card.
    load
        Opens it; takes the folder of network and card, None for the shipped ones.
    """

    weights: str
    load: Callable[[Path | None], System]


SYSTEMS: dict[str, Entry] = {
    "flow": Entry("fleeting", FlowSystem),
    "flow-svm": Entry("flow_svm", FlowSvmSystem),
    "dsticnn": Entry("dsticnn", lambda folder: SequenceSystem("dsticnn", folder)),
    "macro-to-micro": Entry("macro_to_micro", lambda folder: SequenceSystem("macro_to_micro", folder)),
}
"""By the name that ``--system`` uses; the first is asked where none is named."""


def available(folder: Path | None = None) -> tuple[str, ...]:
    """Return the systems whose networks are shipped, or lie in a folder, in the order of `SYSTEMS`."""
    return tuple(name for name, entry in SYSTEMS.items() if weights.has(entry.weights, folder=folder))


def open_systems(settings: RecognitionSettings) -> dict[str, System]:
    """Open the systems that the settings ask for; the first one decides an event's class.

    Raises
    ------
    SettingsError
        As `wanted_systems`.
    WeightsError
        Where a network or its card is damaged.
    """
    return {name: SYSTEMS[name].load(folder) for name, folder in wanted_systems(settings).items()}


def wanted_systems(settings: RecognitionSettings) -> dict[str, Path | None]:
    """Return the systems that the settings ask for, with the folder of each one's network; None for the package's.

    Networks in ``settings.folder`` go before shipped ones.

    Raises
    ------
    SettingsError
        For an unknown system, one without a network, or a network under its former name.
    """
    folder = Path(settings.folder) if settings.folder else None
    if folder is not None and not folder.is_dir():
        raise SettingsError("a folder of networks for recognition", str(folder), "Check --weights.")
    former = folder is not None and weights.has("recogniser", folder=folder)  # the name that `fleeting` had
    if former and not weights.has("fleeting", folder=folder):
        hint = "Rename recogniser.onnx and recogniser.json there to fleeting.onnx and fleeting.json."
        raise SettingsError(f"fleeting.onnx in {folder}", "recogniser.onnx, its former name", hint)
    own = available(folder) if folder is not None else ()
    there = [name for name in SYSTEMS if name in own or name in available()]
    if settings.system != ALL and settings.system not in SYSTEMS:
        raise SettingsError(
            "a system that names events", f"'{settings.system}'", nearest(settings.system, (*SYSTEMS, ALL))
        )
    wanted = there if settings.system == ALL else [settings.system]
    for name in wanted:
        if name not in there:
            place = f"{folder} or the package" if folder is not None else "the package"
            raise SettingsError(
                f"{SYSTEMS[name].weights}.onnx for the system '{name}'",
                f"none in {place} (there: {', '.join(there)})",
                "Train it with `fleeting train` and name the folder with --weights.",
            )
    return {name: folder if name in own else None for name in wanted}


def answers(systems: Mapping[str, System], view: EventView) -> tuple[SystemAnswer, ...]:
    """Return what each system says of one event, in their order."""
    return tuple(_answer(name, system, system.probabilities([view])[0]) for name, system in systems.items())


def _answer(name: str, system: System, row: npt.NDArray[np.float32]) -> SystemAnswer:
    best = int(np.argmax(row))
    return SystemAnswer(
        system=name,
        emotion=system.labels[best] if row[best] >= system.threshold else UNSURE,
        probability=float(row[best]),
        probabilities={label: float(p) for label, p in zip(system.labels, row, strict=True)},
    )

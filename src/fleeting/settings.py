"""Settings: frozen dataclasses, read from and written to TOML.

Every default is stated here and nowhere else. An unknown key raises with a "did you mean".
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from fleeting.errors import SettingsError

FlowMethod = Literal["dis", "farneback", "tvl1", "learned"]
Landmarker = Literal["fleeting", "mediapipe"]
Turn = Literal["auto", "0", "90", "180", "270"]
FLOW_METHODS: tuple[str, ...] = get_args(FlowMethod)


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest and largest value of a number; the type of a setting carries it.

    Attributes
    ----------
    low, high
        Both are allowed.
    above
        Whether `low` itself is not.
    below
        Whether `high` itself is not.
    """

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value lies within."""
        low = value > self.low if self.above else value >= self.low
        return low and (value < self.high if self.below else value <= self.high)

    def words(self, name: str) -> str:
        """Say what is expected of a setting of this name."""
        if self.high == math.inf:
            return f"{name} above {self.low:g}" if self.above else f"at least {self.low:g} {name}"
        start = f"above {self.low:g}" if self.above else f"{self.low:g}"
        return f"a {name} of {start} to {'below ' if self.below else ''}{self.high:g}"


Share = Annotated[float, Range(0.0, 1.0)]

FLOW_DEFAULT = "dis between frames, learned from onset to apex"


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """How faces are found and followed.

    Attributes
    ----------
    min_iod_px
        Faces with a smaller inter-ocular distance, in pixels of the frame, are reported as too small.
    max_gap_s
        A face that is lost for longer starts a new segment of its track; so does every gap, but within this time the
        track keeps its id without looking alike.
    find_interval_s
        Seconds between searches of the whole frame while all known faces are followed.
    all_faces
        Analyse every track instead of the largest one.
    face
        Id of the only track to analyse; -1 for the one with the largest area over time.
    landmarker
        ``fleeting`` for the shipped networks, ``mediapipe`` for MediaPipe's (extra ``mediapipe``).
    turn
        Degrees clockwise by which the picture is turned; ``auto`` looks which way up the faces are.
    """

    min_iod_px: Annotated[float, Range(8, 1000)] = 24.0
    max_gap_s: Annotated[float, Range(0, 3600)] = 1.0
    find_interval_s: Annotated[float, Range(0, 60)] = 0.5
    all_faces: bool = False
    face: Annotated[int, Range(-1, 1_000_000)] = -1
    landmarker: Landmarker = "fleeting"
    turn: Turn = "auto"


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """How motion is measured.

    Attributes
    ----------
    flow
        Method of `motion.flow.dense_flow` in every frame.
    event_flow
        Method from onset to apex of an event, for its flow image and the report: once an event, so that it may take
        longer.
    crop_width
        Width of the canonical crop in pixels; its height is 170/140 of it.
    """

    flow: FlowMethod = "dis"
    event_flow: FlowMethod = "learned"
    crop_width: Annotated[int, Range(70, 560)] = 140


@dataclass(frozen=True, slots=True)
class SpottingSettings:
    """The physical criteria of an event; times in seconds so that they hold at any frame rate.

    Attributes
    ----------
    max_micro_s
        A movement of at most this duration is a micro-expression, a longer one a macro-expression (Yan et al., "How
        fast are the leaked facial expressions", J. Nonverbal Behavior 37, 2013: total duration up to 0.5 s).
    min_duration_s
        Shorter movements are noise.
    max_macro_s
        Longer movements are a change of rest, not an expression.
    smoothing_s
        Standard deviation of the smoothing over time before onset, apex and offset are read.
    min_probability
        Smallest probability of a micro-expression, as `spotting.judge` gives it.
    min_probability_speaking
        The same of the lower face while the face speaks (`spotting.while_speaking`), 0 to 1; the larger of the two
        counts. The default asks for ten times the odds.
    threshold
        Smallest peak of a macro-expression in units of the recording's own noise.
    min_displacement_percent_iod
        Smallest displacement that is looked at, and of a micro-expression that is reported, percent of the inter-ocular
        distance.
    min_macro_percent_iod
        Smallest displacement of a macro-expression, percent of the inter-ocular distance.
    """

    max_micro_s: Annotated[float, Range(0.05, 2)] = 0.5
    min_duration_s: Annotated[float, Range(0, 1)] = 0.06
    max_macro_s: Annotated[float, Range(0.1, 60)] = 4.0
    smoothing_s: Annotated[float, Range(0, 0.5)] = 0.02
    min_probability: Share = 0.8
    min_probability_speaking: Share = 0.95
    threshold: Annotated[float, Range(0, 1000)] = 6.0
    min_displacement_percent_iod: Annotated[float, Range(0, 100)] = 0.25
    min_macro_percent_iod: Annotated[float, Range(0, 100)] = 1.2

    def __post_init__(self) -> None:
        if not self.min_duration_s < self.max_micro_s <= self.max_macro_s:
            raise SettingsError(
                "spotting.min_duration_s below max_micro_s, and that at most max_macro_s",
                f"{self.min_duration_s:g}, {self.max_micro_s:g} and {self.max_macro_s:g}",
                "Correct the values.",
            )


@dataclass(frozen=True, slots=True)
class RecognitionSettings:
    """Which system names the events.

    Attributes
    ----------
    system
        A name of `naming.systems.SYSTEMS`, or ``all`` for each that has a network.
    folder
        Of networks of one's own with their cards, which go before the shipped ones; empty for none.
    """

    system: str = "flow"
    folder: str = ""


@dataclass(frozen=True, slots=True)
class ExpressionSettings:
    """How the expression of the whole face is read.

    Attributes
    ----------
    per_second
        How often, at most; 0 for not at all.
    around_s
        Seconds before the onset and after the offset of an event that count as its surroundings.
    min_probability
        Smallest probability with which a macro-expression is named; below it is "unsure".
    min_contradiction
        Smallest probability of a micro-expression's class, and of the opposite expressions around it, for it to be
        marked as contradicting them.
    """

    per_second: Annotated[float, Range(0, 1000)] = 4.0
    around_s: Annotated[float, Range(0, 60)] = 2.0
    min_probability: Share = 0.5
    min_contradiction: Share = 0.6


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """How much a file may unpack to, since a few kilobytes can claim gigabytes; and how many pictures are made.

    Attributes
    ----------
    picture_mpx
        Most megapixels of a picture of a video or folder.
    unpacked_mb
        Most megabytes to which the timeline or the pictures of a folder of results may unpack.
    pictured_events
        Most events of a video of which pictures are made, the clearest first.
    """

    picture_mpx: Annotated[float, Range(1, 1000)] = 64.0
    unpacked_mb: Annotated[float, Range(1, 1_000_000)] = 1024.0
    pictured_events: Annotated[int, Range(0, 1_000_000)] = 400


@dataclass(frozen=True, slots=True)
class AnalyseSettings:
    """All settings of `fleeting analyse`."""

    faces: FaceSettings = field(default_factory=FaceSettings)
    motion: MotionSettings = field(default_factory=MotionSettings)
    spotting: SpottingSettings = field(default_factory=SpottingSettings)
    recognition: RecognitionSettings = field(default_factory=RecognitionSettings)
    expressions: ExpressionSettings = field(default_factory=ExpressionSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)


T = TypeVar("T")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the hint for an unknown word: "Did you mean", or all known ones."""
    choices = list(known)
    near = difflib.get_close_matches(word, choices, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(choices)}."


def from_dict(kind: type[T], values: dict[str, Any], *, where: str = "settings") -> T:
    """Build a settings dataclass from a dictionary.

    Raises
    ------
    SettingsError
        For an unknown key (with the nearest known one), a value of the wrong type or outside its range, or a word
        outside a choice.
    """
    hints = get_type_hints(kind, include_extras=True)
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    built: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(known)}."
            raise SettingsError(expected=f"a known key in {where}", got=f"'{key}'", hint=hint)
        built[key] = _value(hints[key], value, where=f"{where}.{key}")
    return kind(**built)


def in_range(settings: T) -> T:
    """Return settings, each value of which was looked at as `from_dict` does; a program may build any.

    Raises
    ------
    SettingsError
        As `from_dict`.
    """
    return from_dict(type(settings), to_dict(settings))


def _value(hint: Any, value: Any, *, where: str) -> Any:
    if get_origin(hint) is Annotated:
        plain, allowed = get_args(hint)
        value = _value(plain, value, where=where)
        if not allowed.holds(value):
            table, _, key = where.rpartition(".")
            raise SettingsError(f"{allowed.words(key)} in {table}", f"{value!s:.40}", "Correct the value.")
        return value
    if is_dataclass(hint):
        if not isinstance(value, dict):
            raise SettingsError(expected=f"a table for {where}", got=repr(value), hint=f"Write [{where}].")
        return from_dict(hint, value, where=where)  # type: ignore[arg-type]
    choices = get_args(hint)
    if choices and all(isinstance(c, str) for c in choices):
        if value not in choices:
            near = difflib.get_close_matches(str(value), choices, n=1)
            hint_text = f"Did you mean '{near[0]}'?" if near else "Choose one of them."
            raise SettingsError(expected=f"one of {', '.join(choices)} for {where}", got=repr(value), hint=hint_text)
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 1e300 else math.inf
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingsError(f"a finite number for {where}", f"{value:g}", "Correct the value.")
    if isinstance(hint, type) and (not isinstance(value, hint) or (hint is int and isinstance(value, bool))):
        raise SettingsError(
            expected=f"a value of type {hint.__name__} for {where}",
            got=f"{value!r} ({type(value).__name__})",
            hint="Correct the value.",
        )
    return value


def load(kind: type[T], path: str | Path) -> T:
    """Read a settings dataclass from a TOML file.

    Raises
    ------
    SettingsError
        Where the file is missing or no TOML, and as `from_dict`.
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError("a readable settings file", f"{path} ({error.strerror})", "Check the path.") from error
    except (ValueError, RecursionError) as error:  # of TOML, of UTF-8, or of numbers too long
        raise SettingsError("a TOML file", f"{path} ({error})", "Correct the line that is named.") from error
    return from_dict(kind, values, where=Path(path).name)


def to_dict(settings: Any) -> dict[str, Any]:
    """Return settings as plain nested dictionaries."""
    return asdict(settings)


def to_toml(settings: Any) -> str:
    """Return settings as TOML text that `load` reads back."""
    return dict_to_toml({f.name: getattr(settings, f.name) for f in fields(settings)})


def dict_to_toml(values: Mapping[str, Any], *, within: str = "") -> str:
    """Return values as TOML text; settings and mappings become tables, None is left out (TOML has no such value).

    Parameters
    ----------
    values
        Plain values by key.
    within
        Name of the table that the values belong to, as ``[a.b]`` spells it; empty for the top.
    """
    lines: list[str] = []
    tables: list[tuple[str, Mapping[str, Any]]] = []
    for name, value in values.items():
        if is_dataclass(value):
            tables.append((name, {f.name: getattr(value, f.name) for f in fields(value)}))
        elif isinstance(value, Mapping):
            tables.append((name, value))
        elif value is not None:
            lines.append(f"{_toml_key(name)} = {_toml_value(value)}")
    for name, table in tables:
        full = f"{within}.{_toml_key(name)}" if within else _toml_key(name)
        lines += ["", f"[{full}]", dict_to_toml(table, within=full).rstrip()]
    return "\n".join(lines).lstrip("\n") + "\n"


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else _toml_value(name)


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml_key(k)} = {_toml_value(v)}" for k, v in value.items()) + "}"
    return repr(value)

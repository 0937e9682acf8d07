"""Every error that Fleeting raises on purpose.

The tree::

    FleetingError
    ├── InputError              what the user gave cannot be used
    │   ├── VideoError          a file or folder that is no usable video
    │   ├── NoFaceError         no face, or none large enough, in the whole video
    │   ├── DataError           a data set, table or truth file that cannot be read
    │   ├── LeakageError        training and test share a subject, clip or source video
    │   └── SettingsError       an unknown or impossible setting
    ├── OutputError             results cannot be written (permission, disk full)
    ├── JobsError               some of many jobs failed; the others are done
    ├── WeightsError            a shipped network or its card is missing or damaged
    └── MissingExtraError       a command needs an extra that is not installed

A message says what was expected, what came and what to do; `FleetingError` takes the three parts apart so that none is
forgotten. Things that a user should know but that do not stop the work are `FleetingWarning`.
"""

from __future__ import annotations


class FleetingError(Exception):
    """Base of all errors of the package.

    Parameters
    ----------
    expected
        What was needed, as a noun phrase ("a video with at least 2 frames").
    got
        What came instead, with its name and value.
    hint
        What the user can do about it, as a sentence.
    """

    def __init__(self, expected: str, got: str, hint: str) -> None:
        self.expected, self.got, self.hint = expected, got, hint
        super().__init__(expected, got, hint)

    def __str__(self) -> str:
        return f"Expected {self.expected}; got {self.got}. {self.hint}"


class InputError(FleetingError):
    """What the user gave cannot be used."""


class VideoError(InputError):
    """A file or folder is no usable video."""


class NoFaceError(InputError):
    """A video shows no face, or none large enough."""


class DataError(InputError):
    """A data set, table or truth file cannot be read."""


class LeakageError(InputError):
    """Training and test share a subject, clip or source video, so a score would not be honest."""


class SettingsError(InputError):
    """A setting is unknown or impossible."""


class OutputError(FleetingError):
    """Results cannot be written."""


class JobsError(FleetingError):
    """Some of many jobs failed; the others are done."""


class WeightsError(FleetingError):
    """A shipped network or its card is missing or damaged."""


class MissingExtraError(FleetingError):
    """A command needs an extra that is not installed.

    Parameters
    ----------
    extra
        Name of the extra, as in ``pip install fleeting[extra]``.
    needed_for
        What the user wanted to do.
    """

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(
            expected=f"the extra '{extra}' for {needed_for}",
            got="an installation without it",
            hint=f"Install it with: pip install 'fleeting[{extra}]'.",
        )


class FleetingWarning(UserWarning):
    """Something that the user should know, but that did not stop the work."""

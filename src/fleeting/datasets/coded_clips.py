"""Clips with action units: those that somebody coded, from a file of flow images, a manifest or a table beside it.

The table is a csv of the columns ``dataset``, ``subject``, ``clip`` and ``action_units``, a row for each clip.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fleeting.datasets.composite import FlowImages
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.people import person_key
from fleeting.datasets.samples import Samples, from_flow_images, truth_of
from fleeting.datasets.tables import Table
from fleeting.errors import DataError, FleetingWarning
from fleeting.labels import Scheme
from fleeting.records import LID_KINDS
from fleeting.records.action_units import ActionUnit, as_text, parse_strictly

COLUMNS: tuple[str, ...] = ("dataset", "subject", "clip", "action_units")

CODED = Scheme("coded", ("coded",), {}, "every clip whose units somebody coded, whatever its emotion")
"""Stands in for classes of emotions, which this task does not ask for."""


def with_table(images: FlowImages, path: str | Path) -> FlowImages:
    """Return flow images with the units of a table.

    Raises
    ------
    DataError
        Where the table cannot be read or names a clip twice, a unit is none, or the table disagrees with the file about
        a clip's units or its subject.
    """
    table = Table.of_csv(path)
    table.require(*COLUMNS)
    place = {str(clip): i for i, clip in enumerate(images.clip)}
    units: list[tuple[ActionUnit, ...]] = list(images.action_units or [()] * len(images))
    seen: dict[str, int] = {}
    for number, cells in zip(table.numbers, table.records, strict=True):
        clip = f"{cells['dataset'].strip()}/{cells['clip'].strip()}"
        where = f"row {number} of {table.path}"
        if clip in seen:
            raise DataError("every clip once", f"'{clip}' in rows {seen[clip]} and {number} of {path}", "Remove one.")
        seen[clip] = number
        try:
            said = parse_strictly(cells["action_units"])
        except ValueError as error:
            raise DataError(f"action units such as 4+L12B in {where}", str(error), "Correct the cell.") from error
        row = place.get(clip)
        if row is None:
            continue
        person = f"{cells['dataset'].strip()}/{cells['subject'].strip()}"
        if person_key(person) != person_key(str(images.subject[row])):
            raise DataError(
                f"'{images.subject[row]}' as the subject of '{clip}'", f"'{person}' in {where}", "Mend one."
            )
        if units[row] and set(units[row]) != set(said):
            raise DataError(
                f"the units of '{clip}' in the file of flow images ({as_text(units[row])})",
                f"{as_text(said) or 'none'} in {where}",
                "Correct one of them.",
            )
        units[row] = said
    if not seen.keys() & place.keys():
        raise DataError(f"rows of {path} for these flow images", "none", "Name dataset and clip as the file does.")
    return replace(images, action_units=tuple(units))


def coded_images(images: FlowImages, *, what: str) -> tuple[FlowImages, int]:
    """Return the flow images that somebody coded, and how many are left out.

    Parameters
    ----------
    what
        The file, for messages.

    Raises
    ------
    DataError
        Where the file has no units, or no clip any.

    Warns
    -----
    FleetingWarning
        Where clips are left out.
    """
    if images.action_units is None:
        raise DataError(f"an array action_units in {what}", "none", "Add it: text per clip, such as L12+6.")
    rows = np.array([bool(cell) for cell in images.action_units])
    if not rows.any():
        raise DataError(f"action units of at least one clip in {what}", "none", "Write them as 4+L12B.")
    left_out = [str(clip) for clip in images.clip[~rows]]
    if left_out:
        named = ", ".join(left_out[:3]) + (", ..." if len(left_out) > 3 else "")
        text = f"{len(left_out)} of {len(images)} clips have no action units and are left out ({named})."
        warnings.warn(text, FleetingWarning, stacklevel=2)
    return images.select(rows), len(left_out)


def coded_samples(images: FlowImages, units: Sequence[str], *, what: str) -> Samples:
    """Return flow images as samples with these units; raises and warns as `coded_images`."""
    coded, _ = coded_images(images, what=what)
    return replace(
        from_flow_images(coded),
        label=np.zeros(len(coded), np.int64),
        classes=CODED.classes,
        units=tuple(units),
        action_units=truth_of(coded.action_units or (), units),
    )


def coded_rows(manifest: Manifest) -> tuple[list[int], list[int], Scheme]:
    """Return the rows with action units, one label for all of them, and `CODED`.

    Macro-expressions, blinks and winks are left out where the manifest has micro-expressions.

    Raises
    ------
    DataError
        Where no row has any.
    """
    types = {row.type for row in manifest.rows}
    wanted = {"micro"} if "micro" in types else types - set(LID_KINDS)
    rows = [i for i, row in enumerate(manifest.rows) if row.type in wanted and row.action_units]
    if not rows:
        raise DataError(
            "clips with action units", f"none in {', '.join(manifest.source)}", "Add a column action_units."
        )
    left_out = sum(row.type in wanted for row in manifest.rows) - len(rows)
    if left_out:
        text = f"{left_out} of {left_out + len(rows)} clips have no action units and are left out."
        warnings.warn(text, FleetingWarning, stacklevel=2)
    return rows, [0] * len(rows), CODED

"""A timeline comes in, files for other programs go out: one writer per format.

`formats` knows the writers by name; start there. `timeline_json` also reads what it has written, after
``timeline.schema.json``.
"""

from fleeting.export.formats import DEFAULT_FORMATS, FILES, FORMATS, check_formats, write

__all__ = ["DEFAULT_FORMATS", "FILES", "FORMATS", "check_formats", "write"]

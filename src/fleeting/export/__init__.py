"""Timelines as files: one writer per format."""

from fleeting.export.formats import DEFAULT_FORMATS, FORMATS, check_formats, write

__all__ = ["DEFAULT_FORMATS", "FORMATS", "check_formats", "write"]

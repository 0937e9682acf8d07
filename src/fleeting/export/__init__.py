"""Export: timelines as files for other tools."""

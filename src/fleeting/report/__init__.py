"""Report: one self-contained HTML page for a timeline."""

"""Data sets: one file per set, each only turns its annotations into the manifest."""

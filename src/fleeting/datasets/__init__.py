"""Labelled data sets come in, one manifest and arrays of clips go out.

`readers` turns each set's annotations into rows of the `manifest`; `registry` knows the sets by name, `check` compares
them with what was published. `prepare` makes flow images and sequences by the analysis' own code, and `load` gives
arrays to recognisers. Start with `registry` and `readers.casme2`.
"""

"""DSTICNN: two 3-D CNNs see one clip at two temporal scales and teach each other while training.

`network` has both streams and the losses that tie them, `recogniser` fits them to clips, `train` is the recipe
(`recipes/dsticnn.toml`) with measurement and export. `docs/explanation/sequences.md` explains the paper and what was
found.
"""

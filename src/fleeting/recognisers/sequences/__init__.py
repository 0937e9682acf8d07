"""What systems that read whole clips share: clips as arrays, a fit that can be stopped, recipes, and made-up sequences.

Start with `clip_rows` (what a network is given) and `fit` (how it is trained). `sets` makes sequences of known
movements where no data set is at hand.
"""

"""Training for folds of whole people: folds inside the training data, and all folds of a benchmark at once.

`inner_folds` holds out training people for what has to be chosen. `many_folds` trains one network per fold as one
tensor (`folded`), with an Adam of its own.
"""

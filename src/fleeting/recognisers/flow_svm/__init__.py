"""Revised flow and a support vector machine (Li et al. 2019, stages 3 and 4).

`transformers` are the steps of the revised flow (`motion.revised_flow`) for a pipeline, `recogniser` fits them,
`train` is the recipe (`recipes/flow_svm.toml`) with export.
"""

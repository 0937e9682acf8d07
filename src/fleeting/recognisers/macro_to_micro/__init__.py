"""Macro-to-micro: a network of macro-expressions guides one of micro-expressions.

`network` has MiNet, MaNet and what aligns them, `guide` trains MaNet and keeps what it says, `recogniser` fits MiNet,
`train` is the recipe (`recipes/macro_to_micro.toml`) with measurement and export.
"""

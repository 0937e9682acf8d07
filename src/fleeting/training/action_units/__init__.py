"""The network of action units: which muscles moved from onset to apex, and on which side.

`train` is the recipe (`recipes/action_units.toml`) and writes the network by `export`; start with `model`, which says
what it is made of. `moved_portraits` films people who are moved by the known units of `movements`, `network` learns
from them, and `clips` are those that coders looked at.
"""

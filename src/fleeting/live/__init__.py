"""Frames of a camera come in, events go out about a second after each has ended.

`live` analyses the last seconds again and again with the code of `analysis`; `faces` keeps what these seconds showed.
Start with `live`.
"""

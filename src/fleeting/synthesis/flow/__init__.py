"""Pairs of pictures of a face with the exact flow between them.

`portrait` and `scene` say what can move, `pairs` draws pairs without end, `grid` is the fixed set that methods are
compared on.
"""

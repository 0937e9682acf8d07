"""The face finder: one pass over a grey frame gives the boxes of all faces.

`network`, `scenes` (composed anew for every step), `targets` with the loss, `train`, `export`.
"""

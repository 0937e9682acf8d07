"""Frames come in, faces with landmarks, pose and openings go out, followed over time.

`detect` finds faces (`finder`) and their points (`landmarks`); `track` follows each face and gives it an id; `align`
makes the canonical crop that all of the project shares. Start with `track` and `align`.
"""

"""A linear recogniser of flow images that treats both halves of the face alike.

`linear` is the model, `recogniser` the benchmark's view of it, `train` fits it after a recipe and writes it as
ONNX.
"""

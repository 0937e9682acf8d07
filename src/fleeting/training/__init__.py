"""Pictures or films and a recipe come in, a shipped network goes out.

`run.train` reads the recipe and calls the training that it names. `loop` is the one training loop, `recipe` reads the
settings, `export` writes ONNX; a folder per network holds its network, data, fit and export. Start with `loop`, then
with `face_finder.train`.
"""

"""Expression networks of the whole face: Deep-Emotion as published, and our own.

`network` is ours, `pictures` the data, `train` the fit, `export` writes ONNX. `shipped`
gives the shipped files back as torch modules, for maps by gradients.
"""

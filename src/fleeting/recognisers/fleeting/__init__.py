"""Our own recogniser of flow images: a kernel machine and small networks that know synthetic movements.

`recogniser` is the model; start there. `network` is the small network and what it sees, `fourier_ridge`
the kernel machine, `synthetic_flow` the movements that are known beforehand. `train` is the recipe
(`recipes/fleeting.toml`), and writes it as ONNX.
"""

"""Our own recogniser of flow images: a kernel machine and small networks that know synthetic movements.

`recogniser` is the model; start there. `network` and `inputs` are the small networks and what they see,
`fourier_ridge` the kernel machine, `synthetic_flow` the movements that are known beforehand. `train` is the recipe
(`recipes/fleeting.toml`), `export` writes it as ONNX.
"""

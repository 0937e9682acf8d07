"""Our own recogniser of flow images: a kernel machine that knows moved portraits before it sees people.

`recogniser` is the model; start there. `fourier_ridge` is the kernel machine, `network` what it sees of a flow image,
and the small network of action units. `train` is the recipe (`recipes/fleeting.toml`), and writes it as ONNX.
"""

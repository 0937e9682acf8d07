"""ONNX Runtime, imported here and nowhere else, so that its telemetry is off before it starts.

Since version 1.29 its wheels for Linux write a device identifier into the user's cache folder, and send what system,
program and models they run with. Only a variable of the environment that is set before the first import prevents it:
``disable_telemetry_events()`` comes too late. `SECURITY.md` tells what was found.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def open_network(model: Path | bytes, *, threads: int = 1, sizes: Mapping[str, int] | None = None) -> Any:
    """Open a network as an ``onnxruntime.InferenceSession`` on the CPU.

    Parameters
    ----------
    model
        An ONNX file, or its content.
    threads
        That share the work of one call.
    sizes
        Lengths of axes that the network leaves open, by name.
    """
    # Whatever the user's own environment says: that nothing is sent is a promise.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for axis, length in (sizes or {}).items():
        options.add_free_dimension_override_by_name(axis, length)
    given = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])

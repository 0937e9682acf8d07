"""Optical strain: how much a flow stretches the skin, whatever the head does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError


def optical_strain(flow: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the magnitude of the optical strain of a flow.

    With the infinitesimal strain tensor ``e = (grad F + grad F^T) / 2`` of the flow F = (u, v), that is
    ``e_xx = du/dx``, ``e_yy = dv/dy``, ``e_xy = e_yx = (du/dy + dv/dx) / 2``, the magnitude is
    ``sqrt(e_xx^2 + e_yy^2 + e_xy^2 + e_yx^2)``: Shreve et al., "Macro- and micro-expression spotting in long videos
    using spatio-temporal strain", FG 2011; Liong et al., "Optical strain based recognition of subtle emotions", ISPACS
    2014. A shift of the head has none, and a rotation by an angle t only sqrt(2) (1 - cos t): 0.0002 for one degree.

    Parameters
    ----------
    flow
        (h, w, 2) float32 pixels, each side at least 2.

    Returns
    -------
    (h, w) float32
        Without unit (pixels per pixel). Derivatives are central differences, one-sided at the border.

    Raises
    ------
    InputError
        Where `flow` has another shape.
    """
    if flow.ndim != 3 or flow.shape[2] != 2 or min(flow.shape[:2]) < 2:
        raise InputError(
            "a flow (h, w, 2), h and w at least 2", f"shape {flow.shape}", "Pass the output of dense_flow."
        )
    u_y, u_x = np.gradient(flow[..., 0])
    v_y, v_x = np.gradient(flow[..., 1])
    shear = (u_y + v_x) / 2
    strain: npt.NDArray[np.float32] = np.sqrt(u_x**2 + v_y**2 + 2 * shear**2).astype(np.float32)
    return strain

"""What a flow image says of the 36 regions of the face: the feature that the machine of revised flow reads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleeting.motion.revised_flow import region_vectors, towards_apex
from fleeting.synthesis.face.motion_transfer import centred_flow


def image_directions(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the main directions of a flow image (28, 28, 3) uint8: x and y of region after region, (72,) float32.

    Raises
    ------
    InputError
        For another shape or type.
    """
    return towards_apex(region_vectors(centred_flow(image)[None])).ravel()

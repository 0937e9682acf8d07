"""Main directional mean optical flow and a support vector machine, of clips and of flow images."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from fleeting.datasets.samples import Samples
from fleeting.motion.mdmo import Encoding, flow_image_directions, mdmo
from fleeting.recognisers.clip_svm import ClipSvm, Rows, SvmSettings, of_each, sequences

_POLYNOMIAL = SvmSettings(kernel="poly", degrees=(1, 2, 3), strengths=(1e-2, 1e-1, 1.0, 10.0))


@dataclass(frozen=True, slots=True)
class Mdmo(ClipSvm):
    """How each of 36 regions moves, averaged over the clip (`motion.mdmo`); the kernel is polynomial as in the paper.

    Attributes
    ----------
    encoding
        As for `motion.mdmo.mdmo`.
    svm
        Kernel and candidates of its degree and strength.
    """

    encoding: Encoding = "polar"
    svm: SvmSettings = field(default_factory=lambda: _POLYNOMIAL)
    name: str = "mdmo"

    def features(self, samples: Samples) -> Rows:
        """Return the feature of every clip, (n, 72).

        Raises
        ------
        DataError
            Where the samples carry no clips.
        InputError
            Where they are not canonical crops.
        """
        return of_each(sequences(samples), partial(mdmo, encoding=self.encoding), key=f"mdmo {self.encoding}")


@dataclass(frozen=True, slots=True)
class FlowImageDirections(ClipSvm):
    """The like of MDMO for published flow images, which keep no angles (`motion.mdmo.flow_image_directions`)."""

    svm: SvmSettings = field(default_factory=lambda: _POLYNOMIAL)
    name: str = "mdmo-flow-image"
    needs: Literal["flow", "sequence"] = "flow"

    def features(self, samples: Samples) -> Rows:
        """Return the feature of every flow image, (n, 72).

        Raises
        ------
        DataError
            Where the samples carry no flow images.
        """
        return of_each(samples.flow_images(), flow_image_directions, key="flow image directions")

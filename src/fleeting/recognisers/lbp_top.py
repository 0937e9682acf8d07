"""LBP-TOP and a linear support vector machine: the oldest baseline of the field."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from fleeting.datasets.samples import Samples
from fleeting.motion.lbp_top import LbpTopSettings, lbp_top
from fleeting.recognisers.clip_svm import ClipSvm, Rows, SvmSettings, of_each, sequences


@dataclass(frozen=True, slots=True)
class LbpTop(ClipSvm):
    """Local binary patterns on three planes of the clip (`motion.lbp_top`).

    Attributes
    ----------
    feature
        Blocks, radii, patterns.
    svm
        Kernel and candidates of its strength.
    """

    feature: LbpTopSettings = field(default_factory=LbpTopSettings)
    svm: SvmSettings = field(default_factory=lambda: SvmSettings(strengths=(1e-5, 1e-4, 1e-3, 1e-2)))
    name: str = "lbp-top"

    def features(self, samples: Samples) -> Rows:
        """Return the histograms of every clip, (n, `LbpTopSettings.length`).

        Raises
        ------
        DataError
            Where the samples carry no clips.
        InputError
            Where clips are too short or too small.
        """
        make = partial(lbp_top, settings=self.feature)
        return of_each(sequences(samples), make, key=repr(self.feature))

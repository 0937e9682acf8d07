"""The settings of ``recipes/spotter.toml``."""

from __future__ import annotations

from dataclasses import dataclass

from fleeting.training.recipe import Count, CountOrNone, NotNegative, Positive, Share, ShareBelowOne


@dataclass(frozen=True, slots=True)
class SpotterRecipe:
    """What `fleeting train` reads from ``recipes/spotter.toml``.

    Attributes
    ----------
    task
        Always ``spotter``.
    films, validation
        Folders of measured films of training and of validation people (``benchmarks/spotting_measurements.py``).
    real
        Measured motion of real people below the data, as surroundings; empty for none.
    flow
        Flow images below the data, of which the patterns of real micro-expressions are taken; empty for none.
    seed
        Of movements put on top, weights and order.
    variants, real_variants
        How often each synthetic and each real film is used with movements put on top, beside once as it is.
    nothing_share
        Share of the candidates without an event that is learned from.
    epochs, batch, learning_rate, weight_decay
        Of AdamW, on a cosine down to zero; on synthetic films alone.
    real_epochs, real_rate
        The same for all films, which come after them.
    width, dropout
        Of `training.spotter.network.SpottingNetwork`.
    jitter
        Standard deviation of the noise that is added to windows.
    hidden
        Probability with which each curve of a window is hidden in training.
    members
        Networks that are trained from different seeds; their probabilities are averaged.
    """

    task: str = "spotter"
    films: str = "runs/spotting_train"
    validation: str = "runs/spotting_validation"
    real: str = ""
    flow: str = ""
    seed: int = 0
    variants: CountOrNone = 8
    real_variants: CountOrNone = 0
    nothing_share: Share = 1.0
    epochs: Count = 20
    batch: Count = 128
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 2e-2
    real_epochs: CountOrNone = 0
    real_rate: Positive = 1e-3
    width: Count = 40
    dropout: ShareBelowOne = 0.3
    jitter: NotNegative = 0.1
    hidden: Share = 0.1
    members: Count = 1

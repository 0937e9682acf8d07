"""STSTNet: a shallow network of three streams for flow images.

Liong, Gan, See, Khor, Huang, "Shallow triple stream three-dimensional CNN (STSTNet) for micro-expression recognition",
FG 2019 (arXiv 1902.03634), section III and its table of layers.

Deviations and readings
-----------------------
- Every stream sees all three channels of the flow image: one convolution of 3 x 3 with 3, 5 or 8 filters, maximum
  pooling of 3 x 3 with stride 3; the streams are joined, averaged over 2 x 2 and give 5 x 5 x 16 = 400 features to
  one fully connected layer.
- The order ReLU, batch norm, pooling, dropout of a half and the padding of 2 are those of the authors' published
  PyTorch training, as are its settings (Adam, 5e-5, 800 epochs, batches of 256 in the stored order, pixels 0..255). The
  paper prints a padding of 1; both give 10 x 10 after pooling.
"""

from __future__ import annotations

from torch import nn

from fleeting.recognisers.streams import Streams

FILTERS: tuple[int, ...] = (3, 5, 8)


def ststnet(*, classes: int = 3, filters: tuple[int, ...] = FILTERS, dropout: float = 0.5) -> nn.Sequential:
    """Return an untrained STSTNet from flow images (n, 3, 28, 28) float32, 0..255, to logits (n, classes).

    1,683 weights with the default settings.
    """
    streams = [
        nn.Sequential(
            nn.Conv2d(3, count, 3, padding=2), nn.ReLU(), nn.BatchNorm2d(count), nn.MaxPool2d(3, 3, 1),
            nn.Dropout(dropout),
        )
        for count in filters
    ]  # fmt: skip
    return nn.Sequential(Streams(streams), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(25 * sum(filters), classes))

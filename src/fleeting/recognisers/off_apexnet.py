"""OFF-ApexNet: one stream for the vertical and one for the horizontal flow from onset to apex.

Gan, Liong, Yau, Huang, Tan, "OFF-ApexNet on micro-expression recognition system", Signal Processing: Image
Communication 74, 2019 (arXiv 1805.08699): two streams of two convolutions of 5 x 5 with 6 and 16 filters, each followed
by maximum pooling of 2 x 2; the 7 x 7 x 16 features of both give two fully connected layers of 1024 and the classes.

Deviations and readings
-----------------------
- The paper states neither the padding (here 2, so that 28 x 28 becomes 7 x 7 x 16 = 784 a stream, as printed) nor where
  dropout stands: here a half after each hidden fully connected layer.
- Strain, which is in the flow image too, is not looked at.
"""

from __future__ import annotations

from torch import nn

from fleeting.motion.flow_image import CHANNELS
from fleeting.recognisers.streams import Channel, Streams


def off_apexnet(*, classes: int = 3, hidden: int = 1024, dropout: float = 0.5) -> nn.Sequential:
    """Return an untrained OFF-ApexNet from flow images (n, 3, 28, 28) float32 to logits (n, classes).

    2,664,475 weights with the default settings.
    """
    streams = [
        nn.Sequential(
            Channel(CHANNELS.index(name)),
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        )
        for name in ("v", "u")
    ]  # fmt: skip
    return nn.Sequential(
        Streams(streams), nn.Flatten(),
        nn.Linear(2 * 16 * 49, hidden), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    )  # fmt: skip

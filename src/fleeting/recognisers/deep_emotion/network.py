"""Deep-Emotion: the attentional convolutional network of Minaee, Minaei and Abdolrashidi.

*Deep-Emotion: facial expression recognition using attentional convolutional network*, Sensors 21(9), 3046, 2021
(arXiv 1902.01019), section 3 and figure 2.

From the paper: four convolutions of 3 x 3 with 10 channels, the second and fourth followed by max-pooling, ReLU after
each; dropout; a spatial transformer (Jaderberg et al., NeurIPS 2015) that warps these feature maps by an affine map,
which a localisation network of two convolutions and two linear layers reads from the input; two linear layers to the
classes; cross-entropy plus a multiple of the squared norm of these two layers' weights; Adam.

Deviations and readings
-----------------------
- The transformer warps the *feature maps* (10, 9, 9), as the paper's figure shows. The best-known public code warps the
  input instead.
- Convolutions are valid (no padding) and pools 2 x 2, which gives 810 features from a 48 x 48 picture. The localisation
  network's 90 features need pools of 4 and then 3.
- The transformer starts as the identity: zero weights, bias (1, 0, 0; 0, 1, 0).
- A ReLU between the two linear layers, without which they would be one.
- Dropout acts in training alone. Its rate is not stated; 0.1 here unless set.
- A picture is standardised by its own mean and deviation; the paper does not say how it scales pictures.
- The learning rate of the paper (.005 throughout 500 epochs) is a setting of the recipe, as are augmentation and the
  averaging of weights, of which the paper says nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CLASSES = 7
FEATURES = 810
LOCALISATION_FEATURES = 90


def standardise(faces: Tensor) -> Tensor:
    """Return pictures (n, 1, h, w), of any scale, each with mean 0 and standard deviation 1 (flat ones become 0)."""
    mean = faces.mean((1, 2, 3), keepdim=True)
    centred = faces - mean
    deviation = (centred * centred).mean((1, 2, 3), keepdim=True).sqrt()
    return centred / (deviation + 1e-2)


class DeepEmotion(nn.Module):
    """The faithful network, 47,657 parameters; input (n, 1, 48, 48) float standardised, output (n, 7) logits."""

    def __init__(self, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(1, 10, 3),
            nn.ReLU(),
            nn.Conv2d(10, 10, 3),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(10, 10, 3),
            nn.ReLU(),
            nn.Conv2d(10, 10, 3),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.localisation = nn.Sequential(
            nn.Conv2d(1, 8, 3),
            nn.MaxPool2d(4),
            nn.ReLU(),
            nn.Conv2d(8, 10, 3),
            nn.MaxPool2d(3),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.affine = nn.Sequential(nn.Linear(LOCALISATION_FEATURES, 32), nn.ReLU(), nn.Linear(32, 6))
        self.first = nn.Linear(FEATURES, 50)
        self.second = nn.Linear(50, CLASSES)
        last = self.affine[2]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))
        # Corners of the map at -1 and 1 (align_corners), so that the identity reads every cell at its own centre.
        side = torch.linspace(-1, 1, 9)
        y, x = torch.meshgrid(side, side, indexing="ij")
        self.register_buffer("cells", torch.stack([x, y, torch.ones_like(x)], -1).reshape(81, 3), persistent=False)

    def transform(self, maps: Tensor, faces: Tensor) -> Tensor:
        """Warp feature maps (n, 10, 9, 9) by the affine maps that the localisation network reads from the pictures."""
        affine = self.affine(self.localisation(faces)).float().reshape(-1, 2, 1, 3)
        cells = self.cells
        assert isinstance(cells, Tensor)
        # Written out instead of as a matrix product, whose places autocast would round to bfloat16.
        grid = (affine * cells).sum(3).transpose(1, 2).reshape(-1, 9, 9, 2)
        return nn.functional.grid_sample(maps.float(), grid, align_corners=True)

    def forward(self, faces: Tensor) -> Tensor:
        """Return logits (n, 7) for standardised pictures (n, 1, 48, 48)."""
        features = self.transform(self.path(faces), faces).flatten(1)
        logits: Tensor = self.second(torch.relu(self.first(features)))
        return logits

    def penalised(self) -> list[Tensor]:
        """Weights of the two linear layers, whose squared norm the paper adds to the loss."""
        return [self.first.weight, self.second.weight]

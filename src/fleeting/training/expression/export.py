"""Write a trained expression network as ONNX with its card."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fleeting.datasets import fer2013
from fleeting.labels import SEVEN_CLASSES
from fleeting.recognisers.deep_emotion.network import DeepEmotion
from fleeting.training.export import compare, store_in_half, write_card, write_onnx
from fleeting.training.expression.network import ExpressionNetwork
from fleeting.training.expression.recipe import ExpressionRecipe
from fleeting.training.expression.shipped import ExpressionAnswer
from fleeting.weights.runtime import open_network

LARGEST_DIFFERENCE = 0.02
"""By which a probability of the ONNX file may differ from torch's: its weights are stored in half precision."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a training knows at its end.

    Attributes
    ----------
    faces, split
        All pictures, and which of them were trained and chosen on.
    logits
        (k, 7) of the validation rows, before the temperature.
    temperature
        Divides the logits; fitted on the validation rows.
    """

    faces: fer2013.FacePictures
    split: fer2013.TrainingSplit
    logits: npt.NDArray[np.float32]
    temperature: float


def export(wrapped: ExpressionAnswer, path: Path) -> float:
    """Write the network as ONNX with weights in half precision, cast to single when the file is opened.

    Returns
    -------
    float
        Largest difference of a probability from torch's, on pictures of noise and gradients.

    Raises
    ------
    RuntimeError
        Where that difference exceeds `LARGEST_DIFFERENCE`.
    """
    wrapped = wrapped.eval()
    example = torch.zeros((2, fer2013.SIZE, fer2013.SIZE), dtype=torch.uint8)
    write_onnx(wrapped, (example,), path, inputs=["faces"], outputs=["probabilities"])
    store_in_half(path, least=256)

    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, fer2013.SIZE)
    noise = rng.integers(0, 256, (16, fer2013.SIZE, fer2013.SIZE)) * rng.uniform(0, 1, (16, 1, 1))
    faces = np.clip((noise + ramp) / 2, 0, 255).astype(np.uint8)
    with torch.no_grad():
        return compare(path, {"faces": faces}, [wrapped(torch.from_numpy(faces))], most=LARGEST_DIFFERENCE)


def probabilities_of(path: Path, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return what an ONNX file of `export` says of pictures (n, 48, 48): (n, 7)."""
    session = open_network(path)
    found = [session.run(None, {"faces": pictures[i : i + 64]})[0] for i in range(0, len(pictures), 64)]
    return np.concatenate(found).astype(np.float32, copy=False)


def scores(probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Return accuracy, recall by class, mean negative log likelihood and number of pictures, for a card."""
    right = probabilities.argmax(1) == label
    likelihood = np.maximum(probabilities[np.arange(len(label)), label], 1e-12)
    recall = {name: float(right[label == k].mean()) for k, name in enumerate(SEVEN_CLASSES) if (label == k).any()}
    return {
        "accuracy": round(float(right.mean()), 4),
        "log_loss": round(float(-np.log(likelihood).mean()), 4),
        "recall": {name: round(value, 4) for name, value in recall.items()},
        "pictures": len(label),
    }


def ship(
    network: DeepEmotion | ExpressionNetwork,
    recipe: ExpressionRecipe,
    measured: Measured,
    *,
    out: Path,
    trained_from: Path,
) -> None:
    """Write ``NAME.onnx`` and ``NAME.json`` into a training's folder; to ship, copy both to ``weights/``.

    PublicTest is measured here, once, on the file that is shipped.
    """
    name = recipe.network
    path = out / f"{name}.onnx"
    wrapped = ExpressionAnswer(network, temperature=measured.temperature, views=recipe.views())
    difference = export(wrapped, path)
    faces, split = measured.faces, measured.split
    parts = {"validation": split.validation, "public_test": np.flatnonzero(faces.part == fer2013.PUBLIC_TEST)}
    found = {
        part: scores(probabilities_of(path, faces.pictures[rows]), faces.label[rows])
        for part, rows in parts.items()
        if len(rows)
    }
    scaled = torch.from_numpy(measured.logits).softmax(1).numpy()
    card: dict[str, Any] = {
        "name": name,
        "task": "one of seven expressions of a face picture",
        "version": 1,
        "data": "FER-2013, Training part; labels of the set"
        + (" and votes of FER+" if recipe.vote_share or recipe.vote_weight else "")
        + (f"; answers of the shipped network {recipe.taught_by}" if recipe.taught_by else ""),
        "subjects": {"people of FER-2013, unnamed": "unknown number"},
        "pictures": {
            "trained on": len(split.train),
            "chosen on": len(split.validation),
            "left out, byte-identical to test pictures": len(split.dropped),
            "validation_percent": recipe.validation_percent,
        },
        "recipe": f"recipes/{trained_from.name}",
        "command": f"fleeting train recipes/{trained_from.name} --data ../shared/data --out runs/{trained_from.stem}",
        "views": asdict(recipe.views()),
        "preprocessing": "grey picture of 48 x 48, cropped tightly to the face, 0..255; all else is inside the "
        "network: mean 0 and deviation 1"
        + (f", seen at {recipe.zoom:g} of its sides" if recipe.zoom < 1 else "")
        + (f", average of copies tilted by {recipe.tilt_deg:g} degrees either way" if recipe.tilt_deg else "")
        + (", average with the mirror image" if recipe.flip else ""),
        "inputs": {"faces": "(n, 48, 48) uint8"},
        "outputs": {"probabilities": "(n, 7) float32"},
        "labels": list(SEVEN_CLASSES),
        "temperature": round(measured.temperature, 4),
        "scores": {
            "protocol": "FER-2013, the set's own labels; validation is a part of Training cut by a hash of the pixels, "
            "on which settings were chosen and the temperature was fitted; PublicTest was measured once, after all",
            **found,
            "validation_accuracy_before_export": round(
                float((scaled.argmax(1) == faces.label[split.validation]).mean()), 4
            ),
            "onnx_difference": round(difference, 6),
        },
        "seed": recipe.seed,
        "parameters": sum(p.numel() for p in network.parameters()),
        "limits": "Posed and acted faces found on the internet, labelled by what they look like: about a third of the "
        "labels are disputed between people. An expression is not a feeling. Faces must be cropped tightly; profiles, "
        "masks and hands lower the accuracy. Disgust is rare (1.5 %) and often taken for anger.",
        "licence": "MIT; learned from data published for research use",
    }
    write_card(path, card)

from __future__ import annotations

import numpy as np
import pytest

from fleeting.training.people import part_of


def test_shares_of_the_parts() -> None:
    parts = [part_of(f"person {i}") for i in range(4000)]
    shares = [np.mean([p == name for p in parts]) for name in ("train", "validation", "test")]
    assert shares == pytest.approx([0.70, 0.15, 0.15], abs=0.02)


def test_parts_never_change() -> None:
    # Written down once: a change of the rule would move people of shipped networks from train to test.
    assert [part_of(name) for name in ("Abdullah_Gul", "congress/29701", "f", "h", "i")] == PARTS


PARTS = ["train", "train", "validation", "test", "validation"]

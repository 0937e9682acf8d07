from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from fleeting.cli.app import app, run
from fleeting.motion.flow import dense_flow
from fleeting.motion.flow_files import from_flo


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(48, 64)), (0, 0), 2)
    first = np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), first)
    cv2.imwrite(str(tmp_path / "b.png"), np.roll(first, 1, 1))
    cv2.imwrite(str(tmp_path / "small.png"), first[:40])
    return tmp_path


def call(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["flow", *words])
    return done.exit_code, done.output if done.exception is None else str(done.exception)


@pytest.mark.parametrize("method", ["dis", "farneback"])
def test_three_files_and_what_was_measured(pictures: Path, method: str) -> None:
    out = pictures / "new" / "found.npz"
    code, said = call(str(pictures / "a.png"), str(pictures / "b.png"), "--method", method, "--out", str(out), "--json")
    assert code == 0, said
    told = json.loads(said)
    assert [Path(f).suffix for f in told["files"]] == [".npz", ".flo", ".png"]
    with np.load(out) as stored:
        flow = stored["flow"]
    assert flow.shape == (48, 64, 2)
    np.testing.assert_allclose(np.median(flow[8:-8, 8:-8], (0, 1)), (1, 0), atol=0.1)
    first, second = (cv2.imread(str(pictures / n), cv2.IMREAD_GRAYSCALE) for n in ("a.png", "b.png"))
    np.testing.assert_array_equal(flow, dense_flow(first, second, method=method))  # type: ignore[arg-type]
    np.testing.assert_array_equal(from_flo(out.with_suffix(".flo").read_bytes()), flow)
    assert told["mean_px"] == pytest.approx(np.hypot(flow[..., 0], flow[..., 1]).mean(), abs=1e-4)


def test_it_says_where_the_files_are(pictures: Path) -> None:
    code, said = call(
        str(pictures / "a.png"), str(pictures / "a.png"), "--method", "dis", "--out", str(pictures / "x.npz")
    )
    assert code == 0
    assert "0.000 px on average" in said
    assert str(pictures / "x.flo") in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a.png", "small.png"), "two pictures of the same size; got 64 x 48 and 64 x 40"),
        (("a.png", "none.png"), "none.png (No such file or directory)"),
        (("a.png", "b.png", "--method", "tvl"), "Did you mean 'tvl1'"),
    ],
)
def test_what_cannot_be_measured_is_said(
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(pictures)
    monkeypatch.setattr("sys.argv", ["fleeting", "flow", *words, "--out", "x.npz"])
    assert run(app) == 1
    assert message in capsys.readouterr().err
    assert not (pictures / "x.npz").exists()

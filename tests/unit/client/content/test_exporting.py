"""The graph with 8-bit weights says what the trained network says."""

import importlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from hometone_client.content.posterior import positions

ROOT = Path(__file__).parents[4]


def test_the_exported_graph_agrees_with_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    network = importlib.import_module("tools.content_encoder.network").PosteriorNetwork(width=96, early=1, late=2)
    torch.manual_seed(3)
    for block in (*network.early, *network.late):
        torch.nn.init.normal_(block.gain)  # as if trained: every branch counts
    torch.nn.init.normal_(network.feature_mean)
    path = tmp_path / "posterior.onnx"
    importlib.import_module("tools.content_encoder.exporting").export(network, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for frames, heard in ((80, 101), (2, 3), (1, 1)):
        left, share = positions(frames, heard)
        features = np.random.default_rng(frames).standard_normal((1, heard, 512), dtype=np.float32)
        carried = session.run(["mean", "log_variance"], {"features": features, "left": left[None], "share": share[None]})
        with torch.inference_mode():
            trained = network.eval()(torch.from_numpy(features), torch.from_numpy(left[None]), torch.from_numpy(share[None]))
        for packed, full in zip(carried, trained, strict=True):
            assert packed.shape == full.shape == (1, 512, frames)
            assert np.sqrt(np.mean((packed - full.numpy()) ** 2)) < 0.03 * full.numpy().std()

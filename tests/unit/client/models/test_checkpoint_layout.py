"""From torch's layouts to those of the graphs: against torch itself, and nothing odd let through."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from hometone_client.models.checkpoint_layout import parameters
from hometone_shared.errors import ModelError


def arrays(module: nn.Module, prefix: str) -> dict[str, np.ndarray]:
    return {f"{prefix}.{name}": tensor.numpy().astype(np.float32) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("way", [nn.Conv1d, nn.ConvTranspose1d])
def test_weight_norm_is_what_torch_multiplies_out(way: type[nn.Conv1d]) -> None:
    torch.manual_seed(0)
    conv = way(6, 4, 3)
    shape = tuple(conv.weight.shape)
    parametrizations.weight_norm(conv)
    with torch.no_grad():
        conv.parametrizations.weight.original0.mul_(1.7)
        expected = conv.weight.numpy().copy()
    new_style = arrays(conv, "decoder.a")
    assert set(new_style) == {f"decoder.a.{n}" for n in ("bias", "parametrizations.weight.original0", "parametrizations.weight.original1")}
    old_style = {
        name.replace("parametrizations.weight.original0", "weight_g").replace("parametrizations.weight.original1", "weight_v"): array
        for name, array in new_style.items()
    }
    for tensors in (new_style, old_style):
        made = parameters(tensors, {"decoder.a.weight": shape, "decoder.a.bias": (4,)})
        np.testing.assert_allclose(made["decoder.a.weight"], expected, rtol=1e-6)


def test_lstm_tables_and_linear_layers() -> None:
    torch.manual_seed(0)
    lstm = nn.LSTM(5, 3, bidirectional=True)
    linear, square, table = nn.Linear(5, 2), nn.Linear(4, 4), nn.Embedding(7, 5)
    tensors = arrays(lstm, "p.lstm") | arrays(linear, "p.fc") | arrays(square, "p.embedding_in") | arrays(table, "p.word_embeddings")
    made = parameters(
        tensors,
        {
            "p.lstm.W": (2, 12, 5),
            "p.lstm.R": (2, 12, 3),
            "p.lstm.B": (2, 24),
            "p.fc.weight": (5, 2),
            "p.fc.bias": (2,),
            "p.embedding_in.weight": (4, 4),
            "p.embedding_in.bias": (4,),
            "p.word_embeddings.weight": (7, 5),
        },
    )
    # torch documents the gates as input, forget, cell, output, three rows each here
    np.testing.assert_array_equal(made["p.lstm.W"][0, 3:6], tensors["p.lstm.weight_ih_l0"][9:12])  # output is second in ONNX
    np.testing.assert_array_equal(made["p.lstm.R"][1, 9:12], tensors["p.lstm.weight_hh_l0_reverse"][6:9])  # cell is last
    np.testing.assert_array_equal(made["p.lstm.B"][1, 18:21], tensors["p.lstm.bias_hh_l0_reverse"][3:6])  # forget is third, after 12 + 6
    np.testing.assert_array_equal(made["p.fc.weight"], tensors["p.fc.weight"].T)
    np.testing.assert_array_equal(made["p.embedding_in.weight"], tensors["p.embedding_in.weight"].T)
    np.testing.assert_array_equal(made["p.word_embeddings.weight"], tensors["p.word_embeddings.weight"])
    assert all(array.flags.c_contiguous and array.dtype == np.float32 for array in made.values())


CONV = {"d.a.weight_g": np.ones((4, 1, 1), np.float32), "d.a.weight_v": np.ones((4, 2, 3), np.float32)}
LSTM = {f"d.l.bias_{side}_l0{way}": np.ones(12, np.float32) for side in ("ih", "hh") for way in ("", "_reverse")}


@pytest.mark.parametrize(
    ("tensors", "shapes", "words"),
    [
        ({}, {"d.a.weight": (4, 2, 3)}, "lacks the tensor d.a.weight"),
        ({"d.a.weight_g": CONV["d.a.weight_g"]}, {"d.a.weight": (4, 2, 3)}, "lacks the tensor d.a.weight_v"),
        (CONV, {"d.a.weight": (4, 2, 5)}, "another shape"),
        (CONV | {"d.a.weight_g": np.ones((1, 1, 1), np.float32)}, {"d.a.weight": (4, 2, 3)}, "weight norm of d.a"),
        (CONV | {"d.a.weight_g": np.ones(4, np.float32)}, {"d.a.weight": (4, 2, 3)}, "weight norm of d.a"),
        (CONV | {"d.a.weight_v": np.zeros((4, 2, 3), np.float32)}, {"d.a.weight": (4, 2, 3)}, "no direction"),
        (CONV | {"d.a.weight_g": np.full((4, 1, 1), np.nan, np.float32)}, {"d.a.weight": (4, 2, 3)}, "not made of numbers"),
        (CONV | {"d.a.parametrizations.weight.original0": np.ones((4, 1, 1), np.float32)}, {"d.a.weight": (4, 2, 3)}, "unknown"),
        (CONV | {"d.more": np.ones(1, np.float32)}, {"d.a.weight": (4, 2, 3)}, "1 unknown tensors, such as d.more"),
        (LSTM | {"d.l.bias_hh_l0": np.ones(16, np.float32)}, {"d.l.B": (2, 24)}, "differ in shape"),
        (LSTM | {"d.l.bias_hh_l0": np.ones(11, np.float32)}, {"d.l.B": (2, 24)}, "no four gates"),
        (LSTM | {"d.l.bias_hh_l0": np.ones((), np.float32)}, {"d.l.B": (2, 24)}, "no four gates"),
    ],
)
def test_what_does_not_fit_is_refused(tensors: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]], words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        parameters(tensors, shapes)
    assert "kokoro-v1_0.pth" in caught.value.hint


def test_what_the_voice_does_not_use_may_be_there() -> None:
    unused = {f"bert.{name}": np.ones(2, np.float32) for name in ("pooler.weight", "pooler.bias", "embeddings.position_ids")}
    assert set(parameters(CONV | unused, {"d.a.weight": (4, 2, 3)})) == {"d.a.weight"}

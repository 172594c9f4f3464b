"""The base voice in onnxruntime: stock styles, the two graphs, replaced parameters, the noise of the source."""

import numpy as np
import pytest

from hometone_client.base.parameters import base_hash, graph_parameters, load_parameters
from hometone_client.base.prosody import Prosody
from hometone_client.base.runtime import BaseRuntime
from hometone_client.base.styles import stock_language, stock_matrix, stock_names, stock_style
from hometone_client.models import ensure
from hometone_client.models.kokoro import parameter_name
from hometone_client.text import Frontend
from hometone_shared.errors import ModelError, UsageError


def test_stock_styles_agree_with_their_matrix_and_differ_from_each_other() -> None:
    names = stock_names()
    assert len(names) == 54
    matrix = stock_matrix(40)
    np.testing.assert_allclose(matrix[names.index("zf_xiaobei")], stock_style("zf_xiaobei", 40), atol=1e-6)
    assert np.linalg.norm(matrix[0] - matrix[1]) > 0.5
    assert not np.array_equal(stock_style("af_heart", 1), stock_style("af_heart", 510))
    np.testing.assert_array_equal(stock_style("af_heart", 0), stock_style("af_heart", 1))
    np.testing.assert_array_equal(stock_style("af_heart", 9999), stock_style("af_heart", 510))
    assert stock_language("zf_xiaobei") == "zh"


def test_an_unknown_stock_voice_is_refused() -> None:
    with pytest.raises(UsageError, match="nobody"):
        stock_style("nobody", 10)


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("/decoder/decoder/decode.0/conv1/Conv_quant", "decoder.decode.0.conv1"),
        ("/encoder/F0.1/conv1x1/Conv_quant", "predictor.F0.1.conv1x1"),
        ("/encoder/predictor/text_encoder/lstms.2/LSTM_quant", "predictor.text_encoder.lstms.2"),
        ("/encoder/text_encoder/cnn.0/cnn.0.0/Conv_quant", "text_encoder.cnn.0"),
        ("decoder.decoder.decode.0.norm1.fc.bias", "decoder.decode.0.norm1.fc.bias"),
    ],
)
def test_parameters_get_the_names_of_the_models_own_source(node: str, name: str) -> None:
    assert parameter_name(node).startswith(name)


@pytest.fixture(scope="module")
def runtime() -> BaseRuntime:
    return BaseRuntime(ensure("kokoro-82m-v1.0"))


@pytest.fixture(scope="module")
def tokens() -> tuple[int, ...]:
    return next(iter(Frontend().utterances("The weather is very good.", language="en"))).tokens


@pytest.fixture(scope="module")
def spoken(runtime: BaseRuntime, tokens: tuple[int, ...]) -> Prosody:
    return runtime.prosody(tokens, stock_style("af_heart", len(tokens)))


@pytest.mark.models
def test_lengths_of_everything_follow_from_the_durations(runtime: BaseRuntime, tokens: tuple[int, ...], spoken: Prosody) -> None:
    frames = int(spoken.durations.sum())
    assert spoken.durations.shape == (len(tokens) + 2,)
    assert spoken.content.shape == (1, 512, frames)
    assert spoken.f0_hz.shape == spoken.energy.shape == (2 * frames,)
    assert spoken.f0_hz.dtype == np.float32
    sound = runtime.decode(spoken, stock_style("af_heart", len(tokens)), seed=0)
    assert sound.shape == (600 * frames,)
    assert 0.02 < np.abs(sound).max() < 1.0
    assert 100 < np.median(spoken.f0_hz[spoken.f0_hz > 60]) < 300


@pytest.mark.models
def test_a_larger_length_scale_is_slower(runtime: BaseRuntime, tokens: tuple[int, ...], spoken: Prosody) -> None:
    slower = runtime.prosody(tokens, stock_style("af_heart", len(tokens)), length_scale=1.5)
    assert 1.3 < slower.durations.sum() / spoken.durations.sum() < 1.7


@pytest.mark.models
def test_noise_is_real_repeatable_and_can_be_turned_off(runtime: BaseRuntime, tokens: tuple[int, ...], spoken: Prosody) -> None:
    style = stock_style("af_heart", len(tokens))
    silent, again = (runtime.decode(spoken, style, noise_scale=0.0) for _ in range(2))
    np.testing.assert_array_equal(silent, again)
    first, same, other = (runtime.decode(spoken, style, noise_scale=0.667, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 1e-3
    distance = [np.sqrt(np.mean((runtime.decode(spoken, style, noise_scale=s, seed=1) - silent) ** 2)) for s in (0.3, 1.0)]
    assert distance[1] > distance[0] > 1e-4


@pytest.mark.models
def test_a_voice_replaces_single_parameters(runtime: BaseRuntime, tokens: tuple[int, ...], spoken: Prosody) -> None:
    folder = ensure("kokoro-82m-v1.0")
    style = stock_style("af_heart", len(tokens))
    name = "decoder.decode.0.norm1.fc.bias"
    own = np.array(load_parameters(folder)[name])
    plain = runtime.decode(spoken, style, noise_scale=0)
    np.testing.assert_array_equal(BaseRuntime(folder, replacements={name: own}).decode(spoken, style, noise_scale=0), plain)
    assert np.abs(BaseRuntime(folder, replacements={name: own + 0.3}).decode(spoken, style, noise_scale=0) - plain).max() > 0.01


@pytest.mark.models
def test_a_voice_of_another_base_is_refused() -> None:
    folder = ensure("kokoro-82m-v1.0")
    with pytest.raises(ModelError, match="does not fit"):
        BaseRuntime(folder, replacements={"decoder.decode.0.norm1.fc.bias": np.zeros(3, dtype=np.float32)})
    with pytest.raises(ModelError, match="does not fit"):
        BaseRuntime(folder, replacements={"no.such.parameter": np.zeros(3, dtype=np.float32)})
    assert len(base_hash(folder)) == 64
    assert "decoder.decode.0.norm1.fc.bias" in graph_parameters(folder, "decoder.onnx")


def test_a_missing_base_is_a_model_error(tmp_path: object) -> None:
    from pathlib import Path

    with pytest.raises(ModelError, match="missing"):
        load_parameters(Path(str(tmp_path)))

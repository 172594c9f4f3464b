"""The trainable torch modules are numerically the ONNX graphs."""

import numpy as np
import pytest
import torch

from hometone_client.base.runtime import BaseRuntime
from hometone_client.base.styles import stock_style
from hometone_client.models import ensure
from hometone_client.text import Frontend
from hometone_client.torchbase.loading import TorchBase, load_torch_base
from hometone_client.torchbase.prosody import stretch
from hometone_client.torchbase.snake import adain_snake

TEXTS = (("en", "The weather is very good, and I want to walk.", "af_heart"), ("zh", "今天天气很好，我想去公园散步。", "zf_xiaobei"))


@pytest.fixture(scope="module")
def torch_base() -> TorchBase:
    return load_torch_base(ensure("kokoro-82m-v1.0"))


@pytest.fixture(scope="module")
def runtime() -> BaseRuntime:
    return BaseRuntime(ensure("kokoro-82m-v1.0"))


@pytest.mark.models
@pytest.mark.parametrize(("language", "text", "name"), TEXTS)
def test_durations_curves_and_content_are_those_of_the_graph(
    torch_base: TorchBase, runtime: BaseRuntime, language: str, text: str, name: str
) -> None:
    tokens = next(iter(Frontend().utterances(text, language=language))).tokens
    style = stock_style(name, len(tokens))
    graph = runtime.prosody(tokens, style)
    part = torch_base.language
    with torch.no_grad():
        read = part.read(torch.tensor([[0, *tokens, 0]]))
        prosody_style = torch.from_numpy(style)[None, 128:]
        encoded = part.encode(read, prosody_style)
        durations = part.predictor.durations(encoded)[0].round().clamp(min=1).long()
        f0, energy = part.predictor.curves(stretch(encoded[0], durations)[None], prosody_style)
        content = stretch(read.content[0].T, durations).T
    np.testing.assert_array_equal(durations.numpy(), graph.durations)
    np.testing.assert_allclose(f0[0].numpy(), graph.f0_hz, atol=0.05)
    np.testing.assert_allclose(energy[0].numpy(), graph.energy, atol=1e-3)
    np.testing.assert_allclose(content.numpy(), graph.content[0], atol=1e-4)


@pytest.mark.models
@pytest.mark.parametrize(("language", "text", "name"), TEXTS)
def test_the_decoder_makes_the_sound_of_the_graph(torch_base: TorchBase, runtime: BaseRuntime, language: str, text: str, name: str) -> None:
    """The phase of the source is summed in float64 here and in float32 there; the sounds differ by a few per cent, not in what is heard."""
    tokens = next(iter(Frontend().utterances(text, language=language))).tokens
    style = stock_style(name, len(tokens))
    graph = runtime.prosody(tokens, style)
    expected = runtime.decode(graph, style, noise_scale=0)
    with torch.no_grad():
        made = torch_base.decoder(
            torch.from_numpy(graph.content),
            torch.from_numpy(graph.f0_hz)[None],
            torch.from_numpy(graph.energy)[None],
            torch.from_numpy(style)[None, :128],
        )[0].numpy()
    error = np.sqrt(np.mean((made - expected) ** 2)) / np.sqrt(np.mean(expected**2))
    assert error < 0.15
    assert np.corrcoef(made, expected)[0, 1] > 0.99


@pytest.mark.models
def test_f0_reaches_the_source_unrounded_even_under_autocast(torch_base: TorchBase) -> None:
    """A rounded F0 is audible at once (lesson 1 of the design): 150.3 Hz in bfloat16 would be 150 Hz."""
    f0 = torch.full((1, 160), 150.3)
    source = torch_base.decoder.generator
    plain = source.m_source(f0, None)
    captured: list[torch.Tensor] = []
    handle = source.m_source.register_forward_pre_hook(lambda _module, args: captured.append(args[0]))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        torch_base.decoder(torch.zeros(1, 512, 80), f0, torch.full((1, 160), 5.0), torch.zeros(1, 128))
    handle.remove()
    assert captured[0].dtype == torch.float32
    torch.testing.assert_close(source.m_source(captured[0], None), plain)


def test_the_fused_operation_is_adain_then_snake_and_so_are_its_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 6, 40_000, generator=generator, requires_grad=True)  # long enough to be cut into pieces
    gamma, beta = (torch.randn(2, 6, 1, generator=generator, requires_grad=True) for _ in range(2))
    alpha = torch.rand(1, 6, 1, generator=generator) + 0.5
    weight = torch.randn(2, 6, 40_000, generator=generator)

    def plain() -> torch.Tensor:
        y = (1 + gamma) * torch.nn.functional.instance_norm(x, eps=1e-5) + beta
        return y + torch.sin(alpha * y) ** 2 / alpha

    results = []
    for made in (plain(), adain_snake(x, (gamma, beta), alpha, torch.float32)):
        gradients = torch.autograd.grad((made * weight).sum(), (x, gamma, beta))
        results.append((made.detach(), *gradients))
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=2e-4, atol=2e-3)

"""The GE2E speaker encoder as a differentiable loss: the same weights and front end as `embedding.ge2e`, in torch.

It pulls the synthesis towards the speaker's own centroid. Because it is trained against, it must never be the only judge
(docs/adaptation.md).
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from hometone_client.embedding.mel import GE2E_MEL, filterbank, window

PARTIAL_FRAMES = 160


class TorchSpeakerEncoder(nn.Module):
    """Wan et al. 2018: three LSTM layers of 256 over 40 mel bands, linear, ReLU, unit length."""

    def __init__(self, folder: Path) -> None:
        """Load the weights.

        Args:
            folder: The catalogue's `ge2e` folder.
        """
        super().__init__()
        self.lstm = nn.LSTM(GE2E_MEL.bands, 256, num_layers=3, batch_first=True)
        self.linear = nn.Linear(256, 256)
        self._load(folder / "ge2e.onnx")
        self.bank: Tensor
        self.window: Tensor
        self.down: Tensor
        self.register_buffer("bank", torch.from_numpy(filterbank(GE2E_MEL)))
        self.register_buffer("window", torch.from_numpy(window(GE2E_MEL)))
        self.register_buffer("down", _downsampling_kernel())
        self.requires_grad_(requires_grad=False)

    def _load(self, path: Path) -> None:
        model = onnx.load(str(path))
        tensors = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in model.graph.initializer}
        layers = [node for node in model.graph.node if node.op_type == "LSTM"]
        for index, node in enumerate(layers):
            w, r, b = (tensors[name][0] for name in node.input[1:4])
            bias_input, bias_recurrent = b.chunk(2)
            for name, value in (("weight_ih", w), ("weight_hh", r), ("bias_ih", bias_input), ("bias_hh", bias_recurrent)):
                i, o, f, c = value.chunk(4)
                getattr(self.lstm, f"{name}_l{index}").data = torch.cat([i, f, c, o]).contiguous()
        weight = next(t for t in tensors.values() if t.shape == (256, 256))
        bias = next(t for t in tensors.values() if t.shape == (256,))
        transposed = next(node for node in model.graph.node if node.op_type in {"Gemm", "MatMul"})
        keeps = transposed.op_type == "Gemm" and any(a.name == "transB" and a.i for a in transposed.attribute)
        self.linear.weight.data, self.linear.bias.data = (weight if keeps else weight.T).contiguous(), bias

    def mel(self, sound: Tensor) -> Tensor:
        """Sound [B, n] at 24 kHz -> mel power [B, frames, 40] at 16 kHz, 10 ms apart; quiet sound is raised to -30 dBFS first."""
        sound = functional.conv1d(functional.pad(sound.unsqueeze(1), (_TAPS, _TAPS)), self.down, stride=3).transpose(1, 2).flatten(1)
        rms = sound.detach().pow(2).mean(dim=1, keepdim=True).sqrt().clamp(min=1e-7)
        sound = sound * (10 ** (-30 / 20) / rms).clamp(min=1.0)
        spectrum = torch.stft(
            sound, GE2E_MEL.n_fft, GE2E_MEL.hop, window=self.window, center=True, pad_mode="constant", return_complex=True
        )
        power: Tensor = (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2) @ self.bank.T
        return power

    def forward(self, sound: Tensor) -> Tensor:
        """Sound [B, n] at 24 kHz, 1.6 s or more -> unit embeddings [B, partials, 256] of windows half a window apart."""
        mel = self.mel(sound)
        count = max(1, 1 + (mel.shape[1] - PARTIAL_FRAMES) // (PARTIAL_FRAMES // 2))
        partials = [mel[:, i * PARTIAL_FRAMES // 2 :][:, :PARTIAL_FRAMES] for i in range(count)]
        _, (hidden, _) = self.lstm(torch.cat(partials))
        embedded = functional.normalize(functional.relu(self.linear(hidden[-1])), dim=1)
        return embedded.view(count, -1, embedded.shape[-1]).transpose(0, 1)


_TAPS = 48


def _downsampling_kernel() -> Tensor:
    """Polyphase low-pass from 24 to 16 kHz, [2, 1, taps]: output 2k+p sits at input 3k + 1.5p."""
    offsets = np.arange(-_TAPS, _TAPS + 1, dtype=np.float64)
    rows = []
    for phase in (0.0, 1.5):
        t = offsets - phase
        cut = 2 / 3 * 0.95
        low_pass = cut * np.sinc(cut * t) * np.where(np.abs(t) < _TAPS, np.cos(np.pi * t / (2 * _TAPS)) ** 2, 0)
        rows.append(low_pass / low_pass.sum())
    return torch.tensor(np.array(rows)[:, None], dtype=torch.float32)

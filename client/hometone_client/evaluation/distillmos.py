"""DistillMOS: naturalness as listeners would rate it, predicted by a small network distilled from XLS-R.

Stahl and Gamper, "Distillation and Pruning for Scalable Self-Supervised Representation-Based Speech Quality Assessment" (ICASSP 2025).
The published package imports torchaudio (only to read files), which does not load beside the pinned torch; so the network is written
here from its published description and takes the published weights, version 7. It is the only module of `evaluation` that uses torch.

1. Cut or fill to windows of 7.68 s, at most one second apart; the largest value of each becomes 1.
2. Complex spectrum (20 ms Hann windows, 10 ms apart), magnitudes to the power of 0.3.
3. Six convolutions, then a transformer of seven layers, then pooling by attention; sigmoid to 1-5; mean over the windows.
"""

import math
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn
from torch.nn import functional

from hometone_client.embedding.mel import Floats
from hometone_shared.errors import AudioError, ModelError

_SAMPLE_RATE_HZ = 16000
_WINDOW_SAMPLES = 122880
_MAX_HOP_SAMPLES = 16000
_N_FFT = 320
_HOP = 160
_CHANNELS = (64, 64, 128, 256, 256, 256)
_WIDTH = 200
_HEADS = 8
_LAYERS = 7
_FRAMES = 384


class DistillMos:
    """The network with its weights, loaded once."""

    def __init__(self, folder: Path) -> None:
        """Load the weights.

        Args:
            folder: The catalogue's `distillmos` folder.

        Raises:
            ModelError: The weights are missing or damaged.
        """
        self._network = _Network()
        try:
            checkpoint = torch.load(folder / "distill_mos_v7.pt", map_location="cpu", weights_only=True)
            self._network.load_state_dict(checkpoint["model"])
        except Exception as error:  # torch raises RuntimeError, KeyError, UnpicklingError, OSError
            raise ModelError("the DistillMOS network cannot be loaded", hint="run `hometone doctor`") from error
        self._network.eval()

    def score(self, samples: Floats, rate: int) -> float:
        """Return the predicted mean opinion score of one utterance, 1 (bad) to 5 (excellent).

        Args:
            samples: float32 [n], mono.
            rate: Sample rate, Hz.

        Raises:
            AudioError: There are no samples or they are not finite.
        """
        if samples.ndim != 1 or samples.size == 0 or not np.all(np.isfinite(samples)):
            raise AudioError("there is no usable sound in this recording", hint="record or choose another one")
        signal = np.asarray(samples, dtype=np.float32)
        if rate != _SAMPLE_RATE_HZ:
            signal = soxr.resample(signal, rate, _SAMPLE_RATE_HZ)
        with torch.inference_mode():
            return float(self._network(_windows(torch.from_numpy(np.ascontiguousarray(signal)))).mean())


def _windows(signal: Tensor) -> Tensor:
    """Step (1): [samples] to [windows, 122880]."""
    surplus = max(0, signal.shape[0] - _WINDOW_SAMPLES)
    signal = functional.pad(signal, (0, max(0, _WINDOW_SAMPLES - signal.shape[0])))
    count = math.ceil(surplus / _MAX_HOP_SAMPLES) + 1
    starts = [int(position * surplus) for position in np.linspace(0.0, 1.0, count)]
    windows = torch.stack([signal[start : start + _WINDOW_SAMPLES] for start in starts])
    return windows / (windows.abs().amax(dim=1, keepdim=True) + 1e-8)


def _compressed_spectrum(windows: Tensor) -> Tensor:
    """Step (2): [windows, samples] to [windows, 2 (real, imaginary), 161 bins, 768 frames]."""
    margin = (_N_FFT - _HOP) // 2
    padded = functional.pad(windows, (margin, margin), mode="reflect")
    spectrum = torch.stft(
        padded, n_fft=_N_FFT, hop_length=_HOP, win_length=_N_FFT, center=False, return_complex=True, window=torch.hann_window(_N_FFT)
    )
    parts = torch.view_as_real(spectrum)
    magnitude = torch.clip(torch.sqrt(torch.sum(parts**2, dim=-1, keepdim=True)), 1e-12)
    return (magnitude**0.3 * parts / magnitude).permute(0, 3, 1, 2)


class _Convolutions(nn.Module):
    """Six convolutions over frequency and time; the attribute names are those of the weights file."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        bins = _N_FFT // 2 + 1
        channels_before = 2
        for number, channels in enumerate(_CHANNELS):
            frequency_stride = 2 if number >= 1 else 1
            time_stride = 2 if number == len(_CHANNELS) - 1 else 1
            strides = (frequency_stride, time_stride)
            layers += [nn.Conv2d(channels_before, channels, (3, 3), stride=strides, padding=(0, 1)), nn.LeakyReLU(0.1)]
            bins = (bins - 3) // frequency_stride + 1
            channels_before = channels
        self.cnn = nn.Sequential(*layers)
        self.features = channels_before * bins

    def forward(self, windows: Tensor) -> Tensor:
        """[windows, samples] to [windows, 384 frames, features]."""
        return torch.flatten(self.cnn(_compressed_spectrum(windows)), 1, 2).transpose(1, 2)


class _PositionCode(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pe", torch.zeros(1, _FRAMES, _WIDTH))
        self.pe: Tensor

    def forward(self, frames: Tensor) -> Tensor:
        return frames + self.pe


class _Transformer(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(features)
        self.position_encoding = _PositionCode()
        self.linear_proj = nn.Linear(features, _WIDTH)
        layer = nn.TransformerEncoderLayer(_WIDTH, _HEADS, dim_feedforward=2 * _WIDTH, dropout=0.0, batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)

    def forward(self, frames: Tensor) -> Tensor:
        normed = self.norm(frames.transpose(1, 2)).transpose(1, 2)
        coded: Tensor = self.transformer_encoder(self.position_encoding(self.linear_proj(normed)))
        return coded


class _AttentionPooling(nn.Module):
    """Mean over time weighted by a small network (as in NISQA)."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1 = nn.Linear(_WIDTH, 2 * _WIDTH)
        self.linear2 = nn.Linear(2 * _WIDTH, 1)
        self.linear3 = nn.Linear(_WIDTH, 1)

    def forward(self, frames: Tensor) -> Tensor:
        weights = functional.softmax(self.linear2(functional.relu(self.linear1(frames))).transpose(1, 2), dim=2)
        pooled: Tensor = self.linear3(torch.bmm(weights, frames).squeeze(1))
        return pooled.squeeze(-1)


class _Head(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.norm_input = nn.BatchNorm1d(features)
        self.transformer = _Transformer(features)
        self.norm_trans = nn.BatchNorm1d(_WIDTH)
        self.pool = _AttentionPooling()

    def forward(self, frames: Tensor) -> Tensor:
        normed = self.norm_input(frames.transpose(1, 2)).transpose(1, 2)
        coded = self.norm_trans(self.transformer(normed).transpose(1, 2)).transpose(1, 2)
        return torch.sigmoid(self.pool(coded))


class _Network(nn.Module):
    """Steps (2) and (3): [windows, 122880] to scores [windows]."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = _Convolutions()
        self.transformer_pool_attn = _Head(self.cnn.features)

    def forward(self, windows: Tensor) -> Tensor:
        quality: Tensor = self.transformer_pool_attn(self.cnn(windows))
        return 1.0 + 4.0 * quality

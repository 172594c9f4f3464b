"""The two heads that the shared model moves, as one differentiable function of theta, for many recordings at once.

1. What does not depend on theta is computed once for each recording (`Studied`): the duration encoder's output, the shared LSTM's output at
   the recorded durations, and what the base itself predicts.
2. `ProsodyHeads` predicts durations and F0 of a batch. Every recording may have a theta of its own, so that the gradient with respect to
   the batch of thetas is the gradient of every single recording: what bounding a recording's part in an update needs.

The arithmetic is that of `torchbase.prosody` with A C B beside each weight; recordings of different lengths are padded, and padding takes
no part in norms, convolutions or LSTMs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hometone_client.base.parameters import load_parameters
from hometone_client.sharedmodel.basis import Basis
from hometone_client.sharedmodel.layout import CORES, LSTM, PROJECTION, RANK, RAW_SIZE, SHIFTS, SLICES
from hometone_client.sharedmodel.readings import Reading
from hometone_client.torchbase.prosody import LanguagePart, stretch

_HALF = 256
_BLOCKS = ((512, 512, False), (512, 256, True), (256, 256, False))


@dataclass(frozen=True, slots=True, eq=False)
class Studied:
    """One recording with all that does not depend on theta.

    Attributes:
        reading: What the recording says.
        encoded: float32 [n, 640], from the duration encoder.
        stretched: float32 [512, T], from the shared LSTM.
        style: float32 [128], prosody half.
        base_f0_hz: float32 [2T], as the base predicts it at the recorded durations.
    """

    reading: Reading
    encoded: Tensor
    stretched: Tensor
    style: Tensor
    base_f0_hz: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Recordings side by side, padded.

    Attributes:
        encoded: [B, n, 640].
        stretched: [B, 512, T].
        style: [B, 128].
        tokens: [B, n], 1 for tokens, 0 for padding.
        frames: [B, T], likewise.
        studied: The recordings.
    """

    encoded: Tensor
    stretched: Tensor
    style: Tensor
    tokens: Tensor
    frames: Tensor
    studied: tuple[Studied, ...]


def batch_of(studied: Sequence[Studied]) -> Batch:
    """Pad recordings to the longest."""

    def padded(parts: Sequence[Tensor]) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)

    return Batch(
        encoded=padded([each.encoded for each in studied]).float(),
        stretched=padded([each.stretched.T for each in studied]).transpose(1, 2).float().contiguous(),
        style=torch.stack([each.style for each in studied]),
        tokens=padded([torch.ones(each.encoded.shape[0]) for each in studied]),
        frames=padded([torch.ones(each.stretched.shape[1]) for each in studied]),
        studied=tuple(studied),
    )


class Coordinates:
    """The basis as torch operations: thetas [B, d] -> raw coordinates [B, RAW_SIZE] (`basis.Basis.raw`)."""

    def __init__(self, basis: Basis) -> None:
        """Keep the basis as tensors."""
        self._leading = torch.from_numpy(basis.leading.copy())
        self._mix = torch.from_numpy(basis.mix.copy())
        self._scales = torch.from_numpy(basis.scales.copy())
        self._rest = basis.rest
        self._place = torch.from_numpy(np.argsort(basis.order))
        self.dimension = basis.dimension

    def __call__(self, theta: Tensor) -> Tensor:
        """Differentiable in theta."""
        span, count = self._leading.shape
        lead = functional.pad(theta[:, :count], (0, max(0, count - theta.shape[1]))) @ self._mix.T
        rest = theta[:, count:] * self._rest
        head = functional.pad(rest[:, :span], (0, max(0, span - rest.shape[1])))
        tail = functional.pad(rest[:, span:], (0, RAW_SIZE - span - max(0, rest.shape[1] - span)))
        head = head + (lead - head @ self._leading) @ self._leading.T
        return (torch.cat([head, tail], dim=1) * self._scales)[:, self._place]


class ProsodyHeads:
    """Durations and F0 from what was studied, with raw coordinates beside the base's weights."""

    def __init__(self, base: Path, left: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray]) -> None:
        """Read the base's weights.

        Args:
            base: Folder of the base voice.
            left: Factors A by block.
            right: Factors B by block.

        Raises:
            ModelError: The base is missing.
        """
        stored = load_parameters(base)
        self.weights = {
            name: torch.from_numpy(np.array(array))
            for name, array in stored.items()
            if name.startswith(("predictor.F0", f"{LSTM}.", PROJECTION))
        }
        self._left = {core.key: torch.from_numpy(np.array(left[core.key])) for core in CORES}
        self._right = {core.key: torch.from_numpy(np.array(right[core.key])) for core in CORES}

    def predict(self, batch: Batch, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Frames of 1/40 s for every token [B, n], not rounded, and F0 in Hz [B, 2T]; padding holds anything.

        Args:
            batch: The recordings.
            raw: [B, RAW_SIZE] (`Coordinates`), a row for each.
        """
        return self._durations(batch, raw), self._f0(batch, raw)

    def _core(self, raw: Tensor, key: str, x: Tensor) -> Tensor:
        """A C x for inputs x [B, RANK, ...] that B was already applied to -> [B, rows, ...]."""
        square = raw[:, SLICES[key]].reshape(-1, RANK, RANK)
        return torch.einsum("mr,brt->bmt", self._left[key], torch.bmm(square, x))

    def _shift(self, raw: Tensor, key: str) -> Tensor:
        shape = next(shift.shape for shift in SHIFTS if shift.key == key)
        return raw[:, SLICES[key]].reshape(-1, *shape)

    def _durations(self, batch: Batch, raw: Tensor) -> Tensor:
        w = self.weights
        x = batch.encoded
        count, length = x.shape[:2]
        bias = w[f"{LSTM}.B"][:, :1024] + w[f"{LSTM}.B"][:, 1024:] + self._shift(raw, f"{LSTM}.B")  # [B, 2, 1024]
        inputs = []
        for direction in (0, 1):
            key = f"{LSTM}.W.{direction}"
            beside = self._core(raw, key, torch.einsum("ri,bni->brn", self._right[key], x)).transpose(1, 2)
            inputs.append(x @ w[f"{LSTM}.W"][direction].T + beside + bias[:, direction, None])
        steps = torch.stack([inputs[0], inputs[1].flip(1)]).unbind(2)  # each [2, B, 1024]
        alive = torch.stack([batch.tokens, batch.tokens.flip(1)]).unsqueeze(-1).unbind(2)
        recurrent = w[f"{LSTM}.R"].transpose(1, 2)
        hidden = cell = x.new_zeros(2, count, _HALF)
        kept = []
        for gates_in, mask in zip(steps, alive, strict=True):
            i, o, f, c = (gates_in + torch.bmm(hidden, recurrent)).chunk(4, dim=-1)  # the graph's order of gates
            cell = (torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(c)) * mask
            hidden = torch.sigmoid(o) * torch.tanh(cell) * mask
            kept.append(hidden)
        made = torch.stack(kept, dim=2)  # [2, B, n, 256]
        both = torch.cat([made[0], made[1].flip(1)], dim=-1)
        key = f"{PROJECTION}.weight"
        beside = self._core(raw, key, torch.einsum("ri,bni->brn", self._right[key], both)).transpose(1, 2)
        logits = both @ w[key] + w[f"{PROJECTION}.bias"] + self._shift(raw, f"{PROJECTION}.bias")[:, None] + beside
        frames: Tensor = torch.sigmoid(logits).sum(-1)
        assert frames.shape == (count, length)
        return frames

    def _f0(self, batch: Batch, raw: Tensor) -> Tensor:
        x, mask = batch.stretched, batch.frames.unsqueeze(1)
        for number, (_, _, upsample) in enumerate(_BLOCKS):
            x, mask = self._block(f"predictor.F0.{number}", x, mask, batch.style, raw, upsample=upsample)
        weight = self.weights["predictor.F0_proj.weight"] + self._shift(raw, "predictor.F0_proj.weight")  # [B, 1, 256, 1]
        return (weight[:, 0] * x).sum(1) + self.weights["predictor.F0_proj.bias"]

    def _block(self, name: str, x: Tensor, mask: Tensor, style: Tensor, raw: Tensor, *, upsample: bool) -> tuple[Tensor, Tensor]:
        w = self.weights
        shortcut = x
        y = functional.leaky_relu(self._norm(f"{name}.norm1", x, mask, style, raw), 0.2) * mask
        if upsample:
            mask = mask.repeat_interleave(2, dim=2)
            shortcut = shortcut.repeat_interleave(2, dim=2)
            pool = w[f"{name}.pool.weight"]
            y = (
                functional.conv_transpose1d(y, pool, w[f"{name}.pool.bias"], stride=2, padding=1, output_padding=1, groups=pool.shape[0])
                * mask
            )
        if f"{name}.conv1x1.weight" in w:
            shortcut = self._conv(f"{name}.conv1x1", shortcut, raw)
        y = self._conv(f"{name}.conv1", y, raw)
        y = functional.leaky_relu(self._norm(f"{name}.norm2", y, mask, style, raw), 0.2) * mask
        return (self._conv(f"{name}.conv2", y, raw) + shortcut) / 2**0.5 * mask, mask

    def _conv(self, name: str, x: Tensor, raw: Tensor) -> Tensor:
        key = f"{name}.weight"
        padding = self.weights[key].shape[-1] // 2
        plain = functional.conv1d(x, self.weights[key], self.weights.get(f"{name}.bias"), padding=padding)
        if key not in self._right:
            return plain
        return plain + self._core(raw, key, functional.conv1d(x, self._right[key], padding=padding))

    def _norm(self, name: str, x: Tensor, mask: Tensor, style: Tensor, raw: Tensor) -> Tensor:
        """AdaIN (`torchbase.layers.AdaIN1d`) over what is not padding."""
        affine = style @ self.weights[f"{name}.fc.weight"] + self.weights[f"{name}.fc.bias"] + self._shift(raw, f"{name}.fc.bias")
        gamma, beta = affine.unsqueeze(-1).chunk(2, dim=1)
        count = mask.sum(2, keepdim=True)
        centred = (x - (x * mask).sum(2, keepdim=True) / count) * mask
        deviation = torch.sqrt((centred**2).sum(2, keepdim=True) / count + 1e-5)
        return (1 + gamma) * (centred / deviation) + beta


def study(readings: Sequence[Reading], language: LanguagePart, heads: ProsodyHeads) -> list[Studied]:
    """(1) Everything about recordings that does not depend on theta; a fifth of a second for each on one core."""
    studied = []
    with torch.no_grad():
        for reading in readings:
            style = torch.from_numpy(reading.style)[None]
            tokens = torch.tensor([reading.tokens])
            encoded = language.predictor.text_encoder(language.bert_encoder(language.bert(tokens)), style)[0]
            durations = torch.from_numpy(reading.durations)
            stretched = language.predictor.shared(stretch(encoded, durations)[None])[0][0].T.contiguous()
            plain = Studied(reading, encoded, stretched, style[0], torch.zeros(0))
            base_f0_hz = heads.predict(batch_of([plain]), torch.zeros(1, RAW_SIZE))[1][0]
            studied.append(Studied(reading, encoded, stretched, style[0], base_f0_hz))
    return studied

"""Distils the base's text encoder into the posterior encoder.

The text says, for each frame, a prior over the content the decoder is fed with: p(z|c) = N(c, s^2), c the text encoder's output of the
frame's token, s the spread below which the decoder hears no difference. The posterior q(z|x) = N(mu, sigma^2) is what the sound alone says.
Both are diagonal; what is minimised is their divergence per channel (Kingma and Welling 2014, appendix B; the prior conditioned on text
as in VITS, arXiv 2106.06103, equations 3 and 4)

    KL(p || q) = log(sigma / s) + (s^2 + (c - mu)^2) / (2 sigma^2) - 1 / 2

which is the Gaussian negative log likelihood of the text's content under q, plus a floor s^2 of the variance. The direction is p || q, as
in distillation: q must cover what the text says, and its sigma learns how far the mean is off; with q || p and a fixed s, sigma would be s.

Beside it, for intelligibility: the squared error itself, in units of each channel's spread (the decoder's first layer normalises channels);
the cosine of the whole vector; a cross entropy of the frame's phoneme; and the difference of successive frames.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tools.content_encoder.corpus import Spoken
from tools.content_encoder.network import PosteriorNetwork
from torch import Tensor
from torch.nn import functional

from hometone_client.content.posterior import positions

PRIOR_SPREAD = 0.05
"""s: an eighth of the content's own spread; sampling that far around the text changes no word."""
CROP_FRAMES = 120
HELD_BACK = 20
"""One sentence in so many is kept for judging."""
AHEAD_S = 0.055


@dataclass(frozen=True, slots=True)
class Batch:
    """Features [B, n, 512], positions of frames (left, share [B, T]), content [B, T, 512], symbols [B, T], weight [B, T]."""

    features: Tensor
    left: Tensor
    share: Tensor
    content: Tensor
    symbols: Tensor
    weight: Tensor


def token_of_frame(spoken: Spoken, slowed: float) -> NDArray[np.int64]:
    """Which token each frame of the (slowed) sound belongs to: int64 [T]; tokens are heard 55 ms ahead of their frames."""
    owners = np.repeat(np.arange(spoken.durations.size), spoken.durations)
    if slowed == 1.0:
        return owners
    heard_s = (np.arange(int(np.ceil(owners.size * slowed))) + 0.5) / 40 - AHEAD_S
    frames = np.floor((heard_s / slowed + AHEAD_S) * 40).astype(np.int64)
    return np.asarray(owners[np.clip(frames, 0, owners.size - 1)])


class Examples:
    """Sentences in memory, cropped at random."""

    def __init__(self, spoken: list[Spoken], *, seed: int) -> None:
        self.spoken = spoken
        self._generator = np.random.default_rng(seed)
        self._owners = [[token_of_frame(each, hearing.slowed) for hearing in each.hearings] for each in spoken]
        self._seconds = np.array([each.durations.sum() for each in spoken], dtype=np.float64)

    def whole(self, index: int, hearing: int) -> Batch:
        """One sentence as a batch of one."""
        owners = self._owners[index][hearing]
        return self._batch([(index, hearing, 0, owners.size)], owners.size)

    def crops(self, count: int) -> Batch:
        """`count` pieces of three seconds."""
        rows = []
        for index in self._generator.choice(len(self.spoken), count, p=self._seconds / self._seconds.sum()):
            hearing = int(self._generator.integers(len(self.spoken[index].hearings)))
            frames = self._owners[index][hearing].size
            start = int(self._generator.integers(0, max(1, frames - CROP_FRAMES + 1)))
            rows.append((int(index), hearing, start, min(CROP_FRAMES, frames - start)))
        return self._batch(rows, CROP_FRAMES)

    def _batch(self, rows: list[tuple[int, int, int, int]], frames: int) -> Batch:
        n = int(np.ceil(frames * 1.25)) + 12
        features = np.zeros((len(rows), n, 512), np.float32)
        content = np.zeros((len(rows), frames, 512), np.float32)
        left, share = np.zeros((len(rows), frames), np.int64), np.zeros((len(rows), frames), np.float32)
        symbols, weight = np.zeros((len(rows), frames), np.int64), np.zeros((len(rows), frames), np.float32)
        for row, (index, hearing, start, count) in enumerate(rows):
            spoken = self.spoken[index]
            heard, owners = spoken.hearings[hearing], self._owners[index][hearing][start : start + count]
            place, part = positions(start + count, heard.features.shape[0])
            first = max(0, int(place[start]) - 4)
            piece = heard.features[first : first + n]
            features[row, : piece.shape[0]] = piece
            left[row, :count], share[row, :count] = place[start:] - first, part[start:]
            content[row, :count], symbols[row, :count], weight[row, :count] = spoken.content[owners], spoken.tokens[owners], 1.0
        return Batch(*(torch.from_numpy(each) for each in (features, left, share, content, symbols, weight)))


def divergence(mean: Tensor, log_variance: Tensor, content: Tensor) -> Tensor:
    """KL(N(content, s^2) || N(mean, exp(log_variance))), per element."""
    squared = PRIOR_SPREAD**2
    return 0.5 * (log_variance - float(np.log(squared)) + (squared + (content - mean) ** 2) * torch.exp(-log_variance) - 1)


def losses(network: PosteriorNetwork, batch: Batch, spread: Tensor) -> dict[str, Tensor]:
    """All parts of the loss, each a mean over frames that count."""
    hidden = network.hidden(batch.features, batch.left, batch.share).float()
    mean, log_variance = network.mean(hidden), torch.clamp(network.log_variance(hidden), -7.0, 1.0)
    weight = batch.weight / batch.weight.sum()

    def averaged(per_frame: Tensor) -> Tensor:
        return (per_frame * weight).sum()

    difference = (mean - batch.content) / spread
    pairs = (batch.weight[:, 1:] / batch.weight[:, 1:].sum()) * 1.0
    return {
        "divergence": averaged(divergence(mean, log_variance, batch.content).mean(dim=-1)),
        "squared": averaged((difference**2).mean(dim=-1)),
        "cosine": averaged(1 - functional.cosine_similarity(mean, batch.content, dim=-1)),
        "symbol": averaged(functional.cross_entropy(network.symbol(hidden).transpose(1, 2), batch.symbols, reduction="none")),
        "change": ((difference[:, 1:] - difference[:, :-1]).square().mean(dim=-1) * pairs).sum(),
    }


WEIGHTS = {"divergence": 0.3, "squared": 0.5, "cosine": 1.0, "symbol": 0.3, "change": 0.1}


def split(spoken: list[Spoken]) -> tuple[list[Spoken], list[Spoken]]:
    """Sentences to learn from, and those held back."""
    return [each for i, each in enumerate(spoken) if i % HELD_BACK], spoken[::HELD_BACK]

"""How far predicted prosody is from a recording's, for each recording alone: the loss that is trained and the error that is reported.

* Durations: natural logarithm of (frames + 1), after the prediction was given the recording's own pace (articulated phonemes last as long
  in all). Pauses count like phonemes; the silence at both ends does not count.
* F0: octaves, voiced frames only, each curve around its own mean.
* Both robust (pseudo-Huber, Charbonnier et al. 1997): wrong octaves and misplaced boundaries of single frames must not decide.
* Where nothing is voiced, F0 is asked to stay what the base says, so that voicing does not wander.

A recording's values depend on that recording alone, so that its part in an update can be bounded.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from hometone_client.sharedmodel.heads import Batch, Studied
from hometone_client.sharedmodel.readings import LEAST_HZ
from hometone_client.text.utterance import silent_tokens

ROBUST_AT: Final = 0.5
"""Where errors of logarithms of durations begin to count linearly; those of octaves do at half of it."""
OCTAVES_WEIGHT: Final = 2.0
"""An error of a tenth of an octave weighs as much as one of a fifth in the logarithm of a duration (both are about what is heard)."""
UNIT: Final = 0.025
"""The loss of a recording that was predicted as well as somebody could who knows the habits of a community, but not the speaker's own."""
_ANCHOR_HZ: Final = 100.0
_ANCHOR_WEIGHT: Final = 0.1
_LOWEST_HZ: Final = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """For every recording of a batch, [B]: mean squared robust errors.

    Attributes:
        duration: Of logarithms of durations.
        f0: Of octaves.
        unvoiced: Of F0 between the voiced parts, against the base.
    """

    duration: Tensor
    f0: Tensor
    unvoiced: Tensor

    @property
    def loss(self) -> Tensor:
        """What is trained, [B]."""
        return (self.shape + _ANCHOR_WEIGHT * self.unvoiced) / UNIT

    @property
    def shape(self) -> Tensor:
        """Mean of the squared errors of durations and (weighted) F0, [B]."""
        return (self.duration + OCTAVES_WEIGHT**2 * self.f0) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """What a batch is compared with, padded like the batch: durations [B, n], weights of tokens, octaves [B, 2T], masks of frames."""

    durations: Tensor
    counted: Tensor
    articulated: Tensor
    octaves: Tensor
    voiced: Tensor
    unvoiced: Tensor
    base_f0_hz: Tensor


def goal_of(batch: Batch) -> Goal:
    """Targets and masks of a batch."""
    parts = [_masks(each) for each in batch.studied]
    durations, counted, articulated, octaves, voiced, unvoiced = (
        torch.nn.utils.rnn.pad_sequence([torch.from_numpy(part[k]) for part in parts], batch_first=True) for k in range(6)
    )
    base = torch.nn.utils.rnn.pad_sequence([each.base_f0_hz for each in batch.studied], batch_first=True)
    return Goal(durations, counted, articulated, octaves, voiced, unvoiced, base)


def _masks(each: Studied) -> tuple[np.ndarray, ...]:
    reading = each.reading
    counted = np.ones(len(reading.tokens), dtype=np.float32)
    counted[[0, -1]] = 0
    articulated = np.isin(reading.tokens, list(silent_tokens()), invert=True).astype(np.float32)
    base = each.base_f0_hz.numpy() > LEAST_HZ
    real = reading.octaves != 0
    inner = np.convolve(real & base, [1, 1, 1], mode="same") == 3  # edges of voicing are guesses on both sides
    return reading.durations.astype(np.float32), counted, articulated, reading.octaves, inner.astype(np.float32), (~base).astype(np.float32)


def errors_of(predicted: tuple[Tensor, Tensor], goal: Goal) -> Errors:
    """Compare predictions (`ProsodyHeads.predict`) with recordings."""
    frames, f0_hz = predicted
    pace = (goal.durations * goal.articulated).sum(1) / (frames * goal.articulated).sum(1)
    late = torch.log1p(frames * pace[:, None]) - torch.log1p(goal.durations)
    octaves = torch.log2(f0_hz.clamp(min=_LOWEST_HZ)) - goal.octaves
    octaves = octaves - _mean(octaves, goal.voiced)[:, None]
    wandered = (f0_hz - goal.base_f0_hz) / _ANCHOR_HZ
    return Errors(
        _mean(_robust(late), goal.counted),
        _mean(_robust(OCTAVES_WEIGHT * octaves) / OCTAVES_WEIGHT**2, goal.voiced),
        _mean(_robust(wandered), goal.unvoiced),
    )


def _robust(x: Tensor) -> Tensor:
    """Like x^2 near zero, like |x| far away."""
    return 2 * ROBUST_AT**2 * (torch.sqrt(1 + (x / ROBUST_AT) ** 2) - 1)


def _mean(x: Tensor, weights: Tensor) -> Tensor:
    return (x * weights).sum(1) / weights.sum(1).clamp(min=1)

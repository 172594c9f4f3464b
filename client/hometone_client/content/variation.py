"""No sentence twice the same: content, pace and melody drawn around those of a text (requirement 15, `noise_scale`).

VITS (arXiv 2106.06103, section 2.1.3; its inference draws z = mean + noise_scale * spread * epsilon) samples the decoder's input around
what the text says. Here the spread is measured, not assumed (tools/content_encoder/spreads.py, data/variation.npz):

1. Content: how far the posterior of synthetic speech (`posterior`) lies from the text that was spoken, as directions with a size each
   (principal components), a gain for each phoneme symbol, and how long a deviation lasts. Silence keeps its content. Half of it is used:
   what was measured holds the encoder's own mistakes, and all of it cost four points of word error in Spanish.
2. Durations: how far the voices of the base differ about one token, once each one's own pace and each token's own length are taken out; a
   factor for each token. The utterance as a whole keeps its pace.
3. F0: how far the voices' melodies differ about one token, in semitones, once each one's own pitch and range and the token's own pitch are
   taken out; a slow curve on voiced frames. Voicing never changes.

At 1 the spread is the measured one (of content, its half); 0 gives the very same object back. What it may see: one utterance. It keeps
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.base.prosody import VOICED_HZ, Prosody
from hometone_client.text.utterance import PAD_ID, silent_tokens
from hometone_shared.errors import ModelError

Floats = NDArray[np.float32]

SPREADS: Final = "variation.npz"
_CONTENT_SHARE: Final = 0.5
_LONGEST_FACTOR: Final = 1.6
_MOST_SEMITONES: Final = 3.0


@dataclass(frozen=True, slots=True)
class Spreads:
    """What was measured.

    Attributes:
        directions: float32 [k, 512], principal components of the content's deviation, each as long as its standard deviation.
        content_gain: float32 [178], by symbol; 0 for silence.
        content_frames: How long a deviation of content lasts: standard deviation of a Gaussian window, frames of 1/40 s.
        duration_spread: float32 [178], standard deviation of the log of a duration, by symbol.
        f0_semitones: Standard deviation of the melody, semitones.
        f0_frames: How long a deviation of F0 lasts, as above, frames of 1/80 s.
    """

    directions: Floats
    content_gain: Floats
    content_frames: float
    duration_spread: Floats
    f0_semitones: float
    f0_frames: float


@cache
def spreads() -> Spreads:
    """Read what was measured, once.

    Raises:
        ModelError: The file is missing or damaged.
    """
    try:
        with np.load(BytesIO((files("hometone_client.content") / "data" / SPREADS).read_bytes()), allow_pickle=False) as data:
            return Spreads(
                directions=data["directions"].astype(np.float32),
                content_gain=data["content_gain"].astype(np.float32),
                content_frames=float(data["content_frames"]),
                duration_spread=data["duration_spread"].astype(np.float32),
                f0_semitones=float(data["f0_semitones"]),
                f0_frames=float(data["f0_frames"]),
            )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError("the table of a voice's natural variation cannot be read", hint="install Hometone again") from error


def varied(prosody: Prosody, tokens: Sequence[int], *, noise_scale: float, seed: int | None = None) -> Prosody:
    """The same sentence, said a little differently.

    Args:
        prosody: What was decided so far; `durations` are those of `tokens` and the padding at both ends.
        tokens: Phoneme tokens without padding.
        noise_scale: How far to go, in measured spreads: 0 not at all, 0.6 to 0.8 recommended, at most 2.
        seed: Makes it repeatable; drawn afresh by default.

    Returns:
        A new utterance; `prosody` itself for a `noise_scale` of 0.

    Raises:
        ValueError: Tokens and durations do not belong together.
        ModelError: The table of spreads is missing or damaged.
    """
    if noise_scale == 0.0:
        return prosody
    padded = np.array([PAD_ID, *tokens, PAD_ID])
    if padded.shape != prosody.durations.shape:
        raise ValueError("tokens do not fit the utterance")
    table, generator = spreads(), np.random.default_rng(seed)  # sound, not secrecy
    timed = prosody.retimed(_durations(prosody.durations, table.duration_spread[padded] * noise_scale, generator))  # (2)
    return replace(
        timed,
        content=_content(timed, padded, table, noise_scale, generator),  # (1)
        f0_hz=_melody(timed.f0_hz, table, noise_scale, generator),  # (3)
    )


def _durations(durations: NDArray[np.int64], spread: Floats, generator: np.random.Generator) -> NDArray[np.int64]:
    """Each length times its factor, rounded up or down by chance so that the mean is right, none vanishing."""
    deviation = spread * generator.standard_normal(durations.size)
    shares = durations / max(1, durations.sum())
    deviation = np.clip(deviation - np.sum(deviation * shares), -np.log(_LONGEST_FACTOR), np.log(_LONGEST_FACTOR))
    wanted = np.floor(durations * np.exp(deviation) + generator.random(durations.size)).astype(np.int64)
    return np.asarray(np.where(durations > 0, np.maximum(wanted, 1), 0), dtype=np.int64)


def _content(prosody: Prosody, padded: NDArray[np.int64], table: Spreads, noise_scale: float, generator: np.random.Generator) -> Floats:
    frames = prosody.content.shape[2]
    gain = np.repeat(np.where(np.isin(padded, sorted(silent_tokens())), 0.0, table.content_gain[padded]), prosody.durations)
    waves = smooth_noise(table.directions.shape[0], frames, table.content_frames, generator)
    deviation = (table.directions.T @ waves) * (_CONTENT_SHARE * noise_scale * gain)
    return np.asarray(prosody.content + deviation[np.newaxis], dtype=np.float32)


def _melody(f0_hz: Floats, table: Spreads, noise_scale: float, generator: np.random.Generator) -> Floats:
    voiced = f0_hz > VOICED_HZ
    if not voiced.any():
        return f0_hz
    curve = table.f0_semitones * noise_scale * smooth_noise(1, f0_hz.size, table.f0_frames, generator)[0]
    curve = np.clip(curve - curve[voiced].mean(), -_MOST_SEMITONES, _MOST_SEMITONES)
    moved = np.maximum(f0_hz * 2.0 ** (curve / 12.0), np.nextafter(np.float32(VOICED_HZ), np.float32(np.inf)))
    return np.where(voiced, moved, f0_hz).astype(np.float32)


def smooth_noise(rows: int, frames: int, width: float, generator: np.random.Generator) -> Floats:
    """Normal noise of unit variance, smoothed by a Gaussian window of standard deviation `width` frames: float32 [rows, frames]."""
    reach = int(np.ceil(3 * width))
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 1e-3)) ** 2)
    window /= np.linalg.norm(window)
    white = generator.standard_normal((rows, frames + 2 * reach))
    return np.stack([np.convolve(row, window, mode="valid") for row in white]).astype(np.float32)

"""A second opinion on who is speaking, independent of the GE2E encoder that adaptation is trained with.

1. Cepstra 1 to 16 of a 24-band mel spectrum below 4 kHz, frames of speech only: what a telephone lets through, so that recordings of any
   bandwidth are measured alike. Level (cepstrum 0) and pitch (higher cepstra) are left out.
2. Their distribution over the utterance, as five percentiles of each cepstrum: 80 numbers.
3. Whitened by how much utterances of *one* voice differ (within-class covariance normalisation: Hatch, Kajarekar and Stolcke, Interspeech
   2006), measured on the stock voices of the base, shrunk halfway towards its diagonal.
4. Cosine between an utterance and the mean of a person's takes, as for embeddings; to be read between the ceiling of the takes among
   themselves and the floor of the best stock voice.

On nine real speakers whom it never heard, single utterances of 2 s and more are attributed with an equal error rate of 7 %
(docs/evaluation.md):
far worse than GE2E, but nobody has trained against it. It hears the recording as well as the person. A Gaussian mixture with a background
model, tried before, told real recordings from synthetic ones whoever spoke, and was useless for that reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import BytesIO

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import dct

from hometone_client.embedding.mel import Floats, MelSettings, mel_power
from hometone_shared.errors import AudioError

MEL = MelSettings(sample_rate_hz=8000, n_fft=200, hop=80, bands=24)
CEPSTRA = 16
PERCENTILES = (10, 25, 50, 75, 90)

_SPEECH_BELOW_LOUD_DB = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Whitening:
    """How raw statistics become comparable.

    Attributes:
        centre: float32 [80], the mean of the stock voices.
        matrix: float32 [80, 80], inverse root of the covariance within one voice.
    """

    centre: Floats
    matrix: Floats


def cepstral_statistics(samples: Floats, rate: int) -> Floats:
    """Return the percentiles of the cepstra of one utterance, steps (1) and (2): float32 [80].

    Args:
        samples: float32 [n], mono.
        rate: Sample rate, Hz.

    Raises:
        AudioError: There is no sound.
    """
    signal = np.asarray(samples, dtype=np.float32)
    if rate != MEL.sample_rate_hz:
        signal = soxr.resample(signal, rate, MEL.sample_rate_hz)
    if signal.size < MEL.n_fft or not np.any(signal):
        raise AudioError("there is no usable sound in this recording", hint="record or choose another one")
    power = mel_power(signal, MEL).astype(np.float64)
    energy = power.sum(axis=1)
    speech = power[energy > np.percentile(energy, 95) * 10.0 ** (-_SPEECH_BELOW_LOUD_DB / 10.0)]
    logs = np.log(np.maximum(speech / speech.sum(axis=1).mean(), 1e-7))
    cepstra = dct(logs, type=2, norm="ortho", axis=1)[:, 1 : CEPSTRA + 1]
    return np.asarray(np.percentile(cepstra, PERCENTILES, axis=0).ravel(), dtype=np.float32)


def timbre(samples: Floats, rate: int) -> Floats:
    """Return the whitened timbre of one utterance, steps (1) to (3): float32 [80] (see `cepstral_statistics`)."""
    whitening = _stock().whitening
    return np.asarray(whitening.matrix @ (cepstral_statistics(samples, rate) - whitening.centre), dtype=np.float32)


def stock_timbres() -> Mapping[str, Sequence[Floats]]:
    """Return the timbres of some utterances of each stock voice, by its name."""
    return _stock().timbres


def stock_embeddings() -> Mapping[str, Sequence[Floats]]:
    """Return the GE2E embeddings of the same utterances of each stock voice, by its name: float32 [256] each."""
    return _stock().embeddings


def whitening_of(statistics: Mapping[str, Sequence[Floats]]) -> Whitening:
    """Compute the whitening from utterances of several voices, step (3).

    Args:
        statistics: `cepstral_statistics` of at least two utterances of each voice, by its name.
    """
    voices = [np.stack(utterances).astype(np.float64) for utterances in statistics.values()]
    scatter = sum((voice - voice.mean(axis=0)).T @ (voice - voice.mean(axis=0)) for voice in voices)
    within: NDArray[np.float64] = np.asarray(scatter / sum(len(voice) - 1 for voice in voices))
    shrunk = 0.5 * within + 0.5 * np.diag(np.diag(within))
    return Whitening(
        centre=np.mean([voice.mean(axis=0) for voice in voices], axis=0).astype(np.float32),
        matrix=np.linalg.inv(np.linalg.cholesky(shrunk)).astype(np.float32),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stock:
    whitening: Whitening
    timbres: Mapping[str, Sequence[Floats]]
    embeddings: Mapping[str, Sequence[Floats]]


@cache
def _stock() -> _Stock:
    """Read what `tools/make_stock_yardsticks.py` measured on the stock voices."""
    content = resources.files("hometone_client.evaluation").joinpath("data", "stock_yardsticks.npz").read_bytes()
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        names = [str(name) for name in arrays["names"]]
        statistics = {name: list(values) for name, values in zip(names, arrays["statistics"].astype(np.float32), strict=True)}
        embeddings = {name: list(values) for name, values in zip(names, arrays["embeddings"].astype(np.float32), strict=True)}
    whitening = whitening_of(statistics)
    timbres = {
        name: [np.asarray(whitening.matrix @ (value - whitening.centre), dtype=np.float32) for value in values]
        for name, values in statistics.items()
    }
    return _Stock(whitening=whitening, timbres=timbres, embeddings=embeddings)

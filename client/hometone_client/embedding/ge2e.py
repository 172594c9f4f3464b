"""Speaker embedding with the GE2E encoder, in onnxruntime: how alike two recordings of voices are.

Wan et al., "Generalized End-to-End Loss for Speaker Verification" (ICASSP 2018), with Resemblyzer's weights and front end:

1. to 16 kHz, mono;
2. louder to -30 dBFS if quieter than that, never softer;
3. 40-band mel power spectrogram, 25 ms windows every 10 ms;
4. windows of 1.6 s, 1.3 of them a second, the last one filled with silence unless less than three quarters of it would be speech;
5. each window through the network, mean of the results, unit length.

Resemblyzer's optional preprocessing also cuts out long silences with the WebRTC voice detector. This is left out on purpose: it changed
the same-speaker likeness of nine real speakers by less than 0.008 (docs/evaluation.md), and a training loss could not do the same.

An embedding is biometric: it stays on this device, in memory or in the vault. There is no search by voice (requirement 51).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
import soxr

from hometone_client.embedding.mel import GE2E_MEL, Floats, mel_power
from hometone_shared.errors import AudioError, ModelError

EMBEDDING_SIZE = 256
PARTIAL_FRAMES = 160
"""1.6 s, the length that the network was trained on."""
PARTIALS_PER_S = 1.3
MIN_COVERAGE = 0.75
TARGET_LEVEL_DBFS = -30.0


class SpeakerEncoder:
    """The encoder, loaded once; safe to use from several threads."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """Load `ge2e.onnx`.

        Args:
            folder: The catalogue's `ge2e` folder.
            threads: Threads inside one operation.

        Raises:
            ModelError: The graph is missing or damaged.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = ort.InferenceSession(str(folder / "ge2e.onnx"), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own classes and plain RuntimeError
            raise ModelError("the speaker encoder cannot be loaded", hint="run `hometone doctor`") from error

    def embed(self, samples: Floats, rate: int) -> Floats:
        """Return the embedding of one utterance.

        Args:
            samples: float32 [n], mono, in [-1, 1].
            rate: Sample rate, Hz.

        Returns:
            float32 [256], of unit length, no value negative.

        Raises:
            AudioError: There are no samples, they are not finite, or they are silence.
        """
        return self.embed_many([(samples, rate)])[0]

    def embed_many(self, utterances: Sequence[tuple[Floats, int]]) -> list[Floats]:
        """Return the embeddings of several utterances, all their windows in one pass (see `embed`)."""
        windows = [_windows(samples, rate) for samples, rate in utterances]
        if not windows:
            return []
        partials = self._session.run(None, {"mels": np.concatenate(windows)})[0]
        borders = np.cumsum([len(part) for part in windows])[:-1]
        return [_unit(part.mean(axis=0)) for part in np.split(partials, borders)]


def centroid(embeddings: Sequence[Floats]) -> Floats:
    """Return the mean of embeddings, scaled to unit length: float32 [256]."""
    if not embeddings:
        raise AudioError("there is no speech to compare with", hint="add at least one take")
    return _unit(np.mean(np.stack(embeddings), axis=0))


def similarity(first: Floats, second: Floats) -> float:
    """Return the cosine between two embeddings, 0 (nothing in common) to 1 (the same)."""
    return float(np.dot(first, second) / (np.linalg.norm(first) * np.linalg.norm(second)))


def normalise_level(samples: Floats) -> Floats:
    """Raise the level to -30 dBFS if it is below; leave louder signals as they are, step (2)."""
    root_mean_square = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    target = 10.0 ** (TARGET_LEVEL_DBFS / 20.0)
    if root_mean_square >= target:
        return samples
    return np.asarray(samples * (target / root_mean_square), dtype=np.float32)


def partial_starts(n_samples: int) -> list[int]:
    """Return the first frame of each window of `PARTIAL_FRAMES` frames over `n_samples` at 16 kHz, step (4)."""
    hop = GE2E_MEL.hop
    n_frames = int(np.ceil((n_samples + 1) / hop))
    step = round(GE2E_MEL.sample_rate_hz / PARTIALS_PER_S / hop)
    starts = list(range(0, max(1, n_frames - PARTIAL_FRAMES + step + 1), step))
    coverage = (n_samples - starts[-1] * hop) / (PARTIAL_FRAMES * hop)
    if coverage < MIN_COVERAGE and len(starts) > 1:
        starts.pop()
    return starts


def _windows(samples: Floats, rate: int) -> Floats:
    """Steps (1) to (4): float32 [windows, 160, 40]."""
    if samples.ndim != 1 or samples.size == 0 or not np.all(np.isfinite(samples)):
        raise AudioError("there is no usable sound in this recording", hint="record or choose another one")
    signal = np.asarray(samples, dtype=np.float32)
    if rate != GE2E_MEL.sample_rate_hz:
        signal = soxr.resample(signal, rate, GE2E_MEL.sample_rate_hz)
    if signal.size == 0 or not np.any(signal):
        raise AudioError("this recording is silent", hint="check the microphone and record again")
    signal = normalise_level(signal)
    starts = partial_starts(signal.size)
    needed = (starts[-1] + PARTIAL_FRAMES) * GE2E_MEL.hop
    if needed >= signal.size:
        signal = np.pad(signal, (0, needed - signal.size))
    mels = mel_power(signal, GE2E_MEL)
    return np.stack([mels[start : start + PARTIAL_FRAMES] for start in starts])


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-8), dtype=np.float32)

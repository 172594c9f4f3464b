"""What is said, apart from who says it: features of Whisper's encoder, for aligning two utterances of the same text.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision" (2022); base model, multilingual, in CTranslate2.

Whisper hears windows of 30 s, and pads whatever is shorter. Only position codes tie it to that length, so a shorter window works as
well when some silence follows the speech: with one second of it, single features have a cosine of 0.98 with those of the padded
window (mean removed, six takes of 3 to 7 s) at a twelfth of the cost. Without the silence the last frames are wrong. Packing several
utterances into one window is therefore not needed.

The features never leave this device (requirement 39).
"""

from pathlib import Path
from typing import Any

import numpy as np
import soxr

from hometone_client.embedding.mel import Floats
from hometone_shared.errors import AudioError, ModelError

CONTENT_RATE_HZ = 50
CONTENT_SIZE = 512
LONGEST_S = 30.0

_SAMPLE_RATE_HZ = 16000
_SAMPLES_PER_FEATURE = _SAMPLE_RATE_HZ // CONTENT_RATE_HZ
_WINDOW_MEL_FRAMES = 3000
_TRAILING_SILENCE_S = 1.0


class ContentEncoder:
    """Whisper's encoder, loaded once."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """Load the encoder with 8-bit weights.

        Args:
            folder: The catalogue's `whisper-base` folder.
            threads: Threads inside one operation.

        Raises:
            ModelError: The weights are missing or damaged.
        """
        import ctranslate2
        from faster_whisper.feature_extractor import FeatureExtractor

        self._array_view = ctranslate2.StorageView.from_array
        self._log_mel = FeatureExtractor()
        try:
            self._model: Any = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8", intra_threads=threads)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError("the speech recogniser cannot be loaded", hint="run `hometone doctor`") from error

    def features(self, samples: Floats, rate: int) -> Floats:
        """Return content features of one utterance.

        Args:
            samples: float32 [n], mono, in [-1, 1], at most 30 s.
            rate: Sample rate, Hz.

        Returns:
            float32 [ceil(seconds * 50), 512]; feature i is centred on i * 20 ms. Means are not removed.

        Raises:
            AudioError: There are no samples, they are not finite, or there are more than 30 s of them.
        """
        if samples.ndim != 1 or samples.size == 0 or not np.all(np.isfinite(samples)):
            raise AudioError("there is no usable sound in this recording", hint="record or choose another one")
        if samples.size > LONGEST_S * rate:
            raise AudioError("this piece of speech is longer than 30 seconds", hint="split it at a pause")
        signal = np.asarray(samples, dtype=np.float32)
        if rate != _SAMPLE_RATE_HZ:
            signal = soxr.resample(signal, rate, _SAMPLE_RATE_HZ)
        n_features = min(-(-signal.size // _SAMPLES_PER_FEATURE), _WINDOW_MEL_FRAMES // 2)
        n_window = n_features + int(_TRAILING_SILENCE_S * CONTENT_RATE_HZ)
        n_window = min(n_window, _WINDOW_MEL_FRAMES // 2)
        padded = np.pad(signal, (0, max(0, n_window * _SAMPLES_PER_FEATURE - signal.size)))
        log_mel = self._log_mel(padded, padding=0)[:, : 2 * n_window]
        encoded = self._model.encode(self._array_view(np.ascontiguousarray(log_mel[np.newaxis], dtype=np.float32)), to_cpu=True)
        return np.asarray(encoded, dtype=np.float32)[0, :n_features]

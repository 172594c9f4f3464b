"""DNSMOS: the opinion of speech quality that listeners would give, predicted without a reference.

Reddy et al., "DNSMOS P.835" (ICASSP 2022) for signal, background and overall quality (ITU-T P.835), and "DNSMOS" (ICASSP 2021) for P.808.
Follows the `speechmos` package number by number: speech shorter than 9.01 s is repeated, windows move on by one second, raw values are
mapped by fixed polynomials. The scores depend on the level, as they do there.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import soxr

from hometone_client.embedding.mel import Floats, MelSettings, mel_power
from hometone_shared.errors import AudioError, ModelError

_SAMPLE_RATE_HZ = 16000
_WINDOW_S = 9.01
_WINDOW_SAMPLES = int(_WINDOW_S * _SAMPLE_RATE_HZ)
_P808_MEL = MelSettings(sample_rate_hz=_SAMPLE_RATE_HZ, n_fft=321, hop=160, bands=120)
_SIGNAL = (-0.08397278, 1.22083953, 0.0052439)
_BACKGROUND = (-0.13166888, 1.60915514, -0.39604546)
_OVERALL = (-0.06766283, 1.11546468, 0.04602535)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsmosScores:
    """Predicted mean opinion scores, 1 (bad) to 5 (excellent).

    Attributes:
        signal: P.835 quality of the speech itself.
        background: P.835 quality of the background.
        overall: P.835 overall quality.
        p808: P.808 overall quality.
    """

    signal: float
    background: float
    overall: float
    p808: float


class Dnsmos:
    """Both networks, loaded once."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """Load the networks.

        Args:
            folder: The catalogue's `dnsmos` folder.
            threads: Threads inside one operation.

        Raises:
            ModelError: A network is missing or damaged.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        try:
            self._p835 = ort.InferenceSession(str(folder / "sig_bak_ovr.onnx"), options, providers=providers)
            self._p808 = ort.InferenceSession(str(folder / "model_v8.onnx"), options, providers=providers)
        except Exception as error:  # onnxruntime raises its own classes and plain RuntimeError
            raise ModelError("the DNSMOS networks cannot be loaded", hint="run `hometone doctor`") from error

    def score(self, samples: Floats, rate: int) -> DnsmosScores:
        """Score one utterance.

        Args:
            samples: float32 [n], mono, in [-1, 1]; values outside are cut off.
            rate: Sample rate, Hz.

        Raises:
            AudioError: There are no samples or they are not finite.
        """
        if samples.ndim != 1 or samples.size == 0 or not np.all(np.isfinite(samples)):
            raise AudioError("there is no usable sound in this recording", hint="record or choose another one")
        signal = np.asarray(samples, dtype=np.float32)
        if rate != _SAMPLE_RATE_HZ:
            signal = soxr.resample(signal, rate, _SAMPLE_RATE_HZ)
        signal = np.clip(signal, -1.0, 1.0)
        while signal.size < _WINDOW_SAMPLES:
            signal = np.concatenate([signal, signal])
        hops = int(signal.size // _SAMPLE_RATE_HZ - _WINDOW_S) + 1
        scores = np.array([self._score_window(window) for hop in range(hops) if (window := _window(signal, hop)) is not None]).mean(axis=0)
        return DnsmosScores(signal=float(scores[0]), background=float(scores[1]), overall=float(scores[2]), p808=float(scores[3]))

    def _score_window(self, window: Floats) -> tuple[float, float, float, float]:
        signal, background, overall = self._p835.run(None, {"input_1": window[np.newaxis]})[0][0]
        mel = _p808_features(window[: -_P808_MEL.hop])
        p808 = self._p808.run(None, {"input_1": mel[np.newaxis]})[0][0][0]
        return (
            float(np.polyval(_SIGNAL, signal)),
            float(np.polyval(_BACKGROUND, background)),
            float(np.polyval(_OVERALL, overall)),
            float(p808),
        )


def _window(signal: Floats, hop: int) -> Floats | None:
    """Return one window, or None where speechmos leaves it out: at the end, and where its end is rounded down by one sample."""
    window = signal[hop * _SAMPLE_RATE_HZ : int((hop + _WINDOW_S) * _SAMPLE_RATE_HZ)]
    return window if window.size == _WINDOW_SAMPLES else None


def _p808_features(window: Floats) -> Floats:
    """Log mel spectrogram in units of 40 dB, the loudest value 1, nothing below -1: float32 [frames, 120]."""
    decibels = 10.0 * np.log10(np.maximum(mel_power(window, _P808_MEL), 1e-10))
    below_peak = np.maximum(decibels - decibels.max(), -80.0)
    return np.asarray((below_peak + 40.0) / 40.0, dtype=np.float32)

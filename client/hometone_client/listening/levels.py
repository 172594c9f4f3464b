"""Bringing every clip to one level and one form, so that nobody can tell them apart by anything but the voice.

1. Everything is mono at 24,000 Hz, from a tenth of a second before the first speech to a tenth after the last.
2. The mean power while somebody speaks becomes -26 dB below overload, the level that ITU-T P.800 experiments use; speech is what the
   voice activity detector of the house finds, which stands in for the active speech level of ITU-T P.56.
3. Peaks are bent, not cut, and the edges faded.

What it may see: sound in memory. What it must never do: write it anywhere.
"""

import io
import wave
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.audio.resampling import resample
from hometone_shared.errors import AudioError

RATE_HZ: Final = 24_000
LEVEL_DBOV: Final = -26.0
_MOST_GAIN_DB: Final = 40.0

Samples = NDArray[np.float32]


def levelled(samples: Samples, rate_hz: int) -> Samples:
    """Cut to the speech and brought to the common level.

    Args:
        samples: float32 [n], mono.
        rate_hz: Their rate.

    Returns:
        float32 [m] at 24,000 Hz, magnitude below 1.

    Raises:
        AudioError: There is no speech in it.
        ModelError: The network that finds speech is missing.
    """
    from hometone_client.speaking.finishing import edged, limited
    from hometone_client.takes.segmentation import detect

    sound = resample(np.asarray(samples, dtype=np.float32), from_hz=rate_hz, to_hz=RATE_HZ)
    speech = detect(sound, RATE_HZ).speech
    if not speech:
        raise AudioError("there is no speech in this sound", hint="record or choose another one")
    spoken = np.concatenate([segment.cut(sound, RATE_HZ) for segment in speech])  # (1)
    gain_db = min(LEVEL_DBOV - speech_level_dbov(spoken), _MOST_GAIN_DB)  # (2)
    sound = sound[round(speech[0].start_s * RATE_HZ) : round(speech[-1].end_s * RATE_HZ)]
    return edged(limited(sound * np.float32(10.0 ** (gain_db / 20.0))), pause_s=0.0)  # (3)


def speech_level_dbov(spoken: Samples) -> float:
    """Mean power of speech relative to overload, dB; a full-scale square wave has 0, a sine -3."""
    return 10.0 * float(np.log10(max(float(np.mean(spoken.astype(np.float64) ** 2)), 1e-12)))


def wav_bytes(samples: NDArray[np.float32], rate_hz: int = RATE_HZ) -> bytes:
    """A WAV file in memory, 16 bits: [n] is mono, [n, 2] stereo.

    It carries no label of how it was made, because that would tell the listener; who takes a test is told at its beginning that some
    of the voices are synthetic (docs/listening.md, section 8).
    """
    levels = np.clip(np.rint(samples * 32767.0), -32768, 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(levels.tobytes())
    return buffer.getvalue()

"""Breathy and trembling voices, simulated from real recordings by WORLD (Morise, Yokomori and Ozawa 2016, IEICE Trans. E99-D, 7).

No recordings of breathy or trembling people were available; what is made here is called simulated wherever it is shown, and what plain
analysis and synthesis loses (`Taken.plain`) is to be subtracted. Two changes, each of one number:

* breath: at every frequency the share of noise in the power of voiced sound becomes `share + (1 - share) * added`; the envelope stays;
* tremor: F0 times 1 + depth sin(phase), whose rate wanders slowly about its mean as in a person (a random walk of 3 %, renewed within a
  second).
"""

from dataclasses import dataclass

import numpy as np
import pyworld
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

FRAME_MS = 12.5  # the frame of the base voice
WANDERING = 0.03
WANDERING_S = 1.0


@dataclass(frozen=True, slots=True)
class Taken:
    """A recording as WORLD takes it apart: rate in Hz, F0 [frames], envelope and aperiodicity [frames, bins]."""

    rate_hz: int
    f0_hz: Doubles
    envelope: Doubles
    aperiodicity: Doubles
    samples: int

    @classmethod
    def of(cls, samples: Floats, rate_hz: int) -> "Taken":
        """Take a recording apart: float32 [n], mono."""
        sound = np.ascontiguousarray(samples, dtype=np.float64)
        f0, times = pyworld.harvest(sound, rate_hz, f0_floor=55.0, f0_ceil=600.0, frame_period=FRAME_MS)
        f0 = pyworld.stonemask(sound, f0, times, rate_hz)
        return cls(rate_hz, f0, pyworld.cheaptrick(sound, f0, times, rate_hz), pyworld.d4c(sound, f0, times, rate_hz), sound.size)

    def plain(self) -> Floats:
        """Put together again, nothing changed."""
        return self._made(self.f0_hz, self.aperiodicity)

    def breathy(self, added: float) -> Floats:
        """With more noise in voiced sound; `added` 0 to 1 is the share of what was harmonic that becomes noise."""
        noise = np.square(self.aperiodicity)
        return self._made(self.f0_hz, np.sqrt(np.clip(noise + (1.0 - noise) * added, 0.0, 1.0)))

    def trembling(self, *, rate_hz: float, depth: float, seed: int) -> Floats:
        """With a tremor of F0; `depth` is the amplitude as a share of F0."""
        generator = np.random.default_rng(seed)  # sound, not secrecy
        keep = np.exp(-FRAME_MS / 1000.0 / WANDERING_S)
        drift = np.zeros(self.f0_hz.size)
        state = WANDERING * generator.standard_normal()
        for i, step in enumerate(generator.standard_normal(self.f0_hz.size)):
            state = keep * state + WANDERING * np.sqrt(1.0 - keep**2) * step
            drift[i] = state
        phase = 2.0 * np.pi * (generator.random() + np.cumsum(rate_hz * (1.0 + drift)) * FRAME_MS / 1000.0)
        return self._made(self.f0_hz * (1.0 + depth * np.sin(phase)), self.aperiodicity)

    def _made(self, f0_hz: Doubles, aperiodicity: Doubles) -> Floats:
        made = pyworld.synthesize(f0_hz, self.envelope, aperiodicity, self.rate_hz, FRAME_MS)
        return np.asarray(
            np.resize(made, self.samples) if made.size >= self.samples else np.pad(made, (0, self.samples - made.size)), dtype=np.float32
        )

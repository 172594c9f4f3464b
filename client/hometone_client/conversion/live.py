"""A microphone in another voice while somebody speaks: sound in as it comes, sound out a stated time later (requirement 13).

`Sliding` works in hops. Each hop is heard together with what came just before and a quarter of a second of what comes after it, spoken
again, and joined to the hop before where the two fit best (SOLA: Roucos and Wilgus 1985). Pitch and level are measured against the last
half minute. F0 comes from WORLD's DIO here, which takes a tenth of harvest's time.

`Phrases` is for machines that are too slow for that: whoever speaks pauses, the phrase is spoken again, and only then the next is heard.

What it may see: the microphone's sound, in memory, for half a minute at most. What it must never do: keep or send it.
"""

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyworld

from hometone_client.base.analysis import F0_CEILING_HZ, F0_FLOOR_HZ, energy_curve
from hometone_client.base.runtime import CONTENT_HOP, F0_HOP, SAMPLE_RATE_HZ
from hometone_client.conversion.converting import ConversionSettings, Converter
from hometone_client.conversion.pitch import Floats, Register, voiced_where_loud, without_octave_errors
from hometone_client.conversion.source import LOUD_PERCENTILE, Piece, prepared, speech_gate
from hometone_client.takes.segmentation import Activity, detect
from hometone_shared.errors import AudioError

HOPS_S: Final = (1.0, 2.0)
"""Tried in this order; the first that the machine keeps up with is used."""
CONTEXT_S: Final = 0.7
SPOKEN_CONTEXT_S: Final = 0.3
"""Of the context so much is spoken again as well: it costs most of the time."""
AHEAD_S: Final = 0.25
BUSY_AT_MOST: Final = 0.75
"""Share of a hop that speaking it may take: other programs want to live, too."""
PHRASE_PAUSE_S: Final = 0.6
LONGEST_PHRASE_S: Final = 12.0
_LOOKED_AT_EVERY_S: Final = 0.25
_REMEMBERED: Final = 30  # hops with speech
_CROSSING: Final = 480  # samples, 20 ms
_SEARCHED: Final = 240  # samples, 10 ms: two periods of a deep voice lie in both together


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long after it was spoken something is heard, at the beginning of a hop, where it is longest.

    Attributes:
        waiting_s: The hop and what is heard ahead of it: what the method itself needs.
        computing_s: Speaking it again, as measured on this machine.
        reserve_s: Kept by the loudspeaker, so that a hop that takes longer leaves no gap.
    """

    waiting_s: float
    computing_s: float
    reserve_s: float

    @property
    def total_s(self) -> float:
        """All of it but for the drivers of the two devices."""
        return self.waiting_s + self.computing_s + self.reserve_s


class Speaker:
    """What has been heard so far of who speaks: register and loudness over the last hops with speech."""

    def __init__(self) -> None:
        """Nobody has spoken yet."""
        self._f0_hz: deque[Floats] = deque(maxlen=_REMEMBERED)
        self._energy: deque[Floats] = deque(maxlen=_REMEMBERED)

    def heard(self, f0_hz: Floats, energy: Floats) -> None:
        """Take some speech into account: voiced F0 in Hz and N, float32 [n] each."""
        self._f0_hz.append(f0_hz)
        self._energy.append(energy)

    @property
    def register(self) -> Register:
        """Where her melody lies."""
        return Register.of(np.concatenate(self._f0_hz)) if self._f0_hz else Register(median_hz=float("nan"), spread_octaves=0.0)

    @property
    def loud(self) -> float:
        """N of her loud frames."""
        return float(np.percentile(np.concatenate(self._energy), LOUD_PERCENTILE))


class Sliding:
    """Hop by hop; give it sound with `take`, and play what comes back."""

    def __init__(self, converter: Converter, *, settings: ConversionSettings, hop_s: float) -> None:
        """Begin in silence.

        Args:
            converter: The voice.
            settings: The listener's wishes; the melody's spread is kept, as half a minute tells too little of it.
            hop_s: Length of a hop, a multiple of 1/40 s.
        """
        self._converter = converter
        self._settings = replace(settings, keep_pitch_range=True)
        self.hop, self._context, self._ahead = (round(each * 40) * CONTENT_HOP for each in (hop_s, CONTEXT_S, AHEAD_S))
        self._unspoken = self._context - round(SPOKEN_CONTEXT_S * 40) * CONTENT_HOP
        self._buffer = np.zeros(self._context, np.float32)
        self._tail: Floats = np.zeros(_CROSSING, np.float32)
        self._speaker = Speaker()
        self._number = 0
        self.last_computing_s = 0.0

    @property
    def delay_s(self) -> float:
        """From the first sample of a hop to the moment at which it can be spoken."""
        return (self.hop + self._ahead) / SAMPLE_RATE_HZ

    def take(self, block: Floats) -> list[Floats]:
        """Hear some more.

        Args:
            block: float32 [n] at 24 kHz.

        Returns:
            What can be played now, each float32 [hop].
        """
        self._buffer = np.concatenate([self._buffer, block])
        ready = []
        while self._buffer.size >= self._context + self.hop + self._ahead:
            ready.append(self._spoken(self._buffer[: self._context + self.hop + self._ahead]))
            self._buffer = self._buffer[self.hop :]
        return ready

    def rest(self) -> list[Floats]:
        """What is left when nobody speaks any more."""
        return self.take(np.zeros(self.hop + self._ahead, np.float32))

    def _spoken(self, samples: Floats) -> Floats:
        started = time.monotonic()
        activity = detect(samples, SAMPLE_RATE_HZ)
        gate = speech_gate(activity, first_sample=0, size=samples.size)
        if not gate[self._context :].any():
            out = np.zeros(self.hop, np.float32)
            out[:_CROSSING] = self._tail * _falling()
            self._tail = np.zeros(_CROSSING, np.float32)
            return out
        sound = self._converted(samples, gate)
        reach = self.hop + _CROSSING
        begins = self._context - self._unspoken
        begins += _best_fit(self._tail, sound[begins : begins + _SEARCHED + _CROSSING])
        out = sound[begins : begins + reach].copy()
        out[:_CROSSING] = self._tail * _falling() + out[:_CROSSING] * (1.0 - _falling())
        self._tail = out[self.hop :].copy()
        self.last_computing_s = time.monotonic() - started
        return out[: self.hop]

    def _converted(self, samples: Floats, gate: Floats) -> Floats:
        spoken = gate[F0_HOP // 2 :: F0_HOP] > 0.5
        energy, f0_hz = energy_curve(samples), quick_f0(samples)
        new = np.arange(spoken.size) >= self._context // F0_HOP
        self._speaker.heard(f0_hz[new & spoken & (f0_hz > 0)], energy[new & spoken])
        f0_hz = voiced_where_loud(f0_hz * spoken, energy, loud=self._speaker.loud)
        register = self._speaker.register
        f0_hz = without_octave_errors(f0_hz, median_hz=register.median_hz)
        piece = Piece(samples, 0, 0, samples.size, gate, spoken, f0_hz, energy)
        self._number += 1
        return self._converter.spoken(
            piece,
            register=register,
            loud=self._speaker.loud,
            settings=self._settings,
            number=self._number,
            first=self._unspoken // CONTENT_HOP,
        )


class Phrases:
    """Phrase by phrase: give it sound with `take` until a phrase comes back, and go on when that was played."""

    def __init__(self, converter: Converter, *, settings: ConversionSettings) -> None:
        """Begin in silence."""
        self._converter = converter
        self._settings = settings
        self._buffer = np.zeros(0, np.float32)
        self._looked_at = 0
        self.holds_speech = False

    def take(self, block: Floats) -> Floats | None:
        """Hear some more, float32 [n] at 24 kHz; a phrase that is over comes back, spoken again: float32 [m]."""
        self._buffer = np.concatenate([self._buffer, block])
        if self._buffer.size - self._looked_at < _LOOKED_AT_EVERY_S * SAMPLE_RATE_HZ:
            return None
        self._looked_at = self._buffer.size
        activity = detect(self._buffer, SAMPLE_RATE_HZ)
        self.holds_speech = bool(activity.speech)
        if not activity.speech:
            self._forget(self._buffer[-round(0.5 * SAMPLE_RATE_HZ) :])
            return None
        if activity.duration_s - activity.speech[-1].end_s < PHRASE_PAUSE_S and activity.duration_s < LONGEST_PHRASE_S:
            return None
        return self._spoken(activity)

    def rest(self) -> Floats | None:
        """What is left when nobody speaks any more."""
        activity = detect(self._buffer, SAMPLE_RATE_HZ) if self._buffer.size else None
        return self._spoken(activity) if activity is not None and activity.speech else None

    def _spoken(self, activity: Activity) -> Floats | None:
        begins, ends = activity.speech[0].start_s, activity.speech[-1].end_s
        phrase = self._buffer[max(0, round((begins - 0.1) * SAMPLE_RATE_HZ)) : round((ends + 0.1) * SAMPLE_RATE_HZ)]
        self._forget(np.zeros(0, np.float32))
        try:
            return np.concatenate(list(self._converter.convert(prepared(phrase, SAMPLE_RATE_HZ), self._settings)))
        except AudioError:  # heard alone it was no speech after all
            return None

    def _forget(self, keep: Floats) -> None:
        self._buffer, self._looked_at, self.holds_speech = keep, 0, False


def quick_f0(samples: Floats) -> Floats:
    """F0 by WORLD's DIO (Morise 2009) every 12.5 ms, refined by StoneMask: float32 [n // 300], 0 where unvoiced; samples at 24 kHz."""
    signal = np.pad(samples.astype(np.float64), (0, F0_HOP))
    f0, times = pyworld.dio(
        signal, SAMPLE_RATE_HZ, f0_floor=F0_FLOOR_HZ, f0_ceil=F0_CEILING_HZ, frame_period=1000 * F0_HOP / SAMPLE_RATE_HZ
    )
    return np.asarray(pyworld.stonemask(signal, f0, times, SAMPLE_RATE_HZ)[: samples.size // F0_HOP], dtype=np.float32)


def fitting_hop(converter: Converter, *, settings: ConversionSettings, speech: Floats) -> tuple[Sliding, Latency] | None:
    """The shortest hop that this machine keeps up with, or None where there is none.

    Args:
        converter: The voice.
        settings: The listener's wishes.
        speech: float32 [n] at 24 kHz, some seconds of anybody's speech, to be converted as a rehearsal.
    """
    for hop_s in HOPS_S:
        computing_s = _rehearsed(Sliding(converter, settings=settings, hop_s=hop_s), speech)
        if computing_s <= BUSY_AT_MOST * hop_s:
            sliding = Sliding(converter, settings=settings, hop_s=hop_s)
            return sliding, Latency(waiting_s=sliding.delay_s, computing_s=computing_s, reserve_s=BUSY_AT_MOST * hop_s - computing_s)
    return None


def _rehearsed(sliding: Sliding, speech: Floats) -> float:
    """Seconds that a hop takes; the first one warms up."""
    ahead = np.resize(speech, round(AHEAD_S * SAMPLE_RATE_HZ))
    sliding.take(np.concatenate([np.resize(speech, sliding.hop), ahead]))
    sliding.take(np.resize(speech, sliding.hop))
    return sliding.last_computing_s


def _falling() -> Floats:
    return np.asarray(np.cos(np.pi / 2 * (np.arange(_CROSSING) + 0.5) / _CROSSING) ** 2, dtype=np.float32)


def _best_fit(tail: Floats, sound: Floats) -> int:
    """At which sample of `sound` it continues `tail` best, by normalised correlation; 0 after silence."""
    if not tail.any():
        return 0
    windows = np.lib.stride_tricks.sliding_window_view(sound, tail.size)
    likeness = windows @ tail / np.sqrt(np.square(windows).sum(axis=1) + 1e-9)
    return int(np.argmax(likeness))

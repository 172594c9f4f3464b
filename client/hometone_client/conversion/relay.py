"""From the microphone to the loudspeaker in another voice, until somebody stops it; stutters never, and says what it does instead.

1. Hop by hop (`live.Sliding`) where the machine keeps up. A machine that falls behind later - another program began to work - goes on
   phrase by phrase.
2. Phrase by phrase (`live.Phrases`) otherwise: what is said while a phrase is being made and played is not heard.

Before each piece of sound the voice is asked for once more, so that one that was taken back falls silent at once (requirement 48).
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hometone_client.base.runtime import SAMPLE_RATE_HZ
from hometone_client.conversion.duplex import Duplex
from hometone_client.conversion.live import Phrases, Sliding
from hometone_client.conversion.pitch import Floats

GAPS_AT_MOST: Final = 3
"""So often may the loudspeaker run dry within `_REMEMBERED` hops before the machine counts as too slow."""
_REMEMBERED: Final = 30


@dataclass(slots=True, kw_only=True)
class Account:
    """What happened.

    Attributes:
        delays_s: For each hop or phrase with sound in it, from when its first sample was heard to when its first sample could be played.
        spoken_s: Seconds of sound played.
        fell_behind: Whether the machine was too slow for hops in the end.
    """

    delays_s: list[float] = field(default_factory=list)
    spoken_s: float = 0.0
    fell_behind: bool = False

    def note(self, sound: Floats, *, delay_s: float) -> None:
        """Take a piece of sound into account."""
        if np.any(sound):
            self.delays_s.append(delay_s)
            self.spoken_s += sound.size / SAMPLE_RATE_HZ


def relay_hops(devices: Duplex, sliding: Sliding, *, reserve_s: float, stop: threading.Event, allowed: Callable[[], None]) -> Account:
    """(1) Until `stop` is set, or the machine falls behind.

    Args:
        devices: Open.
        sliding: The voice.
        reserve_s: Silence that is played first, so that a hop may take longer than the last.
        stop: Set from another thread.
        allowed: Raises when the voice may not be used any more.

    Raises:
        AudioError: A device is gone.
    """
    account = Account()
    devices.forget_heard()
    hops = gaps_before = 0
    while not stop.is_set() and not account.fell_behind:
        for sound in sliding.take(devices.read()):
            allowed()
            if hops == 0:
                devices.write(np.zeros(round(reserve_s * SAMPLE_RATE_HZ), np.float32))
            if hops % _REMEMBERED == 0:
                gaps_before = devices.gaps
            hops += 1
            account.note(sound, delay_s=sliding.delay_s + devices.behind_s + sliding.last_computing_s + devices.waiting_s)
            devices.write(sound)
        behind = devices.behind_s > 2 * sliding.hop / SAMPLE_RATE_HZ
        account.fell_behind = behind or devices.gaps - gaps_before > GAPS_AT_MOST or devices.lost > 0
    if not account.fell_behind:
        for sound in sliding.rest():
            allowed()
            devices.write(sound)
    devices.drain()
    return account


def relay_phrases(devices: Duplex, phrases: Phrases, *, stop: threading.Event, allowed: Callable[[], None]) -> Account:
    """(2) Until `stop` is set.

    Args:
        devices: Open.
        phrases: The voice.
        stop: Set from another thread.
        allowed: Raises when the voice may not be used any more.

    Raises:
        AudioError: A device is gone.
    """
    account = Account()
    devices.forget_heard()
    began = None
    while True:
        ending = stop.is_set()
        block = devices.read()
        began = time.monotonic() if began is None or not phrases.holds_speech else began
        sound = phrases.rest() if ending else phrases.take(block)
        if sound is not None:
            allowed()
            account.note(sound, delay_s=time.monotonic() - began)
            devices.write(sound)
            devices.drain()
            devices.forget_heard()
            began = None
        if ending:
            return account

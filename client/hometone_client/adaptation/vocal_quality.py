"""Breath and tremor of a speaker, as numbers that a voice holds (requirement 25). No gradient, no decoding: both are measured.

Breath: the share of voiced sound that is exchanged for noise (`speaking.aspiration`) so that the periodicity of what is made is that of
the takes.

1. The median correlation r of takes and of synthesis, with F0 curves that are known already (`evaluation.breath`).
2. Noise of room and microphone lowers r as breath does; its share of the power, known from pauses, is taken out of it.
3. A larger share moves r towards that of noise alone. It is found by halving, on a few seconds of the synthesis.

Tremor: `evaluation.tremor` on the takes' F0; what of it the synthesis has by itself is subtracted as power.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.base.analysis import Floats
from hometone_client.base.runtime import SAMPLE_RATE_HZ
from hometone_client.evaluation.breath import NOISE_CORRELATION, correlations
from hometone_client.evaluation.tremor import FRAMES_HZ, tremor_of_curves
from hometone_client.speaking.aspiration import aspirated
from hometone_client.voices.parameters import BREATH_RANGE, TREMOR_DEPTH_RANGE, Tremor

#: Breathier than the synthesis by less than this is as well the room, or the text.
LEAST_SHARE: Final = 0.1
TRIED_S, HALVINGS = 10.0, 6

Voiced = tuple[Floats, Floats]


def breath(takes: Sequence[Voiced], made: Sequence[Voiced]) -> float:
    """Share of voiced sound to exchange for noise.

    Args:
        takes: Recordings at 24 kHz, float32 [300 n], and their F0 in Hz at 80 Hz, float32 [n].
        made: Synthesis without breath, likewise.

    Returns:
        0 where the takes are not breathier than the synthesis, or nothing is voiced; at most the upper bound of `BREATH_RANGE`.
    """
    real, plain = _correlated(takes, quiet_room=True), _correlated(made)  # (2)
    if not real.size or not plain.size:
        return 0.0
    goal, start = float(np.median(real)), float(np.median(plain))
    share = (start - goal) / max(start - NOISE_CORRELATION, 1e-3)
    if start <= NOISE_CORRELATION or share < LEAST_SHARE:
        return 0.0
    tried: list[Voiced] = []
    for each in made:
        if sum(samples.size for samples, _ in tried) < TRIED_S * SAMPLE_RATE_HZ:
            tried.append(each)
    goal += float(np.median(_correlated(tried))) - start  # what is tried may be clearer or duller than all of it
    low, high = 0.0, BREATH_RANGE[1]
    for _ in range(HALVINGS):  # (3)
        share = (low + high) / 2.0
        heard = float(np.median(_correlated([(aspirated(samples, f0_hz, share, seed=0), f0_hz) for samples, f0_hz in tried])))
        low, high = (share, high) if heard > goal else (low, share)
    return (low + high) / 2.0


def tremor(takes: Sequence[tuple[Floats, Floats]], made: Sequence[tuple[Floats, Floats]]) -> Tremor | None:
    """The tremor to give a voice, or None where the takes have none that is more than chance.

    Args:
        takes: F0 in Hz and energy N (the natural log of a power) of every recording, float32 [n] at 80 Hz.
        made: The same of the synthesis, as predicted.
    """
    found = tremor_of_curves(takes)
    if not found.present:
        return None
    own = tremor_of_curves(made, at_hz=found.rate_hz).depth
    depth = float(np.sqrt(max(0.0, found.depth**2 - (own if np.isfinite(own) else 0.0) ** 2)))
    return Tremor(rate_hz=found.rate_hz, depth=min(depth, TREMOR_DEPTH_RANGE[1])) if depth > 0.0 else None


def _correlated(sounds: Sequence[Voiced], *, quiet_room: bool = False) -> NDArray[np.float64]:
    found = [
        correlations(samples, SAMPLE_RATE_HZ, f0_hz, np.arange(f0_hz.size) / FRAMES_HZ, quiet_room=quiet_room) for samples, f0_hz in sounds
    ]
    return np.concatenate(found) if found else np.empty(0)

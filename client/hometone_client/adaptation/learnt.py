"""What fine-tuning found for one speaker, and how it becomes part of a voice."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from hometone_client.base.analysis import Floats
from hometone_client.voices.parameters import DenseDelta, LowRankDelta, VoiceParameters


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """Changes against the base and the starting style.

    Attributes:
        style: float32 [128], of the decoder half.
        shifts: AdaIN shifts, parameter name -> float32 of the parameter's shape.
        low_rank: Parameter name -> factors a float32 [out, r] and b float32 [r, in, kernel].
    """

    style: Floats
    shifts: dict[str, Floats]
    low_rank: dict[str, tuple[Floats, Floats]]

    def applied(self, voice: VoiceParameters, *, strength: float) -> VoiceParameters:
        """The voice with a share of what was learnt, 0 to 1; at 0 it is as before."""
        share = np.float32(strength)
        style = voice.style.copy()
        style[: self.style.size] += share * self.style
        deltas: dict[str, DenseDelta | LowRankDelta] = {name: DenseDelta(share * shift) for name, shift in self.shifts.items()}
        deltas |= {name: LowRankDelta(share * a, b) for name, (a, b) in self.low_rank.items()}
        return dataclasses.replace(voice, style=style, weight_deltas=deltas)

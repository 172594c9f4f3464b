"""What a device's contribution is on its way out, by how far it may travel: the distrust is in the types.

`ClippedUpdate` (exact integers of bounded norm, of one or more speakers) -> `NoisyUpdate` (with this device's share of the noise) ->
`MaskedUpdate` (what may leave). What sends accepts only the last one; `privacy` makes the first two, `secagg.participant` the third.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import ProtocolError


@dataclass(frozen=True, slots=True, eq=False)
class ClippedUpdate:
    """Integer contributions of the speakers of one device, each clipped for itself, added up.

    Attributes:
        values: int64 [d]; the Euclidean norm of each speaker's part is at most 2^14.
        speakers: How many speakers are in it.
    """

    values: NDArray[np.int64]
    speakers: int

    def __post_init__(self) -> None:
        """Refuse what is not such a vector."""
        if self.values.dtype != np.int64 or self.values.ndim != 1 or self.speakers < 1:
            raise ProtocolError("a clipped update is not a vector of whole numbers")
        self.values.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class NoisyUpdate:
    """A clipped update plus one device's share of the noise, modulo 2^32.

    Attributes:
        residues: uint32 [d].
        plan_digest: Hexadecimal digest of the plan that the noise was drawn for.
    """

    residues: NDArray[np.uint32]
    plan_digest: str

    def __post_init__(self) -> None:
        """Refuse what is not such a vector."""
        if self.residues.dtype != np.uint32 or self.residues.ndim != 1:
            raise ProtocolError("a noisy update is not a vector of 32-bit numbers")
        self.residues.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class MaskedUpdate:
    """A noisy update under masks that only the sum of all is free of.

    Attributes:
        residues: uint32 [d], each uniformly distributed to whoever lacks the masks.
        plan_digest: Hexadecimal digest of the plan it belongs to.
    """

    residues: NDArray[np.uint32]
    plan_digest: str

    def __post_init__(self) -> None:
        """Refuse what is not such a vector."""
        if self.residues.dtype != np.uint32 or self.residues.ndim != 1:
            raise ProtocolError("a masked update is not a vector of 32-bit numbers")
        self.residues.flags.writeable = False

    def to_bytes(self) -> bytes:
        """Little-endian, 4 d bytes."""
        return self.residues.astype("<u4").tobytes()

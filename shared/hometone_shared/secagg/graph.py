"""Who masks with whom and who holds whose shares (docs/protocol.md, section 6; Bell et al. 2020, CCS, section 3).

Up to 101 devices everybody is everybody's neighbour. Above, the devices stand in a ring whose order nobody can choose, since it hangs on
the hash of the whole roster, and each has the 50 next on either side.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from hometone_shared.records.plan import threshold

NEIGHBOURS_ON_A_SIDE: Final = 50
LARGEST_COMPLETE: Final = 2 * NEIGHBOURS_ON_A_SIDE + 1
_RING_LABEL: Final = b"hometone/graph/v1"
_SPARSE_SHARES_NEEDED: Final = 61
"""ceil(0.6 * 101): more than the corrupt neighbours of one device, few enough for dropouts."""


def shares_needed(devices: int) -> int:
    """How many shares give a secret back, for a roster of so many devices."""
    return threshold(devices) if devices <= LARGEST_COMPLETE else _SPARSE_SHARES_NEEDED


class Graph:
    """The neighbours of every device of a roster."""

    def __init__(self, devices: Sequence[str], *, roster_digest: str) -> None:
        """Stand the devices in their ring.

        Args:
            devices: Ids, sorted, all different.
            roster_digest: Hexadecimal.
        """
        self._sorted = tuple(devices)
        self._members = frozenset(devices)
        self._ring: tuple[str, ...] = ()
        self._place: dict[str, int] = {}
        if len(self._sorted) > LARGEST_COMPLETE:
            start = _RING_LABEL + bytes.fromhex(roster_digest)
            self._ring = tuple(sorted(self._sorted, key=lambda device: hashlib.sha256(start + device.encode()).digest()))
            self._place = {device: place for place, device in enumerate(self._ring)}

    def holders(self, device: str) -> tuple[str, ...]:
        """A device and its neighbours, in the order of their ids: the one at index k holds the share with abscissa k + 1.

        Raises:
            KeyError: The device is not in the roster.
        """
        if device not in self._members:
            raise KeyError(device)
        if not self._ring:
            return self._sorted
        place, around = self._place[device], len(self._ring)
        return tuple(sorted(self._ring[(place + step) % around] for step in range(-NEIGHBOURS_ON_A_SIDE, NEIGHBOURS_ON_A_SIDE + 1)))

    def neighbours(self, device: str) -> tuple[str, ...]:
        """The neighbours of a device, in the order of their ids.

        Raises:
            KeyError: The device is not in the roster.
        """
        return tuple(each for each in self.holders(device) if each != device)

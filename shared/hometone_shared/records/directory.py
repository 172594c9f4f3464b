"""The directory of devices, read from the entries of the log and from nowhere else (docs/protocol.md, section 2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from hometone_shared.errors import ProtocolError
from hometone_shared.records.device import KIND, DeviceEntry
from hometone_shared.records.signing import Envelope


@dataclass(frozen=True, slots=True)
class Directory:
    """The newest entry of every device.

    Attributes:
        entries: Device id -> its newest entry, revoked ones too.
    """

    entries: Mapping[str, DeviceEntry] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def active(self) -> dict[str, bytes]:
        """Device id -> raw Ed25519 public key (32 bytes), of the devices that may take part."""
        return {device: entry.signing_key for device, entry in self.entries.items() if entry.is_active}

    @classmethod
    def from_entries(cls, envelopes: Iterable[Envelope], coordinator_key: bytes) -> Self:
        """Read the devices among the entries of a log, in the log's order; entries of other types are passed over.

        Args:
            envelopes: Leaves of the log, not verified yet.
            coordinator_key: The pinned raw key, 32 bytes.

        Raises:
            ProtocolError: An entry was not signed by the coordinator, cannot be read, or makes a revoked device active again.
        """
        return cls().followed_by(envelopes, coordinator_key)

    def followed_by(self, envelopes: Iterable[Envelope], coordinator_key: bytes) -> Self:
        """The directory after more entries of the log.

        Raises:
            ProtocolError: As `from_entries`.
        """
        newest = dict(self.entries)
        for envelope in envelopes:
            if envelope.kind != KIND:
                continue
            entry = DeviceEntry.from_envelope(envelope, key=coordinator_key)
            before = newest.get(entry.device)
            if before is not None and not before.is_active and entry.is_active:
                raise ProtocolError("the directory makes a revoked device active again")
            newest[entry.device] = entry
        return type(self)(MappingProxyType(newest))

"""Devices of the federation: putting them into the directory, and out of it for good.

The directory itself is read from the log. Beside it the table `nodes` keeps each device's node key, by which Flower knows it, and the key
to which something can be sealed for it. What it may see: public keys. What it must never do: keep a name or a network address of anybody,
or let a revoked device or a used node key in again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hometone_server.records.store import LogStore, Writing
from hometone_shared.errors import FederationError, UsageError
from hometone_shared.records.device import KIND, DeviceEntry, DeviceStatus
from hometone_shared.records.directory import Directory
from hometone_shared.records.joining import JoinRequest
from hometone_shared.records.signing import Envelope


class DeviceRefusedError(FederationError):
    """The device was revoked, or its node key was used before."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A device's entry and its index in the log."""

    index: int
    envelope: Envelope


class Devices:
    """The devices of a log."""

    def __init__(self, log: LogStore) -> None:
        """Read and write through `log`."""
        self._log = log

    def directory(self) -> Directory:
        """The directory, as every laptop reads it from the log."""
        return Directory.from_entries(self._log.of_kind(KIND), self._log.key)

    def node_key(self, device: str) -> bytes:
        """The OpenSSH text of a device's node key, also of a revoked one.

        Raises:
            UsageError: There is no such device.
        """
        return self._keys_of(device)[0]

    def sealing_key(self, device: str) -> bytes:
        """A device's raw X25519 public key, 32 bytes.

        Raises:
            UsageError: There is no such device.
        """
        return self._keys_of(device)[1]

    def node_keys(self) -> dict[str, bytes]:
        """Device -> the OpenSSH text of its node key, of all that ever joined."""
        rows = self._log.query("SELECT device, node_key FROM nodes")
        return {str(device): bytes(node_key) for device, node_key in rows}  # type: ignore[call-overload]

    def register(self, request: JoinRequest, *, change: Writing) -> Registered:
        """Append the entry of a device that joins, inside a change; the same request again gives the same entry.

        Raises:
            DeviceRefusedError: It was revoked, or its node key was used before.
        """
        history = change.of_kind(KIND)
        entry = request.entry()
        before = Directory.from_entries(history, self._log.key).entries.get(entry.device)
        if before is not None and not before.is_active:
            raise DeviceRefusedError("this laptop was taken off the list for good", hint="it can come back with a new identity only")
        if before != entry and _was_used(entry.node_key_sha256, history, key=self._log.key):
            raise DeviceRefusedError("the node key of this laptop was used before", hint="join with a new node key")
        envelope = entry.signed(change.signing_key)
        index = change.append(envelope)
        change.execute(
            "INSERT OR REPLACE INTO nodes (device, node_key, sealing_key) VALUES (?, ?, ?)",
            (entry.device, request.node_key, request.sealing_key),
        )
        return Registered(index, envelope)

    def revoke(self, device: str) -> bytes:
        """Take a device out of the directory, for good; once more changes nothing.

        Returns:
            The OpenSSH text of its node key, which has to be taken away from Flower too.

        Raises:
            UsageError: There is no such device.
        """
        node_key = self.node_key(device)
        with self._log.writing() as change:
            entry = Directory.from_entries(change.of_kind(KIND), self._log.key).entries[device]
            gone = DeviceEntry(signing_key=entry.signing_key, node_key_sha256=entry.node_key_sha256, status=DeviceStatus.REVOKED)
            change.append(gone.signed(change.signing_key))
        return node_key

    def _keys_of(self, device: str) -> tuple[bytes, bytes]:
        rows = self._log.query("SELECT node_key, sealing_key FROM nodes WHERE device = ?", (device,))
        if not rows:
            raise UsageError("there is no laptop with this number", hint="compare it with the list of laptops")
        node_key, sealing_key = rows[0]
        return bytes(node_key), bytes(sealing_key)  # type: ignore[call-overload]


def _was_used(node_key_sha256: str, history: Sequence[Envelope], *, key: bytes) -> bool:
    return any(DeviceEntry.from_envelope(envelope, key=key).node_key_sha256 == node_key_sha256 for envelope in history)

"""How a laptop joins a coordinator with a one-time code, and what it knows of it from then on.

1. Read the code: address, fingerprint of the coordinator's key, token.
2. Ask the address who it is (`introduction`), with nobody vouching for the connection. Only the holder of the key in the code can have
   signed the descriptor, and the descriptor names the authority: compare both. From here on only connections under that authority.
3. Send the public keys of this laptop, signed for this coordinator and this invitation.
4. Check what comes back: the same descriptor, an entry for this laptop under the coordinator's signature, a signed head, a proof that the
   entry is in it.
5. Take over the whole log, verified, and see the entry and that head in it.
6. Write down who the coordinator is: the moment in which the laptop has joined. Killed before, it may use the same code again.

What it may see: this laptop's identity, to sign with. What it must never do: send a token over a connection that (2) has not vouched for,
or anything about a person at all.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from hometone_client.federation.coordinator_records import CONNECT_TIMEOUT_S, CoordinatorRecords, Transport, introduction
from hometone_client.federation.log_audit import FILE as LOG_FILE
from hometone_client.federation.log_audit import PinnedLog
from hometone_client.federation.small_files import read_small_file, replace_small_file
from hometone_keys import DeviceIdentity
from hometone_keys.disk import Disk
from hometone_shared.errors import DamagedVaultError, ProtocolError, UsageError
from hometone_shared.invitation import Invitation, fingerprint, token_sha256
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.merkle import HASH_BYTES, LONGEST_PROOF, leaf_hash, verify_inclusion
from hometone_shared.records.canonical import Document, Fields, b64, canonical, checked_b64, parse
from hometone_shared.records.coordinator import CoordinatorDescriptor, certificate_sha256
from hometone_shared.records.device import DeviceEntry
from hometone_shared.records.joining import JoinRequest
from hometone_shared.records.signing import Envelope

FOLDER: Final = "federation"
FILE: Final = "coordinator.json"
_LARGEST_INDEX: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A coordinator as this laptop pinned it.

    Attributes:
        folder: `<home>/federation`.
        authority_pem: Certificate of its own authority.
        descriptor_envelope: The signed descriptor.
        descriptor: The same, read.
        entry: This laptop's own entry of the directory, as it was when it joined.
    """

    folder: Path
    authority_pem: bytes
    descriptor_envelope: Envelope
    descriptor: CoordinatorDescriptor
    entry: DeviceEntry

    @property
    def coordinator_key(self) -> bytes:
        """The pinned raw Ed25519 key, 32 bytes."""
        return self.descriptor_envelope.key

    @property
    def device(self) -> str:
        """This laptop's id."""
        return self.entry.device

    def records(self, *, transport: Transport | None = None, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> CoordinatorRecords:
        """A way to ask for the coordinator's records; close it."""
        return CoordinatorRecords(
            self.descriptor.address, authority_pem=self.authority_pem, transport=transport, connect_timeout_s=connect_timeout_s
        )

    def log(self) -> PinnedLog:
        """The verified log.

        Raises:
            DamagedVaultError: The copy that was begun when this laptop joined is gone; to begin another would be to forget what was seen.
        """
        if not (self.folder / LOG_FILE).is_file():
            raise DamagedVaultError(
                "this laptop's copy of the coordinator's log is gone", hint="restore it, or join again with a new invitation"
            )
        return PinnedLog(self.folder, coordinator_key=self.coordinator_key)

    @classmethod
    def load(cls, home: Path) -> Self | None:
        """What the laptop knows, `None` before it has joined.

        Raises:
            DamagedVaultError: The file is not what was written.
            StorageError: The disk refuses.
        """
        data = read_small_file(home / FOLDER / FILE)
        if data is None:
            return None
        try:
            return cls._from_document(parse(data), folder=home / FOLDER)
        except ProtocolError as error:
            raise DamagedVaultError(
                "what this laptop knows of its coordinator is damaged", hint="restore the file, or join again with a new invitation"
            ) from error

    @classmethod
    def _from_document(cls, document: Document, *, folder: Path) -> Self:
        fields = Fields(document)
        authority = fields.text("authority", longest=20_000).encode()
        envelope = Envelope.from_document(fields.take("descriptor"))
        entry = Envelope.from_document(fields.take("entry"))
        fields.done()
        return cls(
            folder=folder,
            authority_pem=authority,
            descriptor_envelope=envelope,
            descriptor=_checked_descriptor(envelope, authority=authority),
            entry=DeviceEntry.from_envelope(entry, key=envelope.key),
        )


def join(code: str, *, home: Path, identity: DeviceIdentity, transport: Transport | None = None) -> Membership:
    """Join the coordinator that a code names.

    Args:
        code: As it was read out or scanned.
        home: The laptop's `--home`.
        identity: The laptop's keys.
        transport: Another way to the coordinator, for tests.

    Raises:
        UsageError: This laptop has joined one already.
        ProtocolError: The code has a mistake, or the coordinator is not the one it names, or does not prove what it says.
        FederationError: It cannot be reached, or lets nobody in with this code: used, ended, unknown.
        StorageError: The disk refuses.
    """
    if Membership.load(home) is not None:
        raise UsageError("this laptop has joined a coordinator already", hint="one data folder belongs to one coordinator")
    invitation = Invitation.from_text(code)  # (1)
    authority, envelope = introduction(invitation.address, transport=transport)
    if fingerprint(envelope.key) != invitation.coordinator_key_sha256:  # (2)
        raise _stranger()
    descriptor = _checked_descriptor(envelope, authority=authority)
    if descriptor.address != invitation.address:
        raise _stranger()
    folder = home / FOLDER
    with CoordinatorRecords(descriptor.address, authority_pem=authority, transport=transport) as records:
        answer = records.join(_request(identity, invitation=invitation, coordinator_key=envelope.key))  # (3)
        entry, head = _checked_answer(answer, descriptor=envelope, identity=identity)  # (4)
        _forget_other_log(folder)
        log = PinnedLog(folder, coordinator_key=envelope.key)
        log.update(records)  # (5)
    if not log.contains(entry) or log.head.size < head.size or log.root_at(head.size) != head.root:
        raise ProtocolError("the coordinator shows this laptop two different logs", hint="ask the people who run it")
    document = {"authority": authority.decode("ascii"), "descriptor": envelope.to_document(), "entry": entry.to_document()}
    replace_small_file(folder / FILE, canonical(document))  # (6)
    return Membership._from_document(document, folder=folder)  # noqa: SLF001 - its own module


def _stranger() -> ProtocolError:
    return ProtocolError(
        "the coordinator at this address is not the one of the invitation",
        hint="ask the people who gave you the code; somebody may be in between",
    )


def _checked_descriptor(envelope: Envelope, *, authority: bytes) -> CoordinatorDescriptor:
    descriptor = CoordinatorDescriptor.from_envelope(envelope, key=envelope.key)
    if certificate_sha256(authority) != descriptor.ca_sha256:
        raise _stranger()
    return descriptor


def _request(identity: DeviceIdentity, *, invitation: Invitation, coordinator_key: bytes) -> bytes:
    request = JoinRequest(
        coordinator_key=coordinator_key,
        node_key=identity.public_node_key(),
        sealing_key=identity.public_sealing_key(),
        signing_key=identity.public_signing_key(),
        token_sha256=token_sha256(invitation.token),
    )
    return canonical({"keys": request.signed(identity.signing_key).to_document(), "token": b64(invitation.token)})


def _checked_answer(answer: Document, *, descriptor: Envelope, identity: DeviceIdentity) -> tuple[Envelope, Checkpoint]:
    key = descriptor.key
    fields = Fields(answer)
    note = fields.text("checkpoint", longest=200_000).encode()
    shown = Envelope.from_document(fields.take("descriptor"))
    envelope = Envelope.from_document(fields.take("entry"))
    index = fields.integer("index", low=0, high=_LARGEST_INDEX)
    proof: list[Any] = fields.items("proof", most=LONGEST_PROOF)
    fields.done()
    entry = DeviceEntry.from_envelope(envelope, key=key)
    if shown != descriptor or entry != DeviceEntry.of(signing_key=identity.public_signing_key(), node_key=identity.public_node_key()):
        raise ProtocolError("the coordinator answers for another laptop or another coordinator")
    head = Checkpoint.from_note(note, origin=log_origin(key), key=key)
    path = [checked_b64(part, name="a proof of the log", size=HASH_BYTES) for part in proof]
    verify_inclusion(path, leaf=leaf_hash(envelope.to_bytes()), index=index, size=head.size, root=head.root)
    return envelope, head


def _forget_other_log(folder: Path) -> None:
    """Remove the copy of a log that an unfinished attempt to join left behind; it may be another coordinator's."""
    disk = Disk()
    for suffix in ("", "-wal", "-shm"):
        disk.unlink(folder / f"{LOG_FILE}{suffix}")

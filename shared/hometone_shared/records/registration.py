"""How a speaker becomes known to a log: a laptop asks for her pseudonym, the coordinator writes it down (docs/withdrawal.md).

The request proves that whoever asks holds the withdrawal key, for this coordinator and this laptop and no other. What it may see: the
recovery secret and the laptop's key while a request is made. What it must never do: carry anything about a person but her public key.
"""

from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields, b64
from hometone_shared.records.signing import Envelope
from hometone_shared.withdrawal.recovery import PSEUDONYM_CHARACTERS, RecoverySecret, pseudonym_of

REQUEST_KIND: Final = "hometone/register-speaker/v1"
KIND: Final = "hometone/speaker/v1"


def _claim(coordinator_key: bytes, device_key: bytes) -> bytes:
    """What the withdrawal key signs: who asks whom."""
    return REQUEST_KIND.encode() + b"\x00" + coordinator_key + device_key


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRequest:
    """A laptop asks for one of its speakers.

    Attributes:
        coordinator_key: The coordinator's raw Ed25519 key, 32 bytes.
        withdrawal_key: The speaker's raw public key, 32 bytes.
        possession: Her signature over both keys that are involved, 64 bytes; checked by `from_envelope`, which knows the laptop's.

    Raises:
        ProtocolError: A field is not what it should be.
    """

    coordinator_key: bytes
    withdrawal_key: bytes
    possession: bytes

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read_request(self.to_document())

    @property
    def pseudonym(self) -> str:
        """Who it is about."""
        return pseudonym_of(self.withdrawal_key)

    def entry(self) -> "SpeakerEntry":
        """The entry that this request asks for."""
        return SpeakerEntry(withdrawal_key=self.withdrawal_key)

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {
            "coordinator_key": b64(self.coordinator_key),
            "possession": b64(self.possession),
            "withdrawal_key": b64(self.withdrawal_key),
        }

    @classmethod
    def make(cls, *, coordinator_key: bytes, secret: RecoverySecret, device_key: Ed25519PrivateKey) -> Envelope:
        """A signed request.

        Args:
            coordinator_key: The pinned raw key, 32 bytes.
            secret: The speaker's.
            device_key: The laptop's signing key.
        """
        key = secret.withdrawal_key()
        request = cls(
            coordinator_key=coordinator_key,
            withdrawal_key=key.public_key().public_bytes_raw(),
            possession=key.sign(_claim(coordinator_key, device_key.public_key().public_bytes_raw())),
        )
        return Envelope.sign(REQUEST_KIND, request.to_document(), device_key)

    @classmethod
    def from_envelope(cls, envelope: Envelope, *, coordinator_key: bytes) -> Self:
        """Verify and read a request; which laptop it is, `envelope.key` says, and whether that one may ask is the caller's question.

        Raises:
            ProtocolError: It is not one, is for another coordinator, or one of its two signatures does not hold.
        """
        request = cls(**_read_request(envelope.verified(REQUEST_KIND, key=envelope.key)))
        if request.coordinator_key != coordinator_key:
            raise ProtocolError("a speaker was to be registered with another coordinator")
        try:
            Ed25519PublicKey.from_public_bytes(request.withdrawal_key).verify(request.possession, _claim(coordinator_key, envelope.key))
        except (InvalidSignature, ValueError) as error:
            raise ProtocolError("who wants to register a speaker does not hold her key") from error
        return request


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerEntry:
    """A speaker as the log knows her.

    Attributes:
        withdrawal_key: Her raw public key, 32 bytes; the pseudonym follows from it.

    Raises:
        ProtocolError: It is no such key.
    """

    withdrawal_key: bytes

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read_entry(self.to_document())

    @property
    def pseudonym(self) -> str:
        """Her name in the log."""
        return pseudonym_of(self.withdrawal_key)

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {"pseudonym": self.pseudonym, "withdrawal_key": b64(self.withdrawal_key)}

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The entry under the coordinator's signature."""
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope, *, key: bytes) -> Self:
        """Verify and read an entry.

        Raises:
            ProtocolError: Another key signed it, or it is not an entry.
        """
        return cls(withdrawal_key=_read_entry(envelope.verified(KIND, key=key)))


def _read_request(document: Document) -> dict[str, bytes]:
    fields = Fields(document)
    read = {
        "coordinator_key": fields.blob("coordinator_key", size=32),
        "possession": fields.blob("possession", size=64),
        "withdrawal_key": fields.blob("withdrawal_key", size=32),
    }
    fields.done()
    return read


def _read_entry(document: Document) -> bytes:
    fields = Fields(document)
    pseudonym = fields.hexadecimal("pseudonym", characters=PSEUDONYM_CHARACTERS)
    withdrawal_key = fields.blob("withdrawal_key", size=32)
    fields.done()
    if pseudonym != pseudonym_of(withdrawal_key):
        raise ProtocolError("a speaker is not named after her key")
    return withdrawal_key

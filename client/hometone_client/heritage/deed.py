"""The deed of an archive: what its owner signs, and all that can be read of an archive without opening it (docs/heritage.md).

1. It is signed with her withdrawal key, of whose public half her pseudonym is the hash: a tombstone of hers therefore names every archive.
2. It names the key under which her consent verifies, and the hash of what is inside, so that neither can be exchanged.

What it may see: the withdrawal key while it signs. What it must never do: say who she is, what she is called, or where she comes from.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields, b64
from hometone_shared.records.device import DEVICE_ID_CHARACTERS
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import COORDINATOR_CHARACTERS, LATEST
from hometone_shared.withdrawal.recovery import PSEUDONYM_CHARACTERS, pseudonym_of

KIND: Final = "hometone/heritage-deed/v1"
ARCHIVE_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What an archive is, and until when it may be opened.

    Attributes:
        archive: Its random name, 32 hexadecimal digits.
        pseudonym: Whose voice, 32 hexadecimal digits.
        coordinator: `coordinator_name` of the log that can end it, or `NO_COORDINATOR`.
        keeper: Device id of the machine that can open it, 32 hexadecimal digits; None where a passphrase opens it.
        made: Seconds since 1970.
        ends: End of her consent, seconds since 1970, later than `made`.
        speaker_key: Raw Ed25519 key, 32 bytes, under which her consent verifies.
        contents_sha256: Hash of what is inside, hexadecimal.

    Raises:
        ProtocolError: A field is not what it should be.
    """

    archive: str
    pseudonym: str
    coordinator: str
    keeper: str | None
    made: int
    ends: int
    speaker_key: bytes
    contents_sha256: str

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read(self.to_document())

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {
            "archive": self.archive,
            "contents_sha256": self.contents_sha256,
            "coordinator": self.coordinator,
            "ends": self.ends,
            "keeper": self.keeper,
            "made": self.made,
            "pseudonym": self.pseudonym,
            "speaker_key": b64(self.speaker_key),
        }

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The deed under its owner's signature.

        Args:
            key: The withdrawal key.

        Raises:
            ProtocolError: It is somebody else's.
        """
        if pseudonym_of(key.public_key().public_bytes_raw()) != self.pseudonym:
            raise ProtocolError("a deed can be signed by the owner of the voice alone")
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope) -> Self:
        """Verify and read a deed; the signing key is the one that its pseudonym is the hash of.

        Raises:
            ProtocolError: It is not one, or somebody else signed it.
        """
        deed = cls(**_read(envelope.verified(KIND, key=envelope.key)))
        if deed.pseudonym != pseudonym_of(envelope.key):
            raise ProtocolError("a deed was not signed by the owner of the voice")
        return deed


def _read(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    keeper = fields.take("keeper")
    read: dict[str, Any] = {
        "archive": fields.hexadecimal("archive", characters=ARCHIVE_CHARACTERS),
        "contents_sha256": fields.hexadecimal("contents_sha256"),
        "coordinator": fields.hexadecimal("coordinator", characters=COORDINATOR_CHARACTERS),
        "ends": fields.integer("ends", low=1, high=LATEST),
        "made": fields.integer("made", low=0, high=LATEST),
        "pseudonym": fields.hexadecimal("pseudonym", characters=PSEUDONYM_CHARACTERS),
        "speaker_key": fields.blob("speaker_key", size=32),
    }
    fields.done()
    if keeper is not None:
        Fields({"keeper": keeper}).hexadecimal("keeper", characters=DEVICE_ID_CHARACTERS)
    if read["ends"] <= read["made"]:
        raise ProtocolError("a deed ends before it begins")
    return {**read, "keeper": keeper}

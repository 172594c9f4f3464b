"""Releases that a replay has replaced: nobody shall hold or use them any more (docs/withdrawal.md, section 6)."""

from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields
from hometone_shared.records.release import LARGEST_NUMBER
from hometone_shared.records.signing import Envelope

KIND: Final = "hometone/withdrawn-releases/v1"
MOST_RELEASES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawnReleases:
    """What one replay took back: a leaf of the log.

    Attributes:
        releases: Their numbers, rising; release 0, which no round made, is never among them.
        replaced_by: Number of the later release that stands in their place.

    Raises:
        ProtocolError: A field is not what it should be.
    """

    releases: tuple[int, ...]
    replaced_by: int

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read(self.to_document())

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {"releases": list(self.releases), "replaced_by": self.replaced_by}

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The leaf under the coordinator's signature."""
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope, *, key: bytes) -> Self:
        """Verify and read a leaf.

        Raises:
            ProtocolError: Another key signed it, or it is not one.
        """
        return cls(**_read(envelope.verified(KIND, key=key)))


def _read(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    replaced_by = fields.integer("replaced_by", low=1, high=LARGEST_NUMBER)
    releases = fields.items("releases", most=MOST_RELEASES)
    fields.done()
    if not releases or any(isinstance(number, bool) or not isinstance(number, int) or number < 1 for number in releases):
        raise ProtocolError("a list of withdrawn releases cannot be read")
    if releases != sorted(set(releases)) or releases[-1] >= replaced_by:
        raise ProtocolError("withdrawn releases are not in order, or not older than the one that replaces them")
    return {"releases": tuple(releases), "replaced_by": replaced_by}

"""Releases of the shared model as records, and the chain that they form (docs/log.md, "Releases").

A release is a vector in the coordinates of the public basis. Its record is never changed or taken back: going back to an older one is a new
release that says which it restores. Releases that a replay makes on its way are provisional: rounds may start from them, voices may not
be made on them; the replay's last one is current (docs/withdrawal.md, section 6).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields
from hometone_shared.records.plan import LARGEST_DIMENSION
from hometone_shared.records.signing import Envelope

KIND: Final = "hometone/release/v1"
NOTHING_SHA256: Final = "0" * 64
"""In the place of a parent or a plan that there is not."""
LARGEST_NUMBER: Final = 1_000_000
_LATEST: Final = 1 << 40


class ReleaseStatus(StrEnum):
    """What a release is for."""

    CURRENT = "current"
    PROVISIONAL = "provisional"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release.

    Attributes:
        number: From 0, without gaps.
        parent_sha256: Digest of the envelope of the release before it; zeros for number 0 and for no other.
        base_sha256: The base voice.
        basis_sha256: The basis in whose coordinates the vector is.
        dimension: d, from 1 to 2^22.
        vector_sha256: Hash of the d coordinates as float32, little-endian.
        plan_sha256: Digest of the plan whose round made it; zeros when no round did (the first one, and restored ones).
        run: Campaign, 16 hexadecimal digits.
        round_number: Round within it; 0 exactly when there is no plan.
        created: Seconds since 1970.
        restores: Number of the older release whose vector this one brings back, or None.
        status: Whether voices may be made on it, or a replay is on its way over it.

    Raises:
        ProtocolError: A field is outside its limits.
    """

    number: int
    parent_sha256: str
    base_sha256: str
    basis_sha256: str
    dimension: int
    vector_sha256: str
    plan_sha256: str
    run: str
    round_number: int
    created: int
    restores: int | None = None
    status: ReleaseStatus = ReleaseStatus.CURRENT

    def __post_init__(self) -> None:
        """Check the limits by reading what would be written."""
        _read(self.to_document())

    @property
    def vector_bytes(self) -> int:
        """Length of the vector's file."""
        return 4 * self.dimension

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {
            "base_sha256": self.base_sha256,
            "basis_sha256": self.basis_sha256,
            "created": self.created,
            "dimension": self.dimension,
            "number": self.number,
            "parent_sha256": self.parent_sha256,
            "plan_sha256": self.plan_sha256,
            "restores": self.restores,
            "round": self.round_number,
            "run": self.run,
            "status": self.status.value,
            "vector_sha256": self.vector_sha256,
        }

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Read a release.

        Raises:
            ProtocolError: It is not one, or outside the limits.
        """
        return cls(**_read(document))

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The release under the coordinator's signature."""
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope, *, key: bytes) -> Self:
        """Verify and read a release.

        Raises:
            ProtocolError: Another key signed it, or it is not a release.
        """
        return cls.from_document(envelope.verified(KIND, key=key))

    def check_vector(self, data: bytes) -> None:
        """Refuse bytes that are not this release's vector.

        Raises:
            ProtocolError: Length or hash differ.
        """
        if len(data) != self.vector_bytes or hashlib.sha256(data).hexdigest() != self.vector_sha256:
            raise ProtocolError("the vector of a release is not the one that was announced")


@dataclass(frozen=True, slots=True)
class ReleaseChain:
    """All releases of a log, in order, each the child of the one before.

    Attributes:
        releases: `releases[n]` has number n.
        digests: Digests of their envelopes.
    """

    releases: tuple[Release, ...] = ()
    digests: tuple[str, ...] = ()

    @property
    def newest_current(self) -> Release | None:
        """The newest release on which voices may be made; None before the first."""
        return next((release for release in reversed(self.releases) if release.status is ReleaseStatus.CURRENT), None)

    @classmethod
    def from_entries(cls, envelopes: Iterable[Envelope], coordinator_key: bytes) -> Self:
        """Read the releases among the entries of a log; entries of other types are passed over.

        Raises:
            ProtocolError: One was not signed by the coordinator, or does not follow from those before it.
        """
        chain = cls()
        for envelope in envelopes:
            if envelope.kind == KIND:
                chain = chain.followed_by(envelope, coordinator_key)
        return chain

    def followed_by(self, envelope: Envelope, coordinator_key: bytes) -> Self:
        """The chain with one more release.

        Raises:
            ProtocolError: It was not signed by the coordinator, or does not follow.
        """
        release = Release.from_envelope(envelope, key=coordinator_key)
        if release.number != len(self.releases) or (self.digests and release.parent_sha256 != self.digests[-1]):
            raise ProtocolError("a release does not follow from the one before it")
        if release.restores is not None:
            restored = self.releases[release.restores]
            if _model_of(restored) != _model_of(release):
                raise ProtocolError("a release does not bring back the one it names")
        return type(self)((*self.releases, release), (*self.digests, envelope.digest))


def _model_of(release: Release) -> tuple[str, str, int, str]:
    return release.base_sha256, release.basis_sha256, release.dimension, release.vector_sha256


def _read(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    number = fields.integer("number", low=0, high=LARGEST_NUMBER)
    restores = fields.take("restores")
    if restores is not None and (isinstance(restores, bool) or not isinstance(restores, int) or not 0 <= restores < number):
        raise ProtocolError("a release restores one that is not older")
    status = fields.text("status", longest=20)
    if status not in {each.value for each in ReleaseStatus}:
        raise ProtocolError("a release has a status that nobody knows")
    read = {
        "base_sha256": fields.hexadecimal("base_sha256"),
        "basis_sha256": fields.hexadecimal("basis_sha256"),
        "created": fields.integer("created", low=0, high=_LATEST),
        "dimension": fields.integer("dimension", low=1, high=LARGEST_DIMENSION),
        "number": number,
        "parent_sha256": fields.hexadecimal("parent_sha256"),
        "plan_sha256": fields.hexadecimal("plan_sha256"),
        "restores": restores,
        "round_number": fields.integer("round", low=0, high=1_000_000),
        "run": fields.hexadecimal("run", characters=16),
        "status": ReleaseStatus(status),
        "vector_sha256": fields.hexadecimal("vector_sha256"),
    }
    fields.done()
    if (number == 0) != (read["parent_sha256"] == NOTHING_SHA256):
        raise ProtocolError("only the first release has no parent")
    if (read["plan_sha256"] == NOTHING_SHA256) != (read["round_number"] == 0):
        raise ProtocolError("a release names a plan without a round, or a round without a plan")
    return read

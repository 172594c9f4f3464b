"""The set of survivors that devices sign before any share is opened (docs/protocol.md, section 5; Bonawitz et al. 2017, section 6.1).

An honest device signs one set a round, and opens shares only for a set that more than two thirds of the roster signed; so there are no two
such sets, and nobody is treated both as alive and as gone.
"""

from collections.abc import Container, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, canonical, checked_b64
from hometone_shared.records.signing import sign_payload, verify_payload
from hometone_shared.secagg.roster import Roster

KIND: Final = "hometone/survivors/v1"
SIGNATURE_BYTES: Final = 64


def checked_ids(value: object, *, among: Container[str], name: str) -> tuple[str, ...]:
    """The value if it is a sorted list of different ids out of a set.

    Raises:
        ProtocolError: It is not.
    """
    if not isinstance(value, list) or not all(isinstance(each, str) and each in among for each in value):
        raise ProtocolError(f"{name} are not devices that belong there")
    if any(first >= second for first, second in pairwise(value)):
        raise ProtocolError(f"{name} are not in order, or one occurs twice")
    return tuple(value)


class SurvivorStatement:
    """That of these participants of a roster these survived: what is signed, and by whom it has to be."""

    __slots__ = ("_payload", "_roster", "participants", "survivors")

    def __init__(self, roster: Roster, *, participants: tuple[str, ...], survivors: tuple[str, ...]) -> None:
        """Write it down; both lists sorted."""
        self._roster = roster
        self.participants = participants
        self.survivors = survivors
        self._payload = _payload(roster.plan_digest, roster.digest, participants, survivors)

    def sign(self, key: Ed25519PrivateKey) -> bytes:
        """A survivor's signature, 64 bytes."""
        return sign_payload(KIND, self._payload, key)

    def check(self, device: str, signature: bytes) -> None:
        """Check one survivor's signature.

        Raises:
            ProtocolError: It does not hold, or the device did not survive.
        """
        if device not in self.survivors:
            raise ProtocolError("a device signed that is not a survivor")
        verify_payload(KIND, self._payload, signature, key=self._roster.signing_key(device))

    def check_all(self, signatures: Mapping[str, object]) -> None:
        """Check that enough survivors signed this very set; one signature that does not hold is one too many.

        Args:
            signatures: From id to base64, as received.

        Raises:
            ProtocolError: It is not so.
        """
        if len(signatures) < self._roster.threshold:
            raise ProtocolError("too few devices signed the list of survivors")
        survivors = set(self.survivors)
        signed: list[tuple[bytes, str]] = []
        for device, signature in signatures.items():
            if device not in survivors or not isinstance(signature, str):
                raise ProtocolError("somebody signed who is not a survivor")
            signed.append((self._roster.signing_key(device), signature))
        _check_signatures(self._payload, tuple(signed))


@lru_cache(maxsize=4)
def _payload(plan_digest: str, roster_digest: str, participants: tuple[str, ...], survivors: tuple[str, ...]) -> bytes:
    document: Document = {
        "participants": list(participants),
        "plan": plan_digest,
        "roster": roster_digest,
        "survivors": list(survivors),
    }
    return canonical(document)


@lru_cache(maxsize=4)
def _check_signatures(payload: bytes, signed: tuple[tuple[bytes, str], ...]) -> None:
    for key, signature in signed:
        verify_payload(KIND, payload, checked_b64(signature, name="a signature", size=SIGNATURE_BYTES), key=key)

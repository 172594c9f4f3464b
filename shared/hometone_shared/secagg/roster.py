"""The roster of a round: who takes part, with which keys of this round (docs/protocol.md, sections 5 and 6).

A `Roster` exists only verified: every advertisement is signed by a device that is active in the directory, keys are all different, and the
sum of so many contributions fits. Nothing here is secret. Verification of the same bytes is remembered for a while in this process, which
spares a coordinator and simulations of many devices the work of doing it over again.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields, b64, canonical, checked_hexadecimal
from hometone_shared.records.plan import LARGEST_COHORT, RoundPlan, threshold
from hometone_shared.records.signing import sign_detached, verify_detached
from hometone_shared.secagg.graph import Graph, shares_needed

KIND: Final = "hometone/advertisement/v1"
DEVICE_ID_CHARACTERS: Final = 32
_ROSTER_LABEL: Final = b"hometone/roster/v1"
_PROBE: Final = X25519PrivateKey.from_private_bytes(bytes(range(32)))
"""Any private key finds out the worthless public ones, which give the all-zero secret with each (RFC 7748, section 6.1)."""


def device_id(signing_public_key: bytes) -> str:
    """Name of a device: the first 16 bytes of SHA-256 of its raw Ed25519 public key, hexadecimal."""
    return hashlib.sha256(signing_public_key).digest()[:16].hex()


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What one device offers for one plan; signed, but not verified before `check`.

    Attributes:
        device: Id, 32 hexadecimal digits.
        mask_key: Raw X25519 public key for pairwise masks, 32 bytes.
        seal_key: Raw X25519 public key for sealing shares to it, 32 bytes.
        commitment: To the seed of its self mask, 32 bytes.
        speakers: How many speakers contribute.
        signature: Ed25519, 64 bytes.
    """

    device: str
    mask_key: bytes
    seal_key: bytes
    commitment: bytes
    speakers: int
    signature: bytes

    @classmethod
    def signed(
        cls, key: Ed25519PrivateKey, *, plan_digest: str, mask_key: bytes, seal_key: bytes, commitment: bytes, speakers: int
    ) -> Self:
        """Make one."""
        device = device_id(key.public_key().public_bytes_raw())
        unsigned = cls(device, mask_key, seal_key, commitment, speakers, bytes(64))
        return cls(device, mask_key, seal_key, commitment, speakers, sign_detached(KIND, unsigned._statement(plan_digest), key))

    def _statement(self, plan_digest: str) -> Document:
        document = self.to_document()
        del document["signature"]
        return document | {"plan": plan_digest}

    def to_document(self) -> Document:
        """For sending."""
        return {
            "commitment": b64(self.commitment),
            "device": self.device,
            "mask_key": b64(self.mask_key),
            "seal_key": b64(self.seal_key),
            "signature": b64(self.signature),
            "speakers": self.speakers,
        }

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read what `to_document` made.

        Raises:
            ProtocolError: It is something else.
        """
        fields = Fields(document)
        read = cls(
            device=fields.hexadecimal("device", characters=DEVICE_ID_CHARACTERS),
            mask_key=fields.blob("mask_key", size=32),
            seal_key=fields.blob("seal_key", size=32),
            commitment=fields.blob("commitment", size=32),
            speakers=fields.integer("speakers", low=1, high=LARGEST_COHORT),
            signature=fields.blob("signature", size=64),
        )
        fields.done()
        return read

    def check(self, plan_digest: str, signing_key: bytes) -> None:
        """Check that the device of this signing key made it for this plan, and that its keys are of use.

        Args:
            plan_digest: Hexadecimal.
            signing_key: The raw Ed25519 public key that the directory has for the device.

        Raises:
            ProtocolError: It is not so.
        """
        if device_id(signing_key) != self.device:
            raise ProtocolError("a device is not the one of its signing key")
        verify_detached(KIND, self._statement(plan_digest), self.signature, key=signing_key)
        for key in (self.mask_key, self.seal_key):
            try:
                _PROBE.exchange(X25519PublicKey.from_public_bytes(key))
            except ValueError as error:
                raise ProtocolError("an advertisement has a worthless key") from error


class Roster:
    """The verified list of those who take part. Made by `verified` alone."""

    __slots__ = ("_advertisements", "_graph", "_plan_digest", "_signing_keys", "context", "devices", "digest")

    digest: str
    """R, hexadecimal."""
    devices: tuple[str, ...]
    """Ids, sorted."""
    context: bytes
    """`P || R`, 64 bytes: what masks and sealed shares are bound to."""

    def __init__(self, advertisements: tuple[Advertisement, ...], *, plan_digest: str, signing_keys: tuple[bytes, ...]) -> None:
        """Take advertisements that were checked, in the order of their ids."""
        documents = [each.to_document() for each in advertisements]
        plan = bytes.fromhex(plan_digest)
        roster = hashlib.sha256(_ROSTER_LABEL + plan + canonical(documents)).digest()
        self._plan_digest = plan_digest
        self._advertisements = {each.device: each for each in advertisements}
        self.digest = roster.hex()
        self.devices = tuple(self._advertisements)
        self.context = plan + roster
        self._signing_keys = dict(zip(self.devices, signing_keys, strict=True))
        self._graph = Graph(self.devices, roster_digest=self.digest)

    @classmethod
    def verified(cls, advertisements: Sequence[Document], *, plan: RoundPlan, plan_digest: str, directory: Mapping[str, bytes]) -> "Roster":
        """Check a list of advertisements (section 5, stage `roster`).

        Args:
            advertisements: As they were received, sorted by device id.
            plan: The plan of the round.
            plan_digest: Its digest, hexadecimal.
            directory: From id to raw Ed25519 public key of every ACTIVE device.

        Raises:
            ProtocolError: A device is unknown or revoked, a signature does not hold, ids or keys are not all different or not in order, a
                key is worthless, there are fewer devices than the plan demands, or the sum would not fit.
        """
        checked_hexadecimal(plan_digest, name="plan")
        if not isinstance(advertisements, list | tuple) or not plan.minimum_cohort <= len(advertisements) <= LARGEST_COHORT:
            raise ProtocolError("a roster has too few devices or too many")
        try:
            data = json.dumps(advertisements, sort_keys=True, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ProtocolError("a roster cannot be read") from error
        read = _read(data)
        keys = tuple(directory.get(each.device, b"") for each in read)
        if b"" in keys:
            raise ProtocolError("a roster names a device that is not in the directory")
        roster = _checked(data, plan_digest, keys)
        plan.check_no_wrap(devices=len(read), speakers=roster.speakers_of(roster.devices))
        return roster

    def __contains__(self, device: object) -> bool:
        """Whether a device takes part."""
        return device in self._advertisements

    @property
    def plan_digest(self) -> str:
        """P, hexadecimal."""
        return self._plan_digest

    @property
    def threshold(self) -> int:
        """How many devices have to stay to the end."""
        return threshold(len(self.devices))

    @property
    def shares_needed(self) -> int:
        """How many shares give one secret back."""
        return shares_needed(len(self.devices))

    def speakers_of(self, devices: Iterable[str]) -> int:
        """How many speakers these devices declared.

        Raises:
            KeyError: A device is not in the roster.
        """
        return sum(self._advertisements[device].speakers for device in devices)

    def holders(self, device: str) -> tuple[str, ...]:
        """Who holds shares of a device: itself and its neighbours, in the order of their ids (index k has abscissa k + 1).

        Raises:
            KeyError: The device is not in the roster.
        """
        return self._graph.holders(device)

    def neighbours(self, device: str) -> tuple[str, ...]:
        """With whom a device masks, in the order of their ids.

        Raises:
            KeyError: The device is not in the roster.
        """
        return self._graph.neighbours(device)

    def advertisement(self, device: str) -> Advertisement:
        """What a device offered.

        Raises:
            KeyError: The device is not in the roster.
        """
        return self._advertisements[device]

    def signing_key(self, device: str) -> bytes:
        """The raw Ed25519 public key that the directory has for a device.

        Raises:
            KeyError: The device is not in the roster.
        """
        return self._signing_keys[device]


@lru_cache(maxsize=4)
def _read(data: bytes) -> tuple[Advertisement, ...]:
    read = tuple(Advertisement.from_document(document) for document in json.loads(data))
    ids = [each.device for each in read]
    if any(first >= second for first, second in pairwise(ids)):
        raise ProtocolError("a roster is not in the order of its devices, or names one twice")
    if len({key for each in read for key in (each.mask_key, each.seal_key)}) != 2 * len(read):
        raise ProtocolError("a key occurs twice in a roster")
    return read


@lru_cache(maxsize=4)
def _checked(data: bytes, plan_digest: str, keys: tuple[bytes, ...]) -> Roster:
    advertisements = _read(data)
    for advertisement, key in zip(advertisements, keys, strict=True):
        advertisement.check(plan_digest, key)
    return Roster(advertisements, plan_digest=plan_digest, signing_keys=keys)

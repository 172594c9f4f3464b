"""The coordinator's side of one attempt at one round (docs/protocol.md, sections 5 to 7).

What it may see: advertisements, sealed shares it cannot open, masked vectors, signatures, and of every participant shares of one
secret. What it must never do: ask for both secrets of anybody, or hand out a sum that lacks a mask or has one left in it.

A stage takes answers with `add_...` and ends with `close_...`, which gives the request of the next. A bad answer raises ProtocolError: its
device is gone from that stage on. Too few that are left raise FederationError, and the attempt is lost; no sum is released.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.records.canonical import Document, Fields, b64, checked_b64, checked_hexadecimal
from hometone_shared.records.plan import LARGEST_COHORT, RoundPlan
from hometone_shared.secagg.masks import add_keystream, add_pair_masks, commitment_holds, self_mask_key
from hometone_shared.secagg.rebuilding import Rebuilder
from hometone_shared.secagg.roster import Advertisement, Roster
from hometone_shared.secagg.sealing import SEALED_BYTES
from hometone_shared.secagg.shamir import SHARE_BYTES, checked_share
from hometone_shared.secagg.survivors import SIGNATURE_BYTES, SurvivorStatement

_ANOTHER_ATTEMPT: Final = "start another attempt when more laptops are reachable"


class _Stage(IntEnum):
    ADVERTISEMENTS = 1
    SHARES = 2
    MASKED = 3
    SIGNATURES = 4
    UNMASKING = 5
    OVER = 6


@dataclass(frozen=True, slots=True, eq=False)
class Total:
    """The sum of a round, still noisy, free of masks.

    Attributes:
        values: int64 [d], the sum read as signed 32-bit numbers.
        survivors: Ids of the devices whose vectors are in it, sorted.
        speakers: How many speakers these declared.
        devices: How many devices these are.
    """

    values: NDArray[np.int64]
    survivors: tuple[str, ...]
    speakers: int
    devices: int


class Aggregator:
    """One attempt at one round, as the coordinator sees it."""

    def __init__(self, *, plan: RoundPlan, plan_digest: str, directory: Mapping[str, bytes]) -> None:
        """Begin.

        Args:
            plan: The plan of the round.
            plan_digest: Its digest, hexadecimal.
            directory: From id to raw Ed25519 public key of every ACTIVE device.

        Raises:
            ProtocolError: The digest is none.
        """
        self._plan = plan
        self._plan_digest = checked_hexadecimal(plan_digest, name="plan")
        self._directory = dict(directory)
        self._stage = _Stage.ADVERTISEMENTS
        self._advertisements: dict[str, Advertisement] = {}
        self._keys: set[bytes] = set()
        self._roster: Roster | None = None
        self._participants: tuple[str, ...] = ()
        self._sealed: dict[str, dict[str, str]] = {}
        self._sum = np.zeros(plan.dimension, dtype=np.uint32)
        self._delivered: set[str] = set()
        self._survivors: tuple[str, ...] = ()
        self._signatures: dict[str, str] = {}
        self._self_mask_shares: dict[str, dict[str, bytes]] = {}
        self._mask_key_shares: dict[str, dict[str, bytes]] = {}
        self._unmasked: set[str] = set()

    def _expect(self, stage: _Stage) -> None:
        if self._stage is not stage:
            raise ProtocolError("an answer came too late or too early for its stage")

    def _close(self, stage: _Stage, *, left: int, needed: int) -> None:
        """End a stage; with too few left the attempt is over."""
        if self._stage is not stage:
            raise FederationError("the round is not at this stage")
        self._stage = _Stage.OVER
        if left < needed:
            raise FederationError(f"only {left} laptops are left in the round, and it needs {needed}", hint=_ANOTHER_ATTEMPT)
        self._stage = _Stage(stage + 1)

    @property
    def roster(self) -> Roster:
        """The roster of the round.

        Raises:
            FederationError: `close_roster` has not made it.
        """
        if self._roster is None:
            raise FederationError("the round has no roster yet")
        return self._roster

    def add_advertisement(self, document: Document) -> str:
        """Take an advertisement and return the id of its device.

        Raises:
            ProtocolError: It does not hold, its device is unknown or has one already, a key of it is another's, or it came too late.
        """
        self._expect(_Stage.ADVERTISEMENTS)
        advertisement = Advertisement.from_document(document)
        device = advertisement.device
        if device not in self._directory:
            raise ProtocolError("a device is not in the directory")
        advertisement.check(self._plan_digest, self._directory[device])
        if device in self._advertisements:
            raise ProtocolError("a device advertised twice")
        keys = {advertisement.mask_key, advertisement.seal_key}
        if len(keys) != 2 or keys & self._keys:
            raise ProtocolError("a key is used twice")
        self._keys |= keys
        self._advertisements[device] = advertisement
        return device

    def close_roster(self) -> Document:
        """End stage `offer`; the request `roster` for every device of it.

        Raises:
            FederationError: There are too few devices for the plan, or their contributions would not fit into the sum.
        """
        self._close(_Stage.ADVERTISEMENTS, left=len(self._advertisements), needed=self._plan.minimum_cohort)
        documents = [self._advertisements[device].to_document() for device in sorted(self._advertisements)]
        try:
            self._roster = Roster.verified(documents, plan=self._plan, plan_digest=self._plan_digest, directory=self._directory)
        except ProtocolError as error:
            self._stage = _Stage.OVER
            raise FederationError(error.message, hint=_ANOTHER_ATTEMPT) from error
        return {"advertisements": documents}

    def add_shares(self, device: str, answer: Document) -> None:
        """Take the sealed shares of a device of the roster.

        Raises:
            ProtocolError: They are not one for each neighbour, or came twice or too late.
        """
        self._expect(_Stage.SHARES)
        if device not in self.roster or device in self._sealed:
            raise ProtocolError("shares came from a device that is not asked for any")
        fields = Fields(answer)
        shares = fields.mapping("shares", most=LARGEST_COHORT)
        fields.done()
        if set(shares) != set(self.roster.neighbours(device)):
            raise ProtocolError("there is not one share for each holder")
        for sealed in shares.values():
            checked_b64(sealed, name="a share", size=SEALED_BYTES)
        self._sealed[device] = shares

    def close_shares(self) -> dict[str, Document]:
        """End stage `roster`; the request `mask` for each participant.

        Raises:
            FederationError: Too few are left, altogether or beside one of them.
        """
        self._close(_Stage.SHARES, left=len(self._sealed), needed=self.roster.threshold)
        self._participants = tuple(sorted(self._sealed))
        self._check_holders(self._participants, present=set(self._participants))
        listed, requests = list(self._participants), {}
        for device in self._participants:
            givers = [each for each in self.roster.neighbours(device) if each in self._sealed]
            requests[device] = {"participants": listed, "shares": {each: self._sealed[each][device] for each in givers}}
        self._sealed = {}
        return requests

    def _check_holders(self, devices: tuple[str, ...], *, present: set[str]) -> None:
        """End the attempt early when the secrets of a device could not be rebuilt (above 101 devices that hangs on its neighbours)."""
        for device in devices:
            if sum(holder in present for holder in self.roster.holders(device)) < self.roster.shares_needed:
                self._stage = _Stage.OVER
                raise FederationError("too few laptops are left that hold the shares of one of them", hint=_ANOTHER_ATTEMPT)

    def add_masked(self, device: str, vector_bytes: bytes) -> None:
        """Take the masked vector of a participant.

        Args:
            device: Its id.
            vector_bytes: 4 d bytes, little-endian.

        Raises:
            ProtocolError: It has another length, or came twice, too late or from somebody else.
        """
        self._expect(_Stage.MASKED)
        if device not in self._participants or device in self._delivered:
            raise ProtocolError("a vector came from a device that is not asked for one")
        if len(vector_bytes) != 4 * self._plan.dimension:
            raise ProtocolError("a vector has the wrong length")
        self._sum += np.frombuffer(vector_bytes, dtype="<u4")
        self._delivered.add(device)

    def close_masked(self) -> Document:
        """End stage `mask`; the request `survivors` for each of those who delivered.

        Raises:
            FederationError: Too few are left, altogether or beside one of them.
        """
        self._close(_Stage.MASKED, left=len(self._delivered), needed=self.roster.threshold)
        self._check_holders(self._participants, present=self._delivered)
        self._survivors = tuple(sorted(self._delivered))
        return {"survivors": list(self._survivors)}

    def add_signature(self, device: str, answer: Document) -> None:
        """Take a survivor's signature.

        Raises:
            ProtocolError: It does not hold, or came twice, too late or from somebody else.
        """
        self._expect(_Stage.SIGNATURES)
        if device in self._signatures:
            raise ProtocolError("a device signed twice")
        fields = Fields(answer)
        signature = fields.blob("signature", size=SIGNATURE_BYTES)
        fields.done()
        SurvivorStatement(self.roster, participants=self._participants, survivors=self._survivors).check(device, signature)
        self._signatures[device] = b64(signature)

    def close_signatures(self) -> Document:
        """End stage `survivors`; the request `unmask` for each of those who signed.

        Raises:
            FederationError: Too few signed.
        """
        self._close(_Stage.SIGNATURES, left=len(self._signatures), needed=self.roster.threshold)
        return {"signatures": dict(sorted(self._signatures.items()))}

    def add_unmasking(self, device: str, answer: Document) -> None:
        """Take the shares that a survivor opened.

        Raises:
            ProtocolError: They are not those it was asked for, or came twice, too late or from somebody else.
        """
        self._expect(_Stage.UNMASKING)
        if device not in self._signatures or device in self._unmasked:
            raise ProtocolError("opened shares came from a device that is not asked for any")
        held = set(self.roster.holders(device)) & set(self._participants)
        fields = Fields(answer)
        mask_keys = _opened(fields.mapping("mask_key_shares", most=LARGEST_COHORT), expected=held - self._delivered)
        self_masks = _opened(fields.mapping("self_mask_shares", most=LARGEST_COHORT), expected=held & self._delivered)
        fields.done()
        self._unmasked.add(device)
        self._mask_key_shares[device], self._self_mask_shares[device] = mask_keys, self_masks

    def total(self) -> Total:
        """End stage `unmask`: take all masks off.

        Raises:
            FederationError: Too few opened their shares, or shares that do not check; nothing is released.
        """
        self._close(_Stage.UNMASKING, left=len(self._unmasked), needed=self.roster.shares_needed)
        self._stage = _Stage.OVER
        masked, self._sum = self._sum, np.zeros(0, dtype=np.uint32)
        rebuilder = Rebuilder(self.roster.shares_needed)
        for device in self._participants:
            if device in self._delivered:
                self._take_off_self_mask(masked, device, rebuilder)
            else:
                self._take_off_pair_masks(masked, device, rebuilder)
        return Total(
            values=masked.view(np.int32).astype(np.int64),
            survivors=self._survivors,
            speakers=self.roster.speakers_of(self._survivors),
            devices=len(self._survivors),
        )

    def _shares_of(self, device: str, opened: Mapping[str, Mapping[str, bytes]]) -> dict[str, tuple[int, bytes]]:
        holders = enumerate(self.roster.holders(device), start=1)
        return {holder: (abscissa, opened[holder][device]) for abscissa, holder in holders if holder in opened}

    def _take_off_self_mask(self, masked: NDArray[np.uint32], device: str, rebuilder: Rebuilder) -> None:
        promised = self.roster.advertisement(device).commitment

        def accept(seed: bytes) -> bytes | None:
            return seed if commitment_holds(promised, seed, plan_digest=self._plan_digest, device=device) else None

        seed = rebuilder.rebuild(self._shares_of(device, self._self_mask_shares), accept=accept)
        add_keystream(masked, self_mask_key(seed, context=self.roster.context, device=device), subtract=True)

    def _take_off_pair_masks(self, masked: NDArray[np.uint32], device: str, rebuilder: Rebuilder) -> None:
        """Add what the device would have added itself: each mask of a pair occurs once with either sign."""
        promised = self.roster.advertisement(device).mask_key

        def accept(secret: bytes) -> X25519PrivateKey | None:
            private = X25519PrivateKey.from_private_bytes(secret)
            return private if private.public_key().public_bytes_raw() == promised else None

        private = rebuilder.rebuild(self._shares_of(device, self._mask_key_shares), accept=accept)
        peers = {each: self.roster.advertisement(each).mask_key for each in self.roster.neighbours(device) if each in self._delivered}
        add_pair_masks(masked, private, device=device, peers=peers, context=self.roster.context)


def _opened(shares: Document, *, expected: set[str]) -> dict[str, bytes]:
    if set(shares) != expected:
        raise ProtocolError("opened shares are missing, or there are some that were not asked for")
    return {device: checked_share(checked_b64(share, name="a share", size=SHARE_BYTES)) for device, share in shares.items()}

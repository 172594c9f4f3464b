"""A laptop's side of one attempt at one round (docs/protocol.md, sections 5 to 7).

Its stages, each once and in this order:

1. `advertise`: fresh keys and the commitment to the self mask;
2. `share`: the roster is verified, and shares of the two secrets are sealed to their holders;
3. `receive_shares`: who takes part, and the shares that they sealed to this laptop; all checks of stage `mask`, so that nothing is drawn,
   spent or sent for a list that does not hold;
4. `mask`: the noisy vector under the self mask and the masks of all pairs;
5. `sign`: one set of survivors;
6. `unmask`: for every participant one share, of the self mask if it survived, of the mask key otherwise, never both.

What it may see: this laptop's noisy vector, its keys of this round, and sealed shares of others. What it must never do: go on after a check
failed, do a stage twice, or open both shares of anybody. A stage that refuses, whatever the reason, ends the round for this object and
forgets its secrets (as far as Python lets one forget: references go, memory is not overwritten).
"""

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields, b64, checked_b64, checked_hexadecimal
from hometone_shared.records.plan import LARGEST_COHORT, RoundPlan
from hometone_shared.secagg.masks import SEED_BYTES, add_keystream, add_pair_masks, commitment, self_mask_key
from hometone_shared.secagg.refusal import Refusal, refusing
from hometone_shared.secagg.roster import Advertisement, Roster, device_id
from hometone_shared.secagg.sealing import SEALED_BYTES, SharePair, seal, unseal
from hometone_shared.secagg.shamir import split
from hometone_shared.secagg.survivors import SurvivorStatement, checked_ids
from hometone_shared.updates import MaskedUpdate, NoisyUpdate


class _Stage(IntEnum):
    BUSY = 0
    ADVERTISE = 1
    SHARE = 2
    RECEIVE_SHARES = 3
    MASK = 4
    SIGN = 5
    UNMASK = 6
    OVER = 7


@dataclass(frozen=True, slots=True, repr=False)
class RoundSecrets:
    """What only this laptop knows during a round. Never shown: it has no repr of its own.

    Attributes:
        mask_key: For pairwise masks.
        seal_key: For opening what others seal to it.
        seed: Of the self mask, 32 bytes.
    """

    mask_key: X25519PrivateKey
    seal_key: X25519PrivateKey
    seed: bytes

    @classmethod
    def draw(cls) -> Self:
        """Fresh ones, from the operating system's random numbers."""
        return cls(X25519PrivateKey.generate(), X25519PrivateKey.generate(), secrets.token_bytes(SEED_BYTES))


class Participant:
    """One laptop in one attempt at one round."""

    def __init__(self, *, plan: RoundPlan, plan_digest: str, signing_key: Ed25519PrivateKey, speakers: int) -> None:
        """Begin; the caller has checked the plan (section 8).

        Args:
            plan: The plan of the round.
            plan_digest: Its digest, hexadecimal.
            signing_key: The device's identity.
            speakers: How many of its speakers contribute.

        Raises:
            ProtocolError: The digest is none, or nobody contributes.
        """
        if not 1 <= speakers <= LARGEST_COHORT:
            raise ProtocolError("nobody contributes to the round")
        self._plan = plan
        self._plan_digest = checked_hexadecimal(plan_digest, name="plan")
        self._signing_key = signing_key
        self._turn = threading.Lock()
        self._stage = _Stage.ADVERTISE
        self._secrets: RoundSecrets | None = RoundSecrets.draw()
        self._own = self._advertised(self._secrets, speakers)
        self._roster: Roster | None = None
        self._kept: dict[str, SharePair] = {}
        self._participants: tuple[str, ...] = ()
        self._survivors: tuple[str, ...] = ()

    def _advertised(self, held: RoundSecrets, speakers: int) -> Advertisement:
        mask_key, seal_key = (key.public_key().public_bytes_raw() for key in (held.mask_key, held.seal_key))
        device = device_id(self._signing_key.public_key().public_bytes_raw())
        promised = commitment(held.seed, plan_digest=self._plan_digest, device=device)
        return Advertisement.signed(
            self._signing_key,
            plan_digest=self._plan_digest,
            mask_key=mask_key,
            seal_key=seal_key,
            commitment=promised,
            speakers=speakers,
        )

    @property
    def device(self) -> str:
        """The device's id."""
        return self._own.device

    @property
    def roster(self) -> Roster:
        """The roster of the round, once `share` has verified it.

        Raises:
            Refusal: `order`: it has not yet.
        """
        if self._roster is None:
            raise Refusal("order", "the roster of the round is not known yet")
        return self._roster

    def close(self) -> None:
        """Leave the round and forget its secrets; every later stage is refused."""
        with self._turn:
            self._stage = _Stage.OVER
            self._secrets = None
            self._kept = {}

    @contextmanager
    def _doing(self, stage: _Stage) -> Iterator[None]:
        """Let a stage run if it is its turn; whatever goes wrong in it ends the round for this laptop."""
        try:
            self._step(stage, _Stage.BUSY, otherwise="a stage of the round came twice or out of turn")
            yield
            self._step(_Stage.BUSY, _Stage(stage + 1), otherwise="this laptop left the round meanwhile")
        except BaseException:
            self.close()
            raise

    def _step(self, before: _Stage, after: _Stage, *, otherwise: str) -> None:
        """Go on, in one piece: two threads that ask for one stage do not both get it."""
        with self._turn:
            if self._stage is not before:
                raise Refusal("order", otherwise)
            self._stage = after

    def advertise(self) -> Document:
        """Stage `offer`: the advertisement.

        Raises:
            Refusal: `order`.
        """
        with self._doing(_Stage.ADVERTISE):
            return self._own.to_document()

    def share(self, request: Document, *, directory: Mapping[str, bytes]) -> Document:
        """Stage `roster`: verify who takes part and seal shares of the two secrets to their holders.

        Args:
            request: `{"advertisements": [...]}`.
            directory: From id to raw Ed25519 public key of every ACTIVE device, from the log.

        Returns:
            `{"shares": {holder id: b64 of 114 bytes}}`.

        Raises:
            Refusal: `roster` or `order`.
        """
        with self._doing(_Stage.SHARE), refusing("roster"):
            fields = Fields(request)
            advertisements = fields.items("advertisements", most=LARGEST_COHORT)
            fields.done()
            roster = Roster.verified(advertisements, plan=self._plan, plan_digest=self._plan_digest, directory=directory)
            if self.device not in roster or roster.advertisement(self.device) != self._own:
                raise ProtocolError("the roster does not have this laptop's own advertisement")
            self._roster = roster
            return {"shares": self._sealed_shares(roster, self._held())}

    def _held(self) -> RoundSecrets:
        if self._secrets is None:
            raise Refusal("order", "the round is over for this laptop")
        return self._secrets

    def _sealed_shares(self, roster: Roster, held: RoundSecrets) -> dict[str, str]:
        holders = roster.holders(self.device)
        parts = [
            split(secret, needed=roster.shares_needed, shares=len(holders)) for secret in (held.seed, held.mask_key.private_bytes_raw())
        ]
        sealed = {}
        for holder, self_mask, mask_key in zip(holders, *parts, strict=True):
            pair = SharePair(self_mask, mask_key)
            if holder == self.device:
                self._kept[holder] = pair
                continue
            key = roster.advertisement(holder).seal_key
            sealed[holder] = b64(seal(pair, key=key, context=roster.context, giver=self.device, holder=holder))
        return sealed

    def receive_shares(self, request: Document) -> None:
        """Stage `mask`, first half: check who takes part and open what they sealed to this laptop.

        Args:
            request: `{"participants": [ids], "shares": {from id: b64}}`.

        Raises:
            Refusal: `participants`, `shares` or `order`.
        """
        with self._doing(_Stage.RECEIVE_SHARES):
            with refusing("participants"):
                fields = Fields(request)
                self._participants = checked_ids(fields.take("participants"), among=self.roster, name="participants")
                sealed = fields.mapping("shares", most=LARGEST_COHORT)
                fields.done()
                givers = self._givers(set(self._participants))
            with refusing("shares"):
                self._open_shares(sealed, givers)

    def _givers(self, present: set[str]) -> list[str]:
        """Neighbours that take part; fewer than give a secret back would only waste a budget on a round that cannot end well."""
        if self.device not in present or len(present) < self.roster.threshold:
            raise ProtocolError("too few devices take part, or this laptop is left out")
        givers = [each for each in self.roster.neighbours(self.device) if each in present]
        if len(givers) + 1 < self.roster.shares_needed:
            raise ProtocolError("too few of those who hold this laptop's shares take part")
        return givers

    def _open_shares(self, sealed: Mapping[str, object], givers: list[str]) -> None:
        if set(sealed) != set(givers):
            raise ProtocolError("shares are missing, or there are some that do not belong here")
        held, context = self._held(), self.roster.context
        for giver in givers:
            data = checked_b64(sealed[giver], name="a share", size=SEALED_BYTES)
            self._kept[giver] = unseal(data, held.seal_key, context=context, giver=giver, holder=self.device)

    def mask(self, update: NoisyUpdate) -> MaskedUpdate:
        """Stage `mask`, second half: the vector that may leave, `y = x + self mask + pairwise masks`.

        Args:
            update: This laptop's noisy vector, for this very plan.

        Returns:
            uint32 [d], for the coordinator.

        Raises:
            Refusal: `order`, also for a vector of another plan or length.
        """
        with self._doing(_Stage.MASK), refusing("order"):
            if update.plan_digest != self._plan_digest or update.residues.shape != (self._plan.dimension,):
                raise ProtocolError("the vector was made for another plan")
            held, roster = self._held(), self.roster
            total = update.residues.astype(np.uint32, copy=True)
            add_keystream(total, self_mask_key(held.seed, context=roster.context, device=self.device))
            peers = {each: roster.advertisement(each).mask_key for each in self._kept if each != self.device}
            add_pair_masks(total, held.mask_key, device=self.device, peers=peers, context=roster.context)
            self._secrets = None
            return MaskedUpdate(total, self._plan_digest)

    def sign(self, request: Document) -> Document:
        """Stage `survivors`: sign the one set of this round.

        Args:
            request: `{"survivors": [ids]}`.

        Returns:
            `{"signature": b64 of 64 bytes}`.

        Raises:
            Refusal: `survivors` or `order`.
        """
        with self._doing(_Stage.SIGN), refusing("survivors"):
            fields = Fields(request)
            survivors = checked_ids(fields.take("survivors"), among=set(self._participants), name="survivors")
            fields.done()
            if self.device not in survivors or len(survivors) < self.roster.threshold:
                raise ProtocolError("too few devices survived, or this laptop is left out")
            self._survivors = survivors
            return {"signature": b64(self._statement().sign(self._signing_key))}

    def _statement(self) -> SurvivorStatement:
        return SurvivorStatement(self.roster, participants=self._participants, survivors=self._survivors)

    def unmask(self, request: Document) -> Document:
        """Stage `unmask`: one share of every participant whose holder this laptop is; afterwards nothing is left to open.

        Args:
            request: `{"signatures": {id: b64}}`.

        Returns:
            `{"mask_key_shares": {id: b64}, "self_mask_shares": {id: b64}}`, 33 bytes each.

        Raises:
            Refusal: `signatures` or `order`.
        """
        with self._doing(_Stage.UNMASK), refusing("signatures"):
            fields = Fields(request)
            signatures = fields.mapping("signatures", most=LARGEST_COHORT)
            fields.done()
            self._statement().check_all(signatures)
            survivors = set(self._survivors)
            answer = {
                "mask_key_shares": {each: b64(pair.mask_key) for each, pair in self._kept.items() if each not in survivors},
                "self_mask_shares": {each: b64(pair.self_mask) for each, pair in self._kept.items() if each in survivors},
            }
            self._kept = {}
            return answer

"""This laptop's side of one attempt at one round (docs/protocol.md, sections 4, 5 and 8).

1. `offer`: the plan is checked (`acceptance`); of the speakers who are willing and can afford it, each one's contribution is made and
   clipped, and its cost reserved in her ledger. The answer is an advertisement.
2. `roster`, `survivors`, `unmask`: `secagg.participant`.
3. `mask`: the noise is drawn, once; consent of everybody in the vector is looked up again; every ledger says "spent", durably; then the
   masked vector may leave.

Answers of (1) and (3) wait for the plan's grid. Whatever goes wrong, the deadline included, ends the round here: reserved budget is given
back, keys are dropped, numbers overwritten. What it may see: one speaker's unlocked things at a time. What it must never do: send anything
but documents of the protocol and a `MaskedUpdate`, or make a second vector for a plan.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from hometone_client.federation.acceptance import Accepted, RequestFacts, Standing, accept
from hometone_client.federation.contribution import Workshop, clipped_contribution
from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.federation.reply_slots import ReplySlots
from hometone_client.federation.willing import Now, now_utc, opened_for_round, purposes_of, require_registered, willing_speakers
from hometone_keys import SpeakerEntry, Vault
from hometone_shared.errors import BudgetExhausted, HometoneError, StorageError
from hometone_shared.messages import Body
from hometone_shared.privacy import clipping
from hometone_shared.privacy.noise import add_noise
from hometone_shared.records.canonical import Document, Fields
from hometone_shared.records.plan import RoundPlan
from hometone_shared.secagg.participant import Participant
from hometone_shared.secagg.refusal import Refusal, refusing
from hometone_shared.updates import ClippedUpdate, MaskedUpdate, NoisyUpdate

OFFER: Final = "offer"
STAGES: Final = (OFFER, "roster", "mask", "survivors", "unmask")


class Outcome(StrEnum):
    """How a round ended here, beside the codes of refusals."""

    CONTRIBUTED = "contributed"
    FINISHED = "finished"
    LEFT = "left"


Told = Callable[[str, dict[str, object]], None]
"""Called with the name of an event and what belongs to it; names of speakers may be among it, it never leaves this laptop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laptop:
    """What a round needs of this laptop.

    Attributes:
        vault: The open vault.
        signing_key: The device's identity.
        workshop: Makes contributions out of recordings.
        told: Told what happens.
        now: The time, for consent.
        clock: Seconds since 1970, for ledgers and deadlines.
        monotonic: Seconds of a clock that nobody sets.
        sleep: Waits so many seconds.
    """

    vault: Vault
    signing_key: Ed25519PrivateKey
    workshop: Workshop
    told: Told = lambda _event, _values: None
    now: Now = now_utc
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class RoundParticipation:
    """One plan, from its offer to its end."""

    def __init__(self, laptop: Laptop, standing: Standing, *, before: "RoundParticipation | None" = None) -> None:
        """Begin; nothing happens before the offer is handled.

        Args:
            laptop: This laptop.
            standing: What an offer is held against.
            before: The round that is in flight, if there is one; it ends here as soon as this one's plan is accepted.
        """
        self._laptop = laptop
        self._standing = standing
        self._before = before
        self._accepted: Accepted | None = None
        self._participant: Participant | None = None
        self._clipped: ClippedUpdate | None = None
        self._speakers: list[SpeakerEntry] = []
        self._spent = 0
        self._sent = False
        self._over = False
        self._outcome: str = Outcome.LEFT

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come of it."""
        return self._over

    @property
    def outcome(self) -> str:
        """How it ended here; `left` before it has."""
        return self._outcome

    @property
    def accepted(self) -> Accepted | None:
        """The plan, once it was accepted."""
        return self._accepted

    def handle(self, body: Body, facts: RequestFacts) -> Body:
        """Answer one request.

        Returns:
            The answer, or a refusal with its code; after a refusal the round is over here.

        Raises:
            Exception: A mistake of ours; the round is over here, too.
        """
        try:
            answer = self._answered(body, facts)
        except Refusal as refusal:
            self.close(refusal.code)
            self._laptop.told("refused", {"code": refusal.code, "message": refusal.message, "hint": refusal.hint})
            return Body.refusal(refusal.code, refusal.message)
        except BaseException:
            self.close(Outcome.LEFT)
            raise
        if body.kind == STAGES[-1]:
            self.close(Outcome.FINISHED)
            self._laptop.told("finished", {})
        return answer

    def expire(self) -> bool:
        """Leave the round if its deadline has passed; called from time to time while nothing comes.

        Returns:
            Whether it is over.
        """
        if self._accepted is not None and not self._over and self._laptop.clock() >= self._accepted.plan.deadline:
            self.close("expired")
            self._laptop.told("expired", {})
        return self._over

    def close(self, outcome: str = Outcome.LEFT) -> None:
        """Leave the round: give reserved budget back, forget keys, overwrite numbers. Closing again does nothing.

        Args:
            outcome: For the journal.
        """
        if self._over:
            return
        self._over = True
        self._outcome = Outcome.CONTRIBUTED if self._sent and outcome != Outcome.FINISHED else outcome
        if self._participant is not None:
            self._participant.close()
        if self._clipped is not None:
            wipe(self._clipped.values)
        self._clipped = None
        self._laptop.workshop.forget()
        if self._accepted is None:
            return
        if self._spent < len(self._speakers):
            self._release(self._accepted.digest)
        with suppress(StorageError):  # the plan is noted as seen; only what became of it is missing then
            self._standing.seen.note_outcome(self._accepted.digest, self._outcome)

    def _answered(self, body: Body, facts: RequestFacts) -> Body:
        if self._over or body.kind not in STAGES or body.vector:
            raise Refusal("order", "a request came that does not belong to this round")
        if body.kind == OFFER:
            return Body(OFFER, self._offered(body.document, facts))
        if self.expire():
            raise Refusal("expired", "the round has ended")
        participant = self._participant
        if participant is None:
            raise Refusal("order", "a stage of a round came before its offer")
        if body.kind == "mask":
            return carrying(self._masked(body.document, participant))
        if body.kind == "roster":
            return Body(body.kind, self._shared(body.document, participant))
        stage = participant.sign if body.kind == "survivors" else participant.unmask
        return Body(body.kind, stage(body.document))

    def _offered(self, request: Document, facts: RequestFacts) -> Document:
        """(1)."""
        if self._accepted is not None:
            raise Refusal("order", "a round was offered twice")
        began_s = self._laptop.monotonic()
        accepted = accept(request, facts, self._standing)
        self._accepted = accepted
        if self._before is not None:
            self._before.close()
            self._before = None
        plan = accepted.plan
        self._laptop.told("accepted", {"plan": plan})
        try:
            self._clipped = self._prepared(accepted)
        finally:  # a refusal would tell how long it took to find out, too
            self._slots(plan.reply_slot_ms).wait(began_s)
        if self.expire():
            raise Refusal("expired", "the round ended while this computer prepared for it")
        self._participant = Participant(
            plan=plan, plan_digest=accepted.digest, signing_key=self._laptop.signing_key, speakers=len(self._speakers)
        )
        return {"advertisement": self._participant.advertise()}

    def _prepared(self, accepted: Accepted) -> ClippedUpdate:
        willing = willing_speakers(self._laptop.vault, now=self._laptop.now)
        if not willing:
            raise Refusal("nobody", "nobody on this computer contributes")
        contributions: list[ClippedUpdate] = []
        poor = 0
        try:
            for entry in willing:
                try:
                    contributions.append(self._contribution_of(entry, accepted))
                except HometoneError as error:
                    poor += isinstance(error, BudgetExhausted)
                    self._laptop.told("left-out", {"speaker": entry.name, "why": error.message})
            if contributions:
                return clipping.add(contributions)
        finally:
            for each in contributions:
                wipe(each.values)
        if poor:
            raise Refusal("budget", "no speaker on this computer can afford the round")
        raise Refusal("nobody", "nobody on this computer has anything to give to the round")

    def _contribution_of(self, entry: SpeakerEntry, accepted: Accepted) -> ClippedUpdate:
        """One speaker: reserve first, so that nobody is trained for a round that she cannot afford."""
        laptop, plan = self._laptop, accepted.plan
        require_registered(laptop.vault, entry.speaker_id, book=self._standing.log.tombstones(), purposes=purposes_of(plan))
        with opened_for_round(laptop.vault, entry.speaker_id, now=laptop.now) as room:
            ledger = PrivacyLedger(room.vault, clock=laptop.clock)
            ledger.release_left_over()
            ledger.reserve(plan, digest=accepted.digest)
            try:
                laptop.told("preparing", {"speaker": entry.name})
                clipped = clipped_contribution(room, plan, workshop=laptop.workshop, now=laptop.now)
            except BaseException:
                with suppress(HometoneError):
                    ledger.release(accepted.digest)
                raise
        self._speakers.append(entry)
        return clipped

    def _shared(self, request: Document, participant: Participant) -> Document:
        """(2) The directory is this laptop's own, from the verified log."""
        with refusing("roster"):
            listed = Fields(request).items("advertisements", most=1 << 20)
            named = {each["device"]: None for each in listed if isinstance(each, dict) and isinstance(each.get("device"), str)}
        try:
            directory = self._standing.devices(named)
        except HometoneError as error:
            raise Refusal("roster", error.message, hint=error.hint) from error
        answer = participant.share(request, directory=directory)
        self._laptop.told("roster", {"devices": len(participant.roster.devices)})
        return answer

    def _masked(self, request: Document, participant: Participant) -> MaskedUpdate:
        """(3)."""
        began_s = self._laptop.monotonic()
        participant.receive_shares(request)
        accepted, clipped = self._accepted, self._clipped
        if accepted is None or clipped is None:
            raise Refusal("order", "a vector was asked for twice")
        self._clipped = None  # from here on there is no second one
        noisy: NoisyUpdate | None = None
        try:
            variance = accepted.plan.noise_variance(len(participant.roster.devices))
            noisy = add_noise(clipped, variance=variance, plan_digest=accepted.digest)
            masked = participant.mask(noisy)
        finally:
            wipe(clipped.values)
            if noisy is not None:
                wipe(noisy.residues)
        if self.expire():
            raise Refusal("expired", "the round ended before the vector was ready")
        for entry in self._speakers:  # everybody's consent before anybody's budget
            self._still_willing(entry, accepted.plan)
        for entry in self._speakers:
            self._spend(entry, accepted.digest)
        self._slots(accepted.plan.reply_slot_ms).wait(began_s)
        for entry in self._speakers:  # the last moment: she may have withdrawn while the answer waited for its slot
            self._still_willing(entry, accepted.plan)
        if self.expire():
            raise Refusal("expired", "the round ended before the vector could leave")
        self._sent = True
        self._laptop.told("contributed", {"speakers": [entry.name for entry in self._speakers]})
        return masked

    def _still_willing(self, entry: SpeakerEntry, plan: RoundPlan) -> None:
        laptop, purposes = self._laptop, purposes_of(plan)
        try:
            with opened_for_round(laptop.vault, entry.speaker_id, now=laptop.now) as room:
                require_registered(laptop.vault, entry.speaker_id, book=self._standing.log.tombstones(), purposes=purposes)
                for purpose in purposes:
                    room.require(purpose, now=laptop.now())
        except HometoneError as error:
            raise Refusal("consent", "a speaker does not contribute any more") from error

    def _spend(self, entry: SpeakerEntry, digest: str) -> None:
        try:
            with opened_for_round(self._laptop.vault, entry.speaker_id, now=self._laptop.now) as room:
                PrivacyLedger(room.vault, clock=self._laptop.clock).spend(digest)
        except (BudgetExhausted, StorageError) as error:
            raise Refusal("budget", "what the round costs could not be written down") from error
        except HometoneError as error:
            raise Refusal("consent", "a speaker does not contribute any more") from error
        self._spent += 1

    def _release(self, digest: str) -> None:
        """Give back what is still reserved; what cannot be given back now is when the next round begins."""
        for entry in self._speakers:
            with suppress(HometoneError), self._laptop.vault.unlock_for_work(entry.speaker_id) as unlocked:
                PrivacyLedger(unlocked, clock=self._laptop.clock).release(digest)

    def _slots(self, slot_ms: int) -> ReplySlots:
        return ReplySlots(slot_ms, monotonic=self._laptop.monotonic, sleep=self._laptop.sleep)


def carrying(update: MaskedUpdate) -> Body:
    """The one answer that carries a vector; it takes nothing but a masked one."""
    return Body("mask", {}, update.to_bytes())


def wipe(values: NDArray[np.generic]) -> None:
    """Overwrite numbers that are not needed any more, as far as the array is its own."""
    with suppress(ValueError):  # a view of memory that belongs to something else cannot be made writable
        values.flags.writeable = True
        values.fill(0)

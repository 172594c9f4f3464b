"""Holds every tombstone that this laptop knows against what is in its vault (docs/withdrawal.md, section 4).

1. Known are those in the outbox and those of the pinned log.
2. A speaker who has taken her own voice back is forgotten; a lent copy whose owner has taken `announcements` back is erased; other
   purposes that have ended lose their consent, as far as she can be opened without her PIN. A copy that she lent to this very laptop goes
   with her, in the same receipt.
3. For each, the tombstone is in the outbox first, then what will be removed, then it is removed, then the receipt is written.
4. A receipt that a killed process still owed is written.

It runs whenever a vault is opened, before anything else, and does nothing but a few look-ups where nobody has withdrawn. What it may see:
recovery secrets, to know whose tombstones are meant; one speaker's things at a time. What it must never do: let a voice through whose end
is written down here, or erase one whose tombstone does not verify.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from hometone_client.federation.membership import Membership
from hometone_client.federation.willing import CHECKPOINTS, stop_contributing
from hometone_client.heritage.registry import StoppedArchiving, stop_archiving
from hometone_client.lending.guests import read_guest
from hometone_client.listening.stopping import stop_listening
from hometone_client.speakers.forgetting import Forgotten, forget
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.outbox import Outbox, OutboxItem
from hometone_client.withdrawal.removal import Removal
from hometone_keys import SpeakerEntry, Vault
from hometone_shared.errors import ConsentError, HometoneError, ProtocolError, UsageError, VaultError
from hometone_shared.records.device import device_id
from hometone_shared.records.holding import holder_proof
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import Removed, Role
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import Tombstone
from hometone_shared.withdrawal.recovery import RecoverySecret

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class KnownTombstone:
    """A tombstone that this laptop knows.

    Attributes:
        envelope: As it travels.
        tombstone: The same, verified and read.
    """

    envelope: Envelope
    tombstone: Tombstone


def known_tombstones(home: Path, pseudonyms: Sequence[str]) -> dict[str, list[KnownTombstone]]:
    """(1) Pseudonym -> her tombstones, those of the pinned log first, each once.

    Args:
        home: The laptop's `--home`.
        pseudonyms: Whose.

    Raises:
        DamagedVaultError: What this laptop knows of its coordinator is damaged.
        StorageError: The disk refuses.
    """
    found: defaultdict[str, list[KnownTombstone]] = defaultdict(list)
    membership = Membership.load(home)
    if membership is not None:
        for withdrawal in membership.log().withdrawals_of(pseudonyms):
            found[withdrawal.content.pseudonym].append(KnownTombstone(withdrawal.tombstone, withdrawal.content))
    outbox = Outbox(home)
    for pseudonym in outbox.pseudonyms().intersection(pseudonyms):
        digests = {each.envelope.digest for each in found[pseudonym]}
        new = (item for item in outbox.items(pseudonym) if item.envelope.digest not in digests)
        found[pseudonym] += [KnownTombstone(item.envelope, item.tombstone) for item in new]
    return {pseudonym: tombstones for pseudonym, tombstones in found.items() if tombstones}


def ended_purposes(home: Path, pseudonym: str) -> frozenset[Purpose]:
    """What somebody has taken back, as far as this laptop knows.

    Raises:
        DamagedVaultError: As `known_tombstones`.
    """
    return _ended(known_tombstones(home, [pseudonym]).get(pseudonym, []))


def require_not_ended(home: Path, vault: Vault, speaker_id: str, *, purpose: Purpose) -> None:
    """Refuse a purpose that a speaker has taken back: it has ended for her pseudonym for ever.

    Raises:
        ConsentError: She has.
    """
    secret = RecoverySecret(vault.withdrawal_secret(speaker_id))
    if purpose in ended_purposes(home, secret.pseudonym):
        raise ConsentError(
            f"this speaker has taken {purpose.value} back, for good", hint="only somebody who is enrolled anew can begin with it again"
        )


def reconcile(home: Path, vault: Vault, *, clock: Clock = time.time, outbox: Outbox | None = None) -> int:
    """Let every tombstone that is known here have its effect.

    Args:
        home: The laptop's `--home`.
        vault: Its vault, just opened.
        clock: Seconds since 1970.
        outbox: The outbox of this home, for tests.

    Returns:
        How many voices were erased now.

    Raises:
        DamagedVaultError: What this laptop knows of its coordinator is damaged; nothing may go on then.
        StorageError: The disk refuses; it goes on at the next opening.
    """
    desk = Desk(home, vault, outbox=outbox or Outbox(home), clock=clock)
    places = desk.places()
    erased = 0
    for pseudonym, tombstones in known_tombstones(home, list(places)).items():
        lives_here = any(not place.is_guest for place in places[pseudonym])
        for place in sorted(places[pseudonym], key=lambda place: place.is_guest):
            erased += desk.settle(place, tombstones, lives_here=lives_here)
    desk.write_owed_receipts()
    return erased


def apply_ended(home: Path, vault: Vault, room: SpeakerRoom, *, clock: Clock = time.time) -> None:
    """Take the consent to purposes that have ended out of an unlocked speaker's things; for whom only the PIN opens.

    Raises:
        StorageError: The disk refuses.
    """
    with suppress(UsageError):  # a guest has no secret
        pseudonym = RecoverySecret(vault.withdrawal_secret(room.speaker_id)).pseudonym
        desk = Desk(home, vault, outbox=Outbox(home), clock=clock)
        for known in known_tombstones(home, [pseudonym]).get(pseudonym, []):
            desk.end_purposes(room, known)


class Desk:
    """Where one tombstone after the other takes effect."""

    def __init__(self, home: Path, vault: Vault, *, outbox: Outbox, clock: Clock = time.time) -> None:
        """Begin.

        Args:
            home: The laptop's `--home`.
            vault: Its open vault.
            outbox: Its outbox.
            clock: Seconds since 1970.
        """
        self._home = home
        self._vault = vault
        self._outbox = outbox
        self._clock = clock

    def places(self) -> Mapping[str, Sequence[SpeakerEntry]]:
        """Pseudonym -> places in the vault that hold something of that person."""
        found: defaultdict[str, list[SpeakerEntry]] = defaultdict(list)
        secrets = self._vault.withdrawal_secrets()
        for entry in self._vault.speakers():
            if entry.is_guest:
                with suppress(VaultError), self._vault.unlock_for_work(entry.speaker_id) as opened:
                    found[read_guest(opened).pseudonym].append(entry)
            elif entry.speaker_id in secrets:
                found[RecoverySecret(secrets[entry.speaker_id]).pseudonym].append(entry)
        return found

    def settle(self, place: SpeakerEntry, tombstones: Sequence[KnownTombstone], *, lives_here: bool = False) -> bool:
        """(2) Let one person's tombstones take effect in one place.

        Args:
            place: Where.
            tombstones: Hers.
            lives_here: Whether she has a place of her own here, too: a copy needs no receipt then beside hers.

        Returns:
            Whether the voice there was erased.
        """
        over = Purpose.ANNOUNCEMENTS if place.is_guest else Purpose.OWN_VOICE
        decisive = next((known for known in tombstones if known.tombstone.ends(over)), None)
        if decisive is not None:
            if place.is_guest and lives_here:
                return self._erase_copy(place)
            if place.is_guest:
                self._erase_guest(place, decisive)
            else:
                self.erase_speaker(place.speaker_id, decisive, room=self._opened(place))
            return True
        if not place.is_guest:
            self._end_purposes_unattended(place, tombstones)
        return False

    def erase_speaker(
        self, speaker_id: str, known: KnownTombstone, *, room: SpeakerRoom | None, keep_exports: bool = False
    ) -> tuple[Removal, Forgotten]:
        """(3) Forget a speaker.

        Args:
            speaker_id: Her place.
            known: Her word; in the outbox before anything goes.
            room: Her things, unlocked, if they can be; locked again when this returns.
            keep_exports: Leave files in her voice where they are.

        Returns:
            What was counted, and what was done.
        """
        item = self._outbox.add(known.envelope)
        copies = self._own_copies(known.tombstone.pseudonym)
        counted = Removal.of_speaker(room, known.tombstone, now_s=self._now_s, here=self._device, own_copies=len(copies))
        removal = replace(counted, holder=self._proof(speaker_id))
        if item.receipt is None:
            self._outbox.note_removal(known.tombstone, removal.to_document())
        for copy in copies:
            self._erase_copy(copy)
        done = forget(self._vault, speaker_id, home=self._home, room=room, keep_exports=keep_exports)
        after = removal.after(done)
        self._write_receipt(item, after)
        return after, done

    def end_purposes(self, room: SpeakerRoom, known: KnownTombstone) -> Removal:
        """Withdraw her consent to the purposes of a tombstone after which she stays, and answer it once.

        Returns:
            What went.
        """
        item = self._outbox.add(known.envelope)
        checkpoints = sum(room.vault.has("checkpoint", name) for name in CHECKPOINTS)
        records, archived = 0, StoppedArchiving(0, 0, 0)
        for purpose in known.tombstone.ended:
            if purpose is Purpose.LISTENING:
                records += stop_listening(room)
            if purpose is Purpose.ARCHIVE:
                archived = stop_archiving(room)
                records += archived.records
            records += stop_contributing(room) if purpose is Purpose.FEDERATED else room.withdraw_consent(purpose)
        removed = {
            Removed.RECORDS: records,
            Removed.CHECKPOINTS: checkpoints if known.tombstone.ends(Purpose.FEDERATED) else 0,
            Removed.EXPORTS: archived.removed,
        }
        if known.tombstone.ends(Purpose.ANNOUNCEMENTS):
            copies = sum(self._erase_copy(copy) for copy in self._own_copies(known.tombstone.pseudonym))
            removed |= {Removed.LENT_COPIES: copies} if copies else {}
        removal = Removal.of_purposes(
            room, known.tombstone, removed=removed, now_s=self._now_s, here=self._device, archives=archived.elsewhere
        )
        removal = replace(removal, holder=self._proof(room.speaker_id))
        self._write_receipt(item, removal)
        return removal

    def write_owed_receipts(self) -> None:
        """(4) For speakers who are gone."""
        owed = self._outbox.owing()
        here = self.places() if owed else {}
        for item in owed:
            if item.tombstone.pseudonym in here or item.removal is None:
                continue
            try:
                removal = Removal.from_document(item.removal, envelope=item.envelope, tombstone=item.tombstone)
            except ProtocolError:
                removal = Removal.of_speaker(None, item.tombstone, now_s=self._now_s)
            self._write_receipt(item, removal.after_interruption())

    def _end_purposes_unattended(self, place: SpeakerEntry, tombstones: Sequence[KnownTombstone]) -> None:
        unanswered = [known for known in tombstones if not self._has_receipt(known)]
        room = self._opened(place)
        if room is None:
            return
        with room:
            if not unanswered and not any(room.vault.has("consent", purpose.value) for purpose in _ended(tombstones)):
                return
            for known in tombstones:
                self.end_purposes(room, known)
            still_needed = room.needs_unattended_work
        if not still_needed:
            self._vault.end_work(place.speaker_id)

    def _erase_guest(self, place: SpeakerEntry, known: KnownTombstone) -> None:
        """A lent copy, and the files that were written with it here."""
        item = self._outbox.add(known.envelope)
        room = self._opened(place)
        voices = exports = 0
        holder = None
        if room is not None:
            with suppress(VaultError):
                voices, exports = len(room.vault.list("voice")), len(room.vault.list("export"))
                holder = read_guest(room.vault).lease.holder
        removal = Removal.of_guest(voices=voices, exports=exports, holder=holder)
        if item.receipt is None:
            self._outbox.note_removal(known.tombstone, removal.to_document())
        done = forget(self._vault, place.speaker_id, home=self._home, room=room)
        self._write_receipt(item, removal.after(done))

    def _own_copies(self, pseudonym: str) -> tuple[SpeakerEntry, ...]:
        """Copies that somebody who lives here has lent to this very laptop."""
        return tuple(place for place in self.places().get(pseudonym, ()) if place.is_guest)

    def _erase_copy(self, place: SpeakerEntry) -> bool:
        """One of those, and the files that were written with it; whether it was still there."""
        if all(entry.speaker_id != place.speaker_id for entry in self._vault.speakers()):
            return False
        forget(self._vault, place.speaker_id, home=self._home, room=self._opened(place))
        return True

    @property
    def _device(self) -> str:
        return device_id(self._vault.device.public_signing_key())

    def _proof(self, speaker_id: str) -> bytes:
        """Her word that she has lived on this laptop; nobody can give it once her secret is gone."""
        key = RecoverySecret(self._vault.withdrawal_secret(speaker_id)).withdrawal_key()
        return holder_proof(key, role=Role.LAPTOP.value, device=self._device)

    def _write_receipt(self, item: OutboxItem, removal: Removal) -> None:
        """One receipt for each tombstone; a voice that comes back out of a backup is erased again, and the first receipt stands."""
        if item.receipt is not None:
            return
        receipt = removal.receipt(item.envelope, item.tombstone, now_s=self._now_s)
        self._outbox.keep_receipt(item.tombstone, receipt.signed(self._vault.device.signing_key))

    def _has_receipt(self, known: KnownTombstone) -> bool:
        item = self._outbox.item(known.tombstone)
        return item is not None and item.receipt is not None

    def _opened(self, place: SpeakerEntry) -> SpeakerRoom | None:
        """Her things, if this laptop may open them without the PIN; damage keeps nobody from being forgotten."""
        if not place.work_allowed:
            return None
        try:
            return SpeakerRoom(self._vault.unlock_for_work(place.speaker_id))
        except HometoneError:
            return None

    @property
    def _now_s(self) -> int:
        return max(0, int(self._clock()))


def _ended(tombstones: Sequence[KnownTombstone]) -> frozenset[Purpose]:
    return frozenset().union(*(known.tombstone.ended for known in tombstones))

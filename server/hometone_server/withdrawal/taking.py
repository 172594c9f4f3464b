"""How the coordinator takes tombstones and receipts (docs/withdrawal.md, sections 2 to 4).

1. A tombstone, its leaf, the coordinator's receipt and the removal of the row that says which laptop it was are one transaction.
2. After it the files are emptied of what was removed (`LogStore.scrub`). That this has to be done is written down in (1): who is killed
   in between does it at the next start. As long as another program reads and holds it up, the receipt says `open-files`.
3. The same tombstone, and the same receipt, again give what they gave before.
4. Only who held something of hers can answer: her withdrawal key has signed that (`hometone_shared.records.holding`).

The tables answer what the book of tombstones would (section 3 there); what is taken here, every laptop takes.

What it may see: signed records and device ids. What it must never do: refuse somebody who may go, or log who went.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, Self

from hometone_server.home import CoordinatorHome
from hometone_server.records.membership import Membership
from hometone_server.records.refusals import FilingRefusedError
from hometone_server.records.store import LogStore, Writing
from hometone_server.records.withdrawals import (
    Answered,
    FiledTombstone,
    Registration,
    WithdrawalTables,
    add_answer,
    add_speaker,
    add_tombstone,
    clear_unscrubbed,
    remove_speaker,
    set_unscrubbed,
)
from hometone_server.withdrawal.history import Exposure, RoundHistory
from hometone_server.withdrawal.own_receipt import file_own, first_receipt, set_replayed, set_waiting
from hometone_shared.records.device import device_id
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import FiledReceipt, HolderReceipt, Pending, Role
from hometone_shared.records.registration import RegistrationRequest, SpeakerEntry
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import Tombstone, Withdrawal, coordinator_name

_DAY_S: Final = 86_400
PATIENCE_S: Final = 3.0
"""How long the files of the log may be held up before the receipt says so."""
MOST_TOMBSTONES: Final = 100
"""Of one pseudonym: nobody has to say it more often."""
MOST_REGISTRATIONS_A_DAY: Final = 100
"""Of one laptop. Leaves stay for ever and every laptop takes them all: one of them alone could make the log too long for the others."""


class Withdrawals:
    """What a coordinator does about withdrawals. May be used by several threads."""

    def __init__(
        self, log: LogStore, *, history: RoundHistory, clock: Callable[[], float] = time.time, patience_s: float = PATIENCE_S
    ) -> None:
        """Work on a log.

        Args:
            log: The log.
            history: The rounds there were.
            clock: Seconds since 1970.
            patience_s: See `PATIENCE_S`.
        """
        self._log = log
        self._history = history
        self._clock = clock
        self._patience_s = patience_s
        self._membership = Membership(log)
        self._tables = WithdrawalTables(log)
        self._registered: Counter[tuple[str, int]] = Counter()

    @classmethod
    def open(cls, home: CoordinatorHome, log: LogStore) -> Self:
        """For a coordinator's folder."""
        return cls(log, history=RoundHistory(log, journal=home.rounds_db))

    @property
    def log(self) -> LogStore:
        """The log."""
        return self._log

    @property
    def tables(self) -> WithdrawalTables:
        """What is known."""
        return self._tables

    def register(self, envelope: Envelope) -> int:
        """Make a pseudonym known, before its speaker's first round or first lent copy. The same request again gives the same leaf.

        Args:
            envelope: The request, not verified yet.

        Returns:
            Index of its leaf.

        Raises:
            ProtocolError: It is no request, was meant for another coordinator, or a signature does not hold.
            FilingRefusedError: `unknown`: no laptop that takes part asks; `used`: another laptop registered it; `refused`: it has gone;
                `busy`: this laptop has registered very many today.
        """
        request = RegistrationRequest.from_envelope(envelope, coordinator_key=self._log.key)
        device = device_id(envelope.key)
        if not self._membership.is_active(device):
            raise FilingRefusedError("unknown", "this laptop does not take part here", hint="join first: hometone join CODE")
        with self._log.writing() as change:
            known = WithdrawalTables(change)
            registration = known.registration(request.pseudonym)
            if registration is None:
                self._count_registration(device)
                position = change.append(request.entry().signed(change.signing_key))
                registration = Registration(position=position, registered_s=int(self._clock()))
                add_speaker(change, registration, pseudonym=request.pseudonym, device=device)
                return position
            owner = known.device_of(request.pseudonym)
            key = self._withdrawal_key(known.leaf(registration.position))
        if owner is None:
            raise FilingRefusedError("refused", "this voice was withdrawn", hint="who comes back is enrolled anew")
        if owner != device or key != request.withdrawal_key:
            raise FilingRefusedError("used", "another laptop has registered this voice", hint="a voice is registered by one laptop")
        return registration.position

    def _count_registration(self, device: str) -> None:
        today = int(self._clock()) // _DAY_S
        if any(day != today for _, day in self._registered):
            self._registered.clear()
        if self._registered[device, today] >= MOST_REGISTRATIONS_A_DAY:
            raise FilingRefusedError("busy", "this laptop has registered very many voices today", hint="try again tomorrow")
        self._registered[device, today] += 1

    def _withdrawal_key(self, leaf: Envelope) -> bytes:
        return SpeakerEntry.from_envelope(leaf, key=self._log.key).withdrawal_key

    def exposure(self, pseudonym: str) -> Exposure | None:
        """What the rounds since somebody's registration let out about her at most, until now."""
        registration = self._tables.registration(pseudonym)
        return None if registration is None else self._history.exposure(registration, before=self._log.checkpoint().size)

    def take(self, envelope: Envelope) -> FiledTombstone:
        """Take a tombstone.

        Args:
            envelope: Not verified yet.

        Raises:
            ProtocolError: It is no tombstone, or somebody else signed it.
            FilingRefusedError: `elsewhere`: for another coordinator; `unknown`: of a pseudonym that nobody registered; `replayed`: its
                sequence does not rise; `refused`: the hundredth was the last.
        """
        tombstone = Tombstone.from_envelope(envelope)
        if tombstone.coordinator != coordinator_name(self._log.key):
            raise FilingRefusedError("elsewhere", "this withdrawal is for another coordinator", hint="send it to the one it was made for")
        self.exposure(tombstone.pseudonym)  # reads the plans and warms the accountant before anybody has to wait for the change
        with self._log.writing() as change:
            filed = self._taken(envelope, tombstone, change)  # (1)
        self.scrub()  # (2)
        return filed

    def _taken(self, envelope: Envelope, tombstone: Tombstone, change: Writing) -> FiledTombstone:
        known = WithdrawalTables(change)
        registration = known.registration(tombstone.pseudonym)
        if registration is None or self._withdrawal_key(known.leaf(registration.position)) != envelope.key:
            raise _nobody()
        before = known.tombstone(envelope.digest)
        if before is not None:  # (3)
            return before
        newest = known.newest(tombstone.pseudonym)
        if newest is not None and tombstone.sequence <= newest.sequence:
            raise FilingRefusedError("replayed", "a newer withdrawal of the same person has come before", hint="make it once more")
        ends_all_at_last = tombstone.ends(Purpose.OWN_VOICE) and known.device_of(tombstone.pseudonym) is not None
        if known.count(tombstone.pseudonym) >= MOST_TOMBSTONES and not ends_all_at_last:
            raise FilingRefusedError("refused", "this person has withdrawn very often", hint="everything has ended already")
        withdrawal = Withdrawal(tombstone=envelope, received=int(self._clock()))
        position = change.append(withdrawal.signed(change.signing_key))
        filed = FiledTombstone(digest=envelope.digest, pseudonym=tombstone.pseudonym, sequence=tombstone.sequence, position=position)
        add_tombstone(change, filed)
        removed = remove_speaker(change, tombstone.pseudonym) if tombstone.ends(Purpose.OWN_VOICE) else 0
        if removed:
            set_unscrubbed(change, filed.digest)
        file_own(change, first_receipt(withdrawal, removed=removed, exposure=self._history.exposure(registration, before=position)))
        return filed

    def file(self, envelope: Envelope) -> int:
        """Take a holder's receipt.

        Args:
            envelope: Not verified yet.

        Returns:
            Index of its leaf.

        Raises:
            ProtocolError: It is no receipt, or a signature does not hold.
            FilingRefusedError: `unknown`: about a tombstone that is not here, or of a laptop that was not here; `replayed`: the same
                laptop has answered before; `refused`: of a role that sends none, or she did not say that it held anything of hers.
        """
        receipt = HolderReceipt.from_envelope(envelope)
        if receipt.role not in {Role.LAPTOP, Role.RECIPIENT}:
            raise FilingRefusedError("refused", "only laptops send receipts")
        device = device_id(envelope.key)
        with self._log.writing() as change:
            known = WithdrawalTables(change)
            filed = known.tombstone(receipt.tombstone_sha256)
            registration = known.registration(receipt.pseudonym)
            if filed is None or registration is None or filed.pseudonym != receipt.pseudonym:
                raise FilingRefusedError("unknown", "a receipt is about a withdrawal that is not here")
            if not self._membership.was_active_after(device, registration.position):
                raise FilingRefusedError("unknown", "this laptop does not take part here", hint="join first: hometone join CODE")
            if not receipt.is_proved:  # (4)
                raise FilingRefusedError("refused", "nothing proves that this laptop held anything of hers")
            receipt.check_holder(withdrawal_key=self._withdrawal_key(known.leaf(registration.position)), device=device)
            leaf = FiledReceipt(receipt=envelope).signed(change.signing_key)
            for answered in known.answers(filed.digest):
                if answered.device == device:
                    if known.leaf(answered.position) == leaf:  # (3)
                        return answered.position
                    raise FilingRefusedError("replayed", "this laptop has answered this withdrawal before")
            position = change.append(leaf)
            add_answer(change, filed.digest, Answered(device=device, role=receipt.role.value, position=position))
            if receipt.role is Role.LAPTOP:
                set_waiting(change, filed.digest, what=Pending.LAPTOP, waits=False, at=int(self._clock()))
        return position

    def scrub(self) -> bool:
        """Empty the files of what was removed, if that has not been done; to be called at every start and from time to time.

        Returns:
            Whether nothing is left.
        """
        due = self._tables.unscrubbed()
        if not due:
            return True
        is_done = self._log.scrub(patience_s=self._patience_s)
        with self._log.writing() as change:
            for digest in due:
                set_waiting(change, digest, what=Pending.OPEN_FILES, waits=not is_done, at=int(self._clock()))
                if is_done:
                    clear_unscrubbed(change, digest)
        return is_done

    def finish_replay(self, tombstones: Iterable[str], *, replaced_by: int) -> None:
        """File the receipts after a replay, in one change; once more changes nothing.

        Args:
            tombstones: Digests of those without whom the shared model was repeated.
            replaced_by: Number of the release that stands in the place of the withdrawn ones.

        Raises:
            UsageError: One of them is not known, or asks nothing of the shared model.
        """
        with self._log.writing() as change:
            for tombstone in tombstones:
                set_replayed(change, tombstone, replaced_by=replaced_by, at=int(self._clock()))


def _nobody() -> FilingRefusedError:
    return FilingRefusedError("unknown", "nobody is registered here under this pseudonym", hint="ask the coordinator of her laptop")

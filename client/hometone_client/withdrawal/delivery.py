"""What happens when this laptop reaches its coordinator: what it owes leaves, what it has to know comes (docs/withdrawal.md, section 4).

1. Tombstones in the outbox are handed over; the answer proves that they are in the log. This comes first and depends on nothing else: also
   a coordinator that changed its log gets them.
2. The pinned log is moved on, with all its checks.
3. Tombstones take effect here (`reconciliation`), and lent copies that nobody took back are renewed.
4. Speakers who contribute are registered, if they are not yet.
5. Receipts of this laptop are filed.
6. If anything was sent, the log is moved on once more, and what the coordinator said is in it has to be in it.
7. Withdrawn releases of the shared model leave this laptop, and voices that can be opened without a PIN take what replaces them.

What it may see: recovery secrets, while a request is signed. What it must never do: take an answer for delivered whose proof does not hold.
"""

import datetime as dt
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from hometone_client.federation.coordinator_records import CoordinatorRecords, RecordsRefusedError, Transport
from hometone_client.federation.log_audit import PinnedLog
from hometone_client.federation.membership import Membership
from hometone_client.federation.newest_release import renew_voices
from hometone_client.federation.shared_releases import SharedReleases
from hometone_client.federation.willing import willing_speakers
from hometone_client.lending.renewal import renew_leases
from hometone_client.withdrawal.acknowledgement import Acknowledged, acknowledged, delivered_tombstone, filed_receipt
from hometone_client.withdrawal.outbox import Outbox, OutboxItem
from hometone_client.withdrawal.reconciliation import reconcile, require_not_ended
from hometone_keys import Vault
from hometone_shared.errors import FederationError, HometoneError, ProtocolError
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import HolderReceipt
from hometone_shared.records.registration import RegistrationRequest, SpeakerEntry
from hometone_shared.records.tombstone import coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret

SHORT_PATIENCE_S: Final = 5.0
"""For a connection, when a person waits for something else."""
_SETTLED: Final = frozenset({"replayed", "used"})
"""Refusals after which there is nothing more to deliver: the coordinator has a later word, or has this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What one contact did.

    Attributes:
        delivered: Tombstones that the coordinator has now.
        filed: Receipts that it has now.
        erased: Voices that were erased here.
        registered: Speakers who were registered.
        renewed: Lent copies that may go on speaking.
        waiting: Withdrawals that are not settled yet.
        unreadable: Files of the outbox that cannot be read.
        log_size: Entries of the pinned log afterwards.
    """

    delivered: int
    filed: int
    erased: int
    registered: int
    renewed: int
    waiting: int
    unreadable: int
    log_size: int


def ensure_registered(
    home: Path,
    vault: Vault,
    speaker_id: str,
    *,
    purpose: Purpose = Purpose.FEDERATED,
    transport: Transport | None = None,
) -> bool:
    """Make sure that the coordinator's log knows a speaker's pseudonym, before her first round or first lent copy.

    Args:
        home: The laptop's `--home`.
        vault: Its open vault.
        speaker_id: Her place in it.
        purpose: What for; one that she has taken back is refused.
        transport: Another way to the coordinator, for tests.

    Returns:
        Whether this laptop has joined a coordinator at all.

    Raises:
        ConsentError: She has taken the purpose back, or her own voice.
        FederationError: The coordinator cannot be reached, or refuses.
        ProtocolError: It does not prove what it says.
    """
    require_not_ended(home, vault, speaker_id, purpose=purpose)
    membership = Membership.load(home)
    if membership is None:
        return False
    log = membership.log()
    secret = RecoverySecret(vault.withdrawal_secret(speaker_id))
    if not log.tombstones().knows(secret.pseudonym):
        with membership.records(transport=transport) as records:
            log.update(records)
            if not log.tombstones().knows(secret.pseudonym):
                found = _register(membership, vault, secret, records=records)
                _see_in_log(log, [found], records)
    require_not_ended(home, vault, speaker_id, purpose=purpose)
    return True


class Courier:
    """Takes things to the coordinator that a home has joined, and brings others back."""

    def __init__(
        self,
        home: Path,
        vault: Vault,
        membership: Membership,
        *,
        log: PinnedLog | None = None,
        clock: Callable[[], float] = time.time,
        transport: Transport | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            home: The laptop's `--home`.
            vault: Its open vault.
            membership: The coordinator.
            log: The pinned log, if it is open already.
            clock: Seconds since 1970.
            transport: Another way to the coordinator, for tests.
        """
        self._home = home
        self._vault = vault
        self._membership = membership
        self._log = membership.log() if log is None else log
        self._clock = clock
        self._transport = transport
        self._outbox = Outbox(home)
        self._seen: list[Acknowledged] = []

    def contact(self, *, connect_timeout_s: float | None = None) -> Contact:
        """Everything, in the order above.

        Args:
            connect_timeout_s: How long to wait for a connection; the usual time if not given.

        Raises:
            FederationError: The coordinator cannot be reached. Nothing is lost; the next contact begins again.
            ProtocolError: It does not prove what it says, or has changed its log; what was owed was handed over all the same.
            StorageError: The disk refuses.
        """
        self._seen = []
        patience = {} if connect_timeout_s is None else {"connect_timeout_s": connect_timeout_s}
        with self._membership.records(transport=self._transport, **patience) as records:
            delivered = self._deliver(records)  # (1)
            self._log.update(records)  # (2)
            if self._say_again():
                delivered += self._deliver(records)
            erased = reconcile(self._home, self._vault, clock=self._clock)  # (3)
            now = dt.datetime.fromtimestamp(self._clock(), dt.UTC)
            renewed = len(renew_leases(self._vault, now=now, tombstones=self._log.tombstones()))
            registered = self._register_willing(records)  # (4)
            filed = self._file(records)  # (5)
            if self._seen:
                _see_in_log(self._log, self._seen, records)  # (6)
            SharedReleases(self._membership.folder, log=self._log).follow(records)  # (7)
        renew_voices(self._vault, self._home)
        items = self._own_items()
        return Contact(
            delivered=delivered,
            filed=filed,
            erased=erased,
            registered=registered,
            renewed=renewed,
            waiting=sum(self._is_waiting(item) for item in items),
            unreadable=self._outbox.unreadable,
            log_size=self._log.head.size,
        )

    def _own_items(self) -> tuple[OutboxItem, ...]:
        """What is for this coordinator."""
        name = coordinator_name(self._membership.coordinator_key)
        return tuple(item for item in self._outbox.items() if item.tombstone.coordinator == name)

    def _is_waiting(self, item: OutboxItem) -> bool:
        book, pseudonym = self._log.tombstones(), item.tombstone.pseudonym
        if item.envelope in book.withdrawn.get(pseudonym, ()):  # delivered, or it came from there
            return item.owes_receipt or (item.receipt is not None and item.filed is None)
        return not item.is_settled and book.knows(pseudonym)

    def _deliver(self, records: CoordinatorRecords) -> int:
        delivered = 0
        book = self._log.tombstones()
        for item in self._own_items():
            if item.delivered is not None:
                continue
            if item.envelope in book.withdrawn.get(item.tombstone.pseudonym, ()):  # it came from there
                self._outbox.note_delivered(item.tombstone, {"known": "log"})
                continue
            try:
                answer = records.deliver_tombstone(item.envelope)
            except RecordsRefusedError as error:
                if error.code in _SETTLED:
                    self._outbox.note_delivered(item.tombstone, {"refused": error.code})
                elif error.code != "unknown":
                    raise
                continue  # an unknown pseudonym was never registered, or will be: nobody there has anything of hers
            self._seen.append(delivered_tombstone(answer, item.envelope, coordinator_key=self._membership.coordinator_key))
            self._outbox.note_delivered(item.tombstone, answer)
            delivered += 1
        return delivered

    def _say_again(self) -> int:
        """Write down anew what the coordinator refused because another laptop's word had a higher number, and what has not ended with that.

        Only of speakers who are still here; the end of everything has numbers above all others, and is never in this place.
        """
        book = self._log.tombstones()
        secrets = [RecoverySecret(secret) for secret in self._vault.withdrawal_secrets().values()]
        here = {secret.pseudonym: secret for secret in secrets} if any(_was_outrun(item) for item in self._own_items()) else {}
        again = 0
        for item in filter(_was_outrun, self._own_items()):
            pseudonym = item.tombstone.pseudonym
            open_scope = frozenset(purpose for purpose in item.tombstone.ended if not book.has_ended(pseudonym, purpose))
            said = self._outbox.items(pseudonym)
            covered = any(other.tombstone.sequence > item.tombstone.sequence and open_scope <= other.tombstone.ended for other in said)
            if pseudonym not in here or not open_scope or covered:
                continue
            last = max(book.last_sequence(pseudonym), *(other.tombstone.sequence for other in said))
            anew = replace(item.tombstone, scope=open_scope, sequence=last + 1)
            self._outbox.add(anew.signed(here[pseudonym].withdrawal_key()))
            again += 1
        return again

    def _file(self, records: CoordinatorRecords) -> int:
        filed = 0
        known = self._log.tombstones()
        for item in self._own_items():
            in_log = item.envelope in known.withdrawn.get(item.tombstone.pseudonym, ())
            if item.receipt is None or item.filed is not None or not in_log:
                continue
            if not HolderReceipt.from_envelope(item.receipt).is_proved:  # what would have proved it was destroyed on the disk
                self._outbox.note_filed(item.tombstone, {"refused": "unproved"})
                continue
            try:
                answer = records.file_receipt(item.receipt)
            except RecordsRefusedError as error:
                if error.code in _SETTLED:
                    self._outbox.note_filed(item.tombstone, {"refused": error.code})
                elif error.code not in {"unknown", "refused"}:
                    raise
                continue
            self._seen.append(filed_receipt(answer, item.receipt, coordinator_key=self._membership.coordinator_key))
            self._outbox.note_filed(item.tombstone, answer)
            filed += 1
        return filed

    def _register_willing(self, records: CoordinatorRecords) -> int:
        """Whoever contributes; one whom the coordinator does not take stays out of rounds, and stops nobody else."""
        registered = 0
        book = self._log.tombstones()
        for entry in willing_speakers(self._vault):
            secret = RecoverySecret(self._vault.withdrawal_secret(entry.speaker_id))
            if book.knows(secret.pseudonym):
                continue
            with suppress(RecordsRefusedError):
                self._seen.append(_register(self._membership, self._vault, secret, records=records))
                registered += 1
        return registered


def _was_outrun(item: OutboxItem) -> bool:
    return item.delivered is not None and item.delivered.get("refused") == "replayed"


def _register(membership: Membership, vault: Vault, secret: RecoverySecret, *, records: CoordinatorRecords) -> Acknowledged:
    key = membership.coordinator_key
    request = RegistrationRequest.make(coordinator_key=key, secret=secret, device_key=vault.device.signing_key)
    found = acknowledged(records.register_speaker(request), coordinator_key=key)
    if SpeakerEntry.from_envelope(found.logged.leaf, key=key).pseudonym != secret.pseudonym:
        raise ProtocolError("the coordinator answers for another speaker")
    return found


def _see_in_log(log: PinnedLog, said: list[Acknowledged], records: CoordinatorRecords) -> None:
    """(6) Hold what the coordinator has said against the log that it shows."""
    log.update(records)
    if log.head.size < max(each.head.size for each in said):  # only where witnesses are trusted is the newest head not taken at once
        raise FederationError(
            "the coordinator has it, but a trusted witness has not seen the log since", hint="is the witness running? try again later"
        )
    for each in said:
        if not log.contains(each.logged.leaf) or log.root_at(each.head.size) != each.head.root:
            raise ProtocolError("the coordinator shows this laptop two different logs", hint="ask the people who run it")


def contact_if_joined(home: Path, vault: Vault, *, transport: Transport | None = None) -> Contact | HometoneError | None:
    """One contact with little patience, after something that a person waits for.

    Returns:
        What it did; why it could not be; or None where no coordinator was joined.
    """
    try:
        membership = Membership.load(home)
        if membership is None:
            return None
        return Courier(home, vault, membership, transport=transport).contact(connect_timeout_s=SHORT_PATIENCE_S)
    except (FederationError, ProtocolError) as error:
        return error

"""Taking in a voice that somebody has lent to this machine (docs/withdrawal.md, section 5).

1. Read the package; the lease verifies under the owner's withdrawal key, and names its pseudonym.
2. It is for this machine, and for the log that this machine has joined.
3. The log knows the owner, and no tombstone of hers. A package from before her withdrawal is refused for ever, because the log is.
4. It is not from the future, not over, and not older than the time for which a copy may speak without a contact.
5. It is not here already; a newer one takes the place of an older one of the same owner.
6. Open it with this machine's sealing key, check its hash, read the voice.
7. Keep state and voice, then the lease: the moment in which the copy has arrived. What was broken off is removed by the next attempt.

What it may see: a package, this machine's keys. What it must never do: keep a voice before all of this holds.
"""

import datetime as dt
from typing import Final

from hometone_client.lending.guests import (
    CLOCK_PATIENCE_S,
    DAY_S,
    LEASE,
    STATE_KIND,
    Guest,
    LeaseState,
    guest_entries,
    guests,
    keep_state,
    read_guest,
)
from hometone_client.lending.known_log import KnownLog
from hometone_client.lending.package import LentPackage
from hometone_client.speakers.room import OWN
from hometone_client.voices.container import from_bytes
from hometone_keys import SpeakerVault, Vault
from hometone_shared.errors import ConsentError, UsageError
from hometone_shared.records.device import device_id
from hometone_shared.records.lease import Lease

_VOICE: Final = ("voice", OWN)


def borrow(vault: Vault, data: bytes, *, log: KnownLog, now: dt.datetime, name: str | None = None) -> Guest:
    """Take in a lent voice.

    Args:
        vault: This machine's vault.
        data: The package, from anywhere.
        log: The pinned log.
        now: The time, with a time zone.
        name: What people here call the voice; otherwise as the lease says. A newer copy keeps the name of the one whose place it takes.

    Raises:
        ProtocolError: It is not a package, or was changed.
        UsageError: It is for another machine or another coordinator, is here already, or the name is taken.
        ConsentError: Its owner has taken it back, or its time is over.
        ModelError: What was lent is not a voice.
        StorageError: The disk refuses; nothing was taken in.
    """
    package = LentPackage.from_bytes(data)  # (1)
    lease = package.lease
    _check_addressee(lease, vault=vault, log=log)  # (2) (3)
    now_s = int(now.timestamp())
    _check_time(lease, now_s=now_s)  # (4)
    remove_unfinished(vault)
    earlier = next((guest for guest in guests(vault) if guest.pseudonym == lease.pseudonym), None)
    if earlier is not None and earlier.lease.issued >= lease.issued:  # (5)
        raise UsageError("this voice is here already", hint=f"it is called {earlier.name}")
    voice = package.opened(vault.device.sealing_key)  # (6)
    languages = from_bytes(voice).languages
    state = LeaseState(last_contact=lease.issued, latest_seen=now_s)
    if earlier is not None:
        with vault.unlock_for_work(earlier.speaker_id) as place:
            guest = _kept(place, voice, languages=languages, package=package, state=state.seen(earlier.state.latest_seen))
            place.delete(STATE_KIND, earlier.lease.lease)
            return guest
    with vault.admit_guest(lease.label if name is None else name) as place:
        try:
            return _kept(place, voice, languages=languages, package=package, state=state)
        except BaseException:
            vault.revoke(place.speaker_id)
            raise


def remove_unfinished(vault: Vault) -> int:
    """Remove places whose copy never arrived.

    Returns:
        How many there were.
    """
    removed = 0
    for entry in guest_entries(vault):
        with vault.unlock_for_work(entry.speaker_id) as place:
            arrived = place.has(*LEASE)
        if not arrived:
            vault.revoke(entry.speaker_id)
            removed += 1
    return removed


def _check_addressee(lease: Lease, *, vault: Vault, log: KnownLog) -> None:
    if lease.recipient != device_id(vault.device.public_signing_key()):
        raise UsageError("this voice was lent to another computer", hint="its owner needs the card of this one: hometone recipient")
    if lease.coordinator != log.coordinator:
        raise UsageError(
            "this voice was lent under another coordinator", hint="owner and borrower have to have joined the same one, or none"
        )
    if log.has_ended(lease.pseudonym):
        raise ConsentError("the owner of this voice has taken it back", hint="the package is worthless; delete it")
    if log.is_joined and not log.book.knows(lease.pseudonym):
        raise UsageError("the coordinator's log does not know the owner of this voice", hint="run hometone sync and try again")


def _check_time(lease: Lease, *, now_s: int) -> None:
    if lease.issued > now_s + CLOCK_PATIENCE_S:
        raise ConsentError("this voice was lent in the future", hint="check the clock of this computer")
    if now_s >= lease.ends:
        raise ConsentError("the time for which this voice was lent is over", hint="ask its owner to lend it again")
    if now_s > lease.issued + lease.lease_days * DAY_S:
        raise ConsentError(
            f"this package is more than {lease.lease_days} days old, and nobody has confirmed it since", hint="ask its owner for a new one"
        )


def _kept(place: SpeakerVault, voice: bytes, *, languages: tuple[str, ...], package: LentPackage, state: LeaseState) -> Guest:
    keep_state(place, package.lease, state)  # (7)
    place.put(*_VOICE, voice, {"languages": list(languages)})
    place.put(*LEASE, package.envelope.to_bytes())
    return read_guest(place)

"""What a contact with the log does for lent copies, and when one that has run out is erased (docs/withdrawal.md, section 5).

What it may see: guests. What it must never do: renew a copy whose owner has taken it back, or one whose clock cannot be trusted.
"""

import datetime as dt
from dataclasses import replace

from hometone_client.lending.guests import Guest, guests, keep_state
from hometone_keys import Vault
from hometone_shared.records.purposes import Purpose
from hometone_shared.withdrawal.tombstones import TombstoneBook


def renew_leases(vault: Vault, *, now: dt.datetime, tombstones: TombstoneBook) -> tuple[str, ...]:
    """Note that the log was just taken from the coordinator, for every lent copy that it knows and that nobody has taken back.

    Args:
        vault: This machine's vault.
        now: The time, with a time zone.
        tombstones: The book of the log as it was just taken.

    Returns:
        Names of the copies that may go on speaking.

    Raises:
        StorageError: The disk refuses.
    """
    now_s = int(now.timestamp())
    renewed = []
    for guest in guests(vault):
        if not tombstones.knows(guest.pseudonym) or tombstones.has_ended(guest.pseudonym, Purpose.ANNOUNCEMENTS):
            continue
        if now_s >= guest.lease.ends or guest.state.is_behind(now_s):
            continue
        with vault.unlock_for_work(guest.speaker_id) as place:
            keep_state(place, guest.lease, replace(guest.state.seen(now_s), last_contact=max(now_s, guest.state.last_contact)))
        renewed.append(guest.name)
    return tuple(renewed)


def lapsed(vault: Vault, *, now: dt.datetime) -> tuple[Guest, ...]:
    """Lent copies that have run out for as long again as a lease lasts, and are to be erased."""
    now_s = int(now.timestamp())
    return tuple(guest for guest in guests(vault) if now_s > guest.erased_from)

"""The end of a consent to one's own voice, and what follows: thirty days in which it can be renewed, then the erasure.

The date lies in the vault's register, because the sweep knows no PIN. It is written before the consent: killed in between, a place is kept
longer than it has to be, and never erased sooner than somebody agreed to. What it may see: a speaker's consent. What it must never do: move
the date of a consent that was not stored.
"""

import datetime as dt
from typing import Final

from hometone_client.speakers.consent import Consent, Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Vault
from hometone_shared.errors import ConsentError

GRACE: Final = dt.timedelta(days=30)


def erase_after_ms(consent: Consent) -> int:
    """When a place is erased whose consent was not renewed, milliseconds since 1970."""
    return int((consent.expires + GRACE).timestamp() * 1000)


def keep_consent(room: SpeakerRoom, vault: Vault, consent: Consent) -> None:
    """Store a consent; with one to the own voice, also when its place is to be erased.

    Raises:
        StorageError: The disk refuses; the consent was not stored.
    """
    if Purpose.OWN_VOICE in consent.purposes:
        current = room.consent() if room.vault.has("consent", Purpose.OWN_VOICE.value) else None
        latest = max(erase_after_ms(consent), 0 if current is None else erase_after_ms(current))
        vault.set_erase_after(room.speaker_id, erase_after_ms=latest)
    room.keep_consent(consent)
    keep_end_up_to_date(room, vault)


def keep_end_up_to_date(room: SpeakerRoom, vault: Vault) -> None:
    """Write the date that follows from her consent into the register, if another one or none is there: of a vault from before, say."""
    try:
        consent = room.consent()
    except ConsentError:
        return
    if consent is not None:
        vault.set_erase_after(room.speaker_id, erase_after_ms=erase_after_ms(consent))

"""A place for somebody new: made when she has agreed, never before.

1. What she agreed to is settled first (`Agreement`); it is in memory only.
2. Name and PIN are looked at before there is a vault, so that a mistyped PIN leaves nothing behind.
3. The place is made, or found again if making it was broken off; then what she wants of her recordings, then the consent to a voice of her
   own: from here on she is enrolled. What else she agreed to comes last, because nothing else holds without it.

What it may see: a name, a PIN while it is handed on. What it must never do: make a place for somebody who has not agreed.
"""

import datetime as dt
from contextlib import suppress
from dataclasses import dataclass

from hometone_client.enrolling.agreeing import agree
from hometone_client.retention.consent_end import keep_consent
from hometone_client.retention.takes import choose_dropping
from hometone_client.speakers.consent import LONGEST_DAYS, SPOKEN_PURPOSES, Locale, Purpose, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices.registry import STOCK_PREFIX
from hometone_keys import SpeakerVault, Vault
from hometone_keys.names import checked_name
from hometone_keys.pin import check_new_secret
from hometone_shared.errors import ConsentError, UsageError, WrongSecretError


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What somebody has just said yes to (1).

    Attributes:
        locale: Language of the texts that were shown.
        purposes: What she agreed to beside a voice of her own; none that is agreed to aloud.
        days: How long it holds.
        drop_takes: Whether her recordings go when her voice is made.
        read_out: Whether the text was read out to her.

    Raises:
        ConsentError: Something among it cannot be agreed to like this.
    """

    locale: Locale
    purposes: frozenset[Purpose] = frozenset()
    days: int = LONGEST_DAYS
    drop_takes: bool = False
    read_out: bool = False

    def __post_init__(self) -> None:
        """Refuse what needs a spoken phrase."""
        if self.purposes & SPOKEN_PURPOSES:
            raise ConsentError("this purpose is agreed to aloud, later", hint="make the voice first")
        give_consent(locale=self.locale, now=dt.datetime.now(dt.UTC), days=self.days)


def check_new_place(name: str, pin: str) -> None:
    """(2) Refuse a name or a PIN that cannot be one.

    Raises:
        UsageError: Says why.
    """
    if checked_name(name).startswith(STOCK_PREFIX):
        raise UsageError(f"names that begin with {STOCK_PREFIX} belong to stock voices", hint="choose another name")
    check_new_secret(pin)


def place_for(vault: Vault, name: str, pin: str) -> SpeakerVault:
    """A new place for a speaker, or hers if enrolling her was broken off (full disk, Ctrl+C) before her consent was stored.

    Raises:
        UsageError: The name is none, or somebody has it already.
        StorageError: The disk refuses.
    """
    try:
        return vault.enroll(name, pin)
    except UsageError:
        with suppress(UsageError, WrongSecretError):
            unlocked = vault.unlock(vault.find(name).speaker_id, pin)
            if SpeakerRoom(unlocked).consent() is None:
                return unlocked
            unlocked.close()
        raise


def enrol(vault: Vault, *, name: str, pin: str, agreement: Agreement) -> SpeakerRoom:
    """(3) Make her place and store what she agreed to; she comes back unlocked.

    Args:
        vault: The vault.
        name: What people call the voice.
        pin: Her PIN or phrase.
        agreement: What she agreed to.

    Raises:
        UsageError: Name or PIN are not such, or somebody has the name already.
        StorageError: The disk refuses; whoever tries again with the same name and PIN goes on where it stopped.
    """
    room = SpeakerRoom(place_for(vault, name, pin))
    try:
        choose_dropping(room, drop=agreement.drop_takes)
        room.note("consent-text", shown="read out" if agreement.read_out else "read")
        consent = give_consent(locale=agreement.locale, now=dt.datetime.now(dt.UTC), days=agreement.days)
        keep_consent(room, vault, consent)
        for purpose in sorted(agreement.purposes):
            agree(room, vault, purpose=purpose, locale=agreement.locale, days=agreement.days)
    except BaseException:
        room.vault.close()
        raise
    return room

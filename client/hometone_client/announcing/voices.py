"""The voices that reminders may speak in: stock ones, and copies that were lent to this computer for announcements.

A person's own voice needs her PIN for each piece of work, and nobody types a PIN at eight in the morning: she lends it to this very
computer (docs/announcements.md), which can be taken back. What it may see: names of voices. What it must never do: give a
reminder a name to keep.
"""

from dataclasses import dataclass
from typing import Literal

from hometone_client.announcing.reminder import GONE
from hometone_client.base.styles import stock_language, stock_names
from hometone_client.lending.guests import guest_entries, guests
from hometone_client.voices.registry import STOCK_PREFIX
from hometone_keys import Vault
from hometone_shared.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncingVoice:
    """A voice that may be chosen.

    Attributes:
        ref: What a reminder keeps.
        name: What people here call it.
        kind: Stock, or lent.
        speaks_until: Until when it may speak if nothing more is heard, seconds since 1970; None for a stock voice.
        language: Of a stock voice; empty otherwise.
    """

    ref: str
    name: str
    kind: Literal["stock", "lent"]
    speaks_until: int | None = None
    language: str = ""


def announcing_voices(vault: Vault | None) -> tuple[AnnouncingVoice, ...]:
    """Every voice that may be chosen, lent ones first.

    Args:
        vault: The open vault, if there is one.
    """
    lent = () if vault is None else guests(vault)
    return (
        *(
            AnnouncingVoice(ref=guest.speaker_id, name=guest.name, kind="lent", speaks_until=guest.speaks_until)
            for guest in sorted(lent, key=lambda guest: guest.name)
        ),
        *(
            AnnouncingVoice(ref=f"{STOCK_PREFIX}{name}", name=name, kind="stock", language=stock_language(name))
            for name in sorted(stock_names())
        ),
    )


def voice_named(vault: Vault, name: str) -> str:
    """What a reminder keeps of a voice that somebody named.

    Raises:
        UsageError: There is none of that name, or it is a person's own.
    """
    stock = name.removeprefix(STOCK_PREFIX)
    if name.startswith(STOCK_PREFIX) and stock in stock_names():
        return name
    try:
        entry = vault.find(name)
    except UsageError:
        if stock in stock_names():
            return f"{STOCK_PREFIX}{stock}"
        raise UsageError("there is no voice of that name here", hint="hometone voices --stock lists them") from None
    if not entry.is_guest:
        raise UsageError(
            "a voice of one's own speaks only with its PIN, so no reminder can use it",
            hint="its owner can lend it to this computer: hometone recipient, then lend, then borrow",
        )
    return entry.speaker_id


def places_here(vault: Vault) -> frozenset[str]:
    """The places of lent copies, whether or not they may speak now."""
    return frozenset(entry.speaker_id for entry in guest_entries(vault))


def name_of(vault: Vault, ref: str) -> str | None:
    """What people here call a reminder's voice; None for one that is no longer here."""
    if ref == GONE:
        return None
    if ref.startswith(STOCK_PREFIX):
        return ref
    return next((entry.name for entry in guest_entries(vault) if entry.speaker_id == ref), None)

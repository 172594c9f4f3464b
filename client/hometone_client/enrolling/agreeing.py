"""A yes to one purpose, stored, and what it lets begin: a privacy budget, work that needs no PIN.

What it may see: one speaker's unlocked things. What it must never do: let begin what was not agreed to.
"""

import datetime as dt

from hometone_client.retention.consent_end import keep_consent
from hometone_client.speakers.consent import LONGEST_DAYS, WORK_PURPOSES, Consent, Locale, Purpose, SpokenCheck, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Vault


def agree(
    room: SpeakerRoom, vault: Vault, *, purpose: Purpose, locale: Locale, days: int = LONGEST_DAYS, spoken: SpokenCheck | None = None
) -> Consent:
    """Store a yes, and let begin what it allows.

    Args:
        room: Her things, unlocked.
        vault: The vault.
        purpose: What she agreed to.
        locale: Language of the text that was shown.
        days: How long it holds.
        spoken: How she spoke the phrase, where one is needed.

    Raises:
        ConsentError: The purpose needs a spoken phrase, or it would hold for too long.
        StorageError: The disk refuses.
    """
    consent = give_consent(locale=locale, now=dt.datetime.now(dt.UTC), days=days, purpose=purpose, spoken=spoken)
    if purpose is Purpose.FEDERATED:
        from hometone_client.federation.ledger import DEFAULT_EPSILON, PrivacyLedger

        ledger = PrivacyLedger(room.vault)
        if ledger.budget is None:
            ledger.set_budget(DEFAULT_EPSILON)
    keep_consent(room, vault, consent)
    if purpose in WORK_PURPOSES:
        vault.allow_work(room.vault)
    return consent

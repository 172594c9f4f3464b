"""Who on this laptop contributes to rounds, looked up anew every time (docs/protocol.md, section 8, `nobody` and `consent`).

Willing is who has consented to federated learning, allowed unattended work, and is not about to be forgotten. What it may see: one
speaker's unlocked things at a time. What it must never do: open a speaker who did not allow it, or remember an answer.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import SpeakerEntry, Vault
from hometone_shared.errors import ConsentError, DamagedVaultError, HometoneError
from hometone_shared.records.plan import RoundPlan, RoundPurpose
from hometone_shared.withdrawal.recovery import RecoverySecret
from hometone_shared.withdrawal.tombstones import TombstoneBook

Now = Callable[[], dt.datetime]
TRAINING: Final = "shared-training"
EVALUATION: Final = "shared-evaluation"
CHECKPOINTS: Final = (TRAINING, EVALUATION)
"""What is prepared of a speaker for rounds, sealed in her vault."""


def now_utc() -> dt.datetime:
    """The time, with its zone."""
    return dt.datetime.now(dt.UTC)


@contextmanager
def opened_for_round(vault: Vault, speaker_id: str, *, now: Now = now_utc) -> Iterator[SpeakerRoom]:
    """Open a willing speaker without her PIN, for as long as the block lasts.

    Raises:
        ConsentError: She has not consented, her consent has ended, or she is about to be forgotten.
        VaultError: She allows no work, or her things are damaged.
        UsageError: She was forgotten.
    """
    with SpeakerRoom(vault.unlock_for_work(speaker_id)) as room:
        if room.consent(Purpose.FEDERATED) is None or room.vault.has("job", "forget"):
            raise ConsentError(f"this speaker has not consented to {Purpose.FEDERATED.value}", hint="ask her: hometone contribute NAME")
        room.require(Purpose.FEDERATED, now=now())
        yield room


def purposes_of(plan: RoundPlan) -> tuple[Purpose, ...]:
    """What a speaker has to have agreed to for a round: rounds, and for what listeners have said of her, listening tests, too."""
    return (Purpose.FEDERATED, Purpose.LISTENING) if plan.purpose is RoundPurpose.LISTENING else (Purpose.FEDERATED,)


def require_registered(vault: Vault, speaker_id: str, *, book: TombstoneBook, purposes: Sequence[Purpose] = (Purpose.FEDERATED,)) -> None:
    """Refuse a speaker whom the pinned log does not know, or who has taken rounds back: nobody could withdraw her (docs/withdrawal.md, 4).

    Args:
        vault: The open vault.
        speaker_id: Who.
        book: The tombstones of the pinned log.
        purposes: What must not have ended.

    Raises:
        ConsentError: Says which.
        UsageError: She was forgotten.
    """
    pseudonym = RecoverySecret(vault.withdrawal_secret(speaker_id)).pseudonym
    if not book.knows(pseudonym):
        raise ConsentError("the coordinator's log does not know this speaker yet", hint="hometone sync makes her known")
    if any(book.has_ended(pseudonym, purpose) for purpose in purposes):
        raise ConsentError("this speaker has taken rounds back, for good", hint="nothing more is needed")


def willing_speakers(vault: Vault, *, now: Now = now_utc) -> tuple[SpeakerEntry, ...]:
    """Those who contribute now and have a recording, oldest first; whoever cannot be opened is left out, and stops nobody else."""
    found = []
    for entry in vault.speakers():
        if not entry.work_allowed:
            continue
        try:
            with opened_for_round(vault, entry.speaker_id, now=now) as room:
                if room.take_names():
                    found.append(entry)
        except HometoneError:
            continue
    return tuple(found)


def stop_contributing(room: SpeakerRoom) -> bool:
    """Withdraw her consent and drop what was prepared of her for rounds; a round in flight finds out before anything is sent.

    Args:
        room: Her things, unlocked.

    Returns:
        Whether she had consented, validly or not.
    """
    had_consent = room.withdraw_consent(Purpose.FEDERATED)
    for name in CHECKPOINTS:
        room.checkpoint(name).clear()
    with suppress(DamagedVaultError):  # a damaged ledger keeps nobody from stopping
        PrivacyLedger(room.vault).release_left_over()
    return had_consent

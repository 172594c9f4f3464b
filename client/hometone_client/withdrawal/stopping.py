"""Stopping the use of a voice, from the command and from the pages: what is done besides the withdrawal itself.

1. What goes is counted beforehand, as far as it can be seen (`Preview`).
2. The withdrawal (`withdrawing`), and, if she stays, the end of work that nobody needs any more.
3. It is handed over if the coordinator can be reached now; otherwise it waits, and says why.

What it may see: what its parts may see. What it must never do: count what is somebody's without her PIN, or wait long for a network.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.lending.giving import lent_copies
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.delivery import Contact, contact_if_joined
from hometone_client.withdrawal.outbox import Outbox
from hometone_client.withdrawal.withdrawing import EVERYTHING, Withdrawn, withdraw
from hometone_keys import SpeakerEntry, Vault
from hometone_shared.errors import HometoneError
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.tombstone import SharedModelWish, Tombstone

PARTIAL: Final = (Purpose.FEDERATED, Purpose.ANNOUNCEMENTS, Purpose.ARCHIVE, Purpose.LISTENING)
"""Purposes that can end while a voice stays."""


def wish_of(repeat_shared_model: bool) -> SharedModelWish:
    """What somebody asked for."""
    return SharedModelWish.REPLAY if repeat_shared_model else SharedModelWish.LEAVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What there is of somebody (1).

    Attributes:
        recordings: How many.
        seconds: Of all recordings.
        has_voice: Whether a voice was made.
        exports: Sound files that were kept with the command; None if the list cannot be read.
        copies: Names of computers that hold a lent copy now; None if that cannot be read.
        rounds: Rounds that she took part in; None if that cannot be read.
        listening: Sounds and answers of listening tests.
    """

    recordings: int
    seconds: float
    has_voice: bool
    exports: int | None
    copies: tuple[str, ...] | None
    rounds: int | None
    listening: int

    @classmethod
    def of(cls, room: SpeakerRoom, *, now_s: int) -> Self:
        """Count an unlocked speaker's things; damage hides a figure and stops nothing.

        Args:
            room: Her things, unlocked.
            now_s: Seconds since 1970.

        Raises:
            VaultError: The list of her things itself cannot be read.
        """
        artefacts = room.vault.list()
        kinds = Counter(artefact.kind for artefact in artefacts)
        seconds = sum(float(artefact.metadata.get("seconds", 0.0)) for artefact in artefacts if artefact.kind == "take")
        copies: tuple[str, ...] | None = None
        rounds: int | None = None
        with suppress(HometoneError):
            copies = tuple({copy.recipient: copy.label for copy in lent_copies(room) if copy.ends > now_s}.values())
        with suppress(HometoneError):
            rounds = sum(entry.counts for entry in PrivacyLedger(room.vault).entries)
        return cls(
            recordings=kinds["take"],
            seconds=seconds,
            has_voice=kinds["voice"] > 0,
            exports=kinds["export"],
            copies=copies,
            rounds=rounds,
            listening=kinds["listening-clip"] + kinds["listening-rating"],
        )


def stop(
    home: Path,
    vault: Vault,
    entry: SpeakerEntry,
    *,
    room: SpeakerRoom | None,
    scope: frozenset[Purpose] = EVERYTHING,
    wish: SharedModelWish = SharedModelWish.LEAVE,
    keep_exports: bool = False,
) -> Withdrawn:
    """Withdraw a speaker of this laptop (2).

    Args:
        home: The laptop's `--home`.
        vault: Its open vault.
        entry: Her place in it.
        room: Her things, unlocked, if they can be; locked again when she was forgotten.
        scope: What ends; with her own voice, everything does.
        wish: What shall become of the shared model.
        keep_exports: Leave files in her voice where they are.

    Raises:
        UsageError: There is no such speaker, or it is a lent copy.
        StorageError: The disk refuses; if the tombstone is written, the next opening does the rest.
    """
    done = withdraw(home, vault, entry.speaker_id, room=room, scope=scope, wish=wish, keep_exports=keep_exports)
    if done.forgotten is None and room is not None and entry.work_allowed and not room.needs_unattended_work:
        vault.end_work(entry.speaker_id)
    return done


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """How far a withdrawal has travelled (3).

    Attributes:
        joined: Whether there is a coordinator at all.
        delivered: Whether it has the withdrawal.
        filed: Whether it has this laptop's receipt.
        waiting: Why it could not be reached now, or None.
    """

    joined: bool
    delivered: bool
    filed: bool
    waiting: HometoneError | None


def hand_over(home: Path, vault: Vault, tombstone: Tombstone) -> HandedOver:
    """Hand a withdrawal over if the coordinator can be reached now (3).

    Args:
        home: The laptop's `--home`.
        vault: Its open vault.
        tombstone: Which.
    """
    contact: Contact | HometoneError | None = contact_if_joined(home, vault)
    item = Outbox(home).item(tombstone)
    return HandedOver(
        joined=contact is not None,
        delivered=item is not None and item.delivered is not None,
        filed=item is not None and item.filed is not None,
        waiting=contact if isinstance(contact, HometoneError) else None,
    )

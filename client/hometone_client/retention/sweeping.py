"""`hometone sweep`, and what every service does once a day: what is over goes (docs/withdrawal.md, section 9).

1. Recordings of whoever chose that they go after training, where this computer may open them; the others go at the end of training itself.
2. A place whose consent ended thirty days ago is withdrawn as if she had said so (`withdrawal.withdrawing`): tombstone, erasure, with
   exports where this computer may open it, and a signed receipt, all in the outbox, so that lent copies and the coordinator hear of it.
3. Lent copies that have run out for as long again as a lease lasts, and those that never arrived, are erased.
4. Post that was delivered and acknowledged a year ago goes from the outbox (`withdrawal.outbox`).

A clock that is wrong must not erase anybody: the first sweep of all, one that comes more than `LONGEST_GAP` after the last, and one whose
clock went backwards only say what is due; whichever comes a day later does it. What it may see: dates, and what unattended work may open.
What it must never do: ask for a PIN, or erase before the date that somebody agreed to.
"""

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hometone_client.federation.small_files import read_small_file, replace_small_file
from hometone_client.lending.borrowing import remove_unfinished
from hometone_client.lending.renewal import lapsed
from hometone_client.retention.takes import drop_takes, takes_to_drop
from hometone_client.speakers.forgetting import forget
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.spoken_phrase import Embeds
from hometone_client.withdrawal.outbox import Outbox
from hometone_client.withdrawal.withdrawing import withdraw
from hometone_keys import SpeakerEntry, Vault
from hometone_shared.errors import DamagedVaultError, ProtocolError
from hometone_shared.records.canonical import Fields, canonical, parse

FOLDER: Final = "retention"
STATE: Final = "sweep.json"
LONGEST_GAP: Final = dt.timedelta(days=35)
OUTBOX_KEEPS: Final = dt.timedelta(days=365)
DELAY: Final = dt.timedelta(days=1)
_LATEST_S: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What was done, or with `due` what would be.

    Attributes:
        takes: Recordings that went after training.
        consents: Names of the places whose consent ended, and that were erased.
        lapsed: Names of the lent copies that were erased.
        outbox: Old letters that went.
        due: Whether nothing was erased: a dry run, or a clock that has to be trusted first.
        receipts: Pseudonyms, as tombstones name them, of those who were erased; their receipts are in the outbox.
        failed: Names of the places that could not be swept, and why.
    """

    takes: int = 0
    consents: tuple[str, ...] = ()
    lapsed: tuple[str, ...] = ()
    outbox: int = 0
    due: bool = False
    receipts: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def sweep(
    vault: Vault,
    *,
    home: Path,
    now: dt.datetime,
    dry_run: bool = False,
    encoder: Callable[[], Embeds | None] = lambda: None,
) -> SweepReport:
    """Let go what is over.

    Args:
        vault: The open vault.
        home: Its home.
        now: The time, with a time zone.
        dry_run: Only say what is due.
        encoder: Gives the speaker encoder where it is installed.

    Raises:
        StorageError: The disk refuses; the next sweep goes on.
    """
    trusted = _clock_is_trusted(home, now=now, remember=not dry_run)
    due = dry_run or not trusted
    failed: list[str] = []
    receipts: tuple[str, ...] = ()
    takes = _sweep_takes(vault, encoder=encoder, dry_run=dry_run, failed=failed)  # (1)
    ended = tuple(entry for entry in vault.speakers() if _is_over(entry, now=now))
    over = lapsed(vault, now=now)
    if not due:
        receipts = tuple(_withdrawn(vault, entry, home=home, now=now) for entry in ended)  # (2)
        for guest in over:  # (3)
            with SpeakerRoom(vault.unlock_for_work(guest.speaker_id)) as room:
                forget(vault, guest.speaker_id, home=home, room=room)
        remove_unfinished(vault)
    return SweepReport(
        takes=takes,
        consents=tuple(entry.name for entry in ended),
        lapsed=tuple(guest.name for guest in over),
        outbox=0 if due else Outbox(home).forget_settled(before_s=int((now - OUTBOX_KEEPS).timestamp())),  # (4)
        due=due,
        receipts=receipts,
        failed=tuple(failed),
    )


def _sweep_takes(vault: Vault, *, encoder: Callable[[], Embeds | None], dry_run: bool, failed: list[str]) -> int:
    count = 0
    for entry in vault.speakers():
        if not entry.work_allowed or entry.is_guest:
            continue
        try:
            with SpeakerRoom(vault.unlock_for_work(entry.speaker_id)) as room:
                names = takes_to_drop(room)
                count += len(names)
                if names and not dry_run:
                    drop_takes(room, encoder=encoder)
        except DamagedVaultError as error:  # the others go on
            failed.append(f"{entry.name}: {error.message}")
    return count


def _is_over(entry: SpeakerEntry, *, now: dt.datetime) -> bool:
    return not entry.is_guest and entry.erase_after_ms is not None and entry.erase_after_ms <= now.timestamp() * 1000


def _withdrawn(vault: Vault, entry: SpeakerEntry, *, home: Path, now: dt.datetime) -> str:
    room = None
    if entry.work_allowed:
        with suppress(DamagedVaultError):
            room = SpeakerRoom(vault.unlock_for_work(entry.speaker_id))
    return withdraw(home, vault, entry.speaker_id, room=room, clock=now.timestamp).known.tombstone.pseudonym


def _clock_is_trusted(home: Path, *, now: dt.datetime, remember: bool) -> bool:
    """Whether the clock goes on from where the last sweep saw it; it is then also remembered.

    A clock that has leapt is remembered too, with the time at which it may be trusted.
    """
    path = home / FOLDER / STATE
    now_s = int(now.timestamp())
    seen_s, trusted_from_s = _LATEST_S, now_s
    data = read_small_file(path)
    if data is not None:
        with suppress(ProtocolError):  # a damaged note says nothing, as none does
            seen_s, trusted_from_s = _read(data)
    if not seen_s <= now_s <= seen_s + LONGEST_GAP.total_seconds():
        trusted_from_s = now_s + int(DELAY.total_seconds())
    if remember:
        replace_small_file(path, canonical({"seen": now_s, "trusted_from": trusted_from_s}))
    return now_s >= trusted_from_s


def _read(data: bytes) -> tuple[int, int]:
    fields = Fields(parse(data))
    seen, trusted_from = (fields.integer(name, low=0, high=_LATEST_S) for name in ("seen", "trusted_from"))
    fields.done()
    return seen, trusted_from


def plain(report: SweepReport) -> dict[str, Any]:
    """The report as plain JSON."""
    return {
        "takes": report.takes,
        "consents": list(report.consents),
        "lapsed": list(report.lapsed),
        "outbox": report.outbox,
        "due": report.due,
        "receipts": list(report.receipts),
        "failed": list(report.failed),
    }

"""What a voice was used for: when and how, never what was said.

Speaking is counted by day and way, so that a program that speaks all day fills no vault; each process counts in an entry of its own. Lent
copies come from their registry (`lending.registry`), rounds from the privacy ledger. What it may see: one speaker's unlocked things. What
it must never do: see a text.
"""

import datetime as dt
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from hometone_keys import SpeakerVault
from hometone_shared.errors import DamagedVaultError

KIND: Final = "use"
LENT_KIND: Final = "lent"
_PROCESS: Final = secrets.token_hex(4)
_LOCK: Final = threading.Lock()


class Way(StrEnum):
    """How a voice was used."""

    SAY = "say"
    SERVE = "serve"
    LENT = "lent"
    ROUND = "round"
    LISTENING = "listening"
    ASSISTANT = "assistant"
    PRESENTER = "presenter"
    ANNOUNCEMENT = "announcement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One line of the account.

    Attributes:
        way: How.
        first: When first, UTC.
        last: When last, UTC; of a lent copy: until when it may speak at most.
        count: How often.
        about: To whom it was lent, or in which round; empty for speaking.
    """

    way: Way
    first: dt.datetime
    last: dt.datetime
    count: int = 1
    about: str = ""

    def to_record(self) -> dict[str, Any]:
        """Plain JSON."""
        moments = {"first": self.first.isoformat(timespec="seconds"), "last": self.last.isoformat(timespec="seconds")}
        return {"way": self.way.value, **moments, "count": self.count, "about": self.about}


def note_speaking(vault: SpeakerVault, way: Way, *, now: dt.datetime) -> None:
    """Count one piece of speech; on the disk when this returns.

    Args:
        vault: Whose voice, unlocked.
        way: Any but `LENT` and `ROUND`, which have accounts of their own.
        now: The time, with a time zone.

    Raises:
        StorageError: The disk refuses.
    """
    at = now.astimezone(dt.UTC)
    name = f"{at.date().isoformat()}-{way.value}-{_PROCESS}"
    with _LOCK:
        first, count = at, 0
        if vault.has(KIND, name):
            before = _read(way, vault.read_json(name, kind=KIND))
            first, count = before.first, before.count
        vault.put_json(name, Use(way=way, first=first, last=at, count=count + 1).to_record(), kind=KIND)


def uses(vault: SpeakerVault) -> tuple[Use, ...]:
    """Everything that her voice was used for, oldest first.

    Raises:
        DamagedVaultError: An entry is not what was written.
    """
    from hometone_client.federation.ledger import EntryState, PrivacyLedger

    spoken: dict[tuple[Way, dt.date], Use] = {}
    for artefact in vault.list(KIND):
        fields = vault.read_json(artefact.name, kind=KIND)
        use = _read(None, fields)
        key = (use.way, use.first.date())
        other = spoken.get(key, use)
        count = use.count if other is use else use.count + other.count
        spoken[key] = Use(way=use.way, first=min(use.first, other.first), last=max(use.last, other.last), count=count)
    found = list(spoken.values())
    for artefact in vault.list(LENT_KIND):
        fields = vault.read_json(artefact.name, kind=LENT_KIND)
        try:
            first, last = (dt.datetime.fromtimestamp(fields[key], dt.UTC) for key in ("issued", "ends"))
            found.append(Use(way=Way.LENT, first=first, last=last, about=str(fields["label"])))
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            raise _damaged() from error
    for entry in PrivacyLedger(vault).entries:
        if entry.state is EntryState.SPENT:
            at = dt.datetime.fromtimestamp(entry.at, dt.UTC)
            found.append(Use(way=Way.ROUND, first=at, last=at, about=f"{entry.purpose.value} {entry.run} {entry.round}.{entry.attempt}"))
    return tuple(sorted(found, key=lambda use: (use.first, use.way, use.about)))


def _read(way: Way | None, fields: Mapping[str, Any]) -> Use:
    try:
        first, last = (dt.datetime.fromisoformat(fields[key]) for key in ("first", "last"))
        use = Use(way=Way(fields["way"]), first=first, last=last, count=int(fields["count"]))
        if first.tzinfo is None or last.tzinfo is None or way not in {None, use.way}:
            raise _damaged()
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged() from error
    return use


def _damaged() -> DamagedVaultError:
    return DamagedVaultError("the account of what a voice was used for is damaged", hint="restore the vault from a backup")

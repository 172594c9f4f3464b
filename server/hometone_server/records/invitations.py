"""One-time invitations: made by a person at the coordinator, used by one laptop.

Only the hash of a token is stored, so who reads the database cannot join. What it may see: a fresh token, while it is put into its code.
What it must never do: write one down, or let one be used by two laptops.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hometone_server.records.store import LogStore, Writing
from hometone_shared.errors import FederationError, UsageError
from hometone_shared.invitation import TOKEN_BYTES, Invitation, fingerprint, token_sha256

VALID_DAYS: Final = 7
LONGEST_DAYS: Final = 90
_DAY_S: Final = 86_400


class InvitationRefusedError(FederationError):
    """An invitation that lets nobody in.

    Attributes:
        code: `unknown`, `used` or `expired`.
    """

    def __init__(self, code: str) -> None:
        """Say why."""
        super().__init__(f"the invitation is {code}", hint="ask the coordinator for a new one")
        self.code = code


@dataclass(frozen=True, slots=True)
class WaitingInvitation:
    """One that can still be used.

    Attributes:
        name: SHA-256 of its token, hexadecimal; nobody can join with it.
        expires_s: Seconds since 1970.
    """

    name: str
    expires_s: int


class Invitations:
    """The invitations of a coordinator."""

    def __init__(self, log: LogStore, *, clock: Callable[[], float] = time.time) -> None:
        """Keep them beside the log.

        Args:
            log: The log.
            clock: Seconds since 1970.
        """
        self._log = log
        self._clock = clock

    def issue(self, *, address: str, valid_days: int = VALID_DAYS) -> Invitation:
        """Make an invitation; those that ended long ago are forgotten.

        Args:
            address: `host:port` of the coordinator.
            valid_days: 1 to 90.

        Raises:
            UsageError: Another number of days.
            ProtocolError: The address is none.
        """
        if not 1 <= valid_days <= LONGEST_DAYS:
            raise UsageError(f"an invitation is valid for 1 to {LONGEST_DAYS} days")
        invitation = Invitation(address=address, coordinator_key_sha256=fingerprint(self._log.key), token=secrets.token_bytes(TOKEN_BYTES))
        now = int(self._clock())
        with self._log.writing() as change:
            change.execute("DELETE FROM invitations WHERE expires_s < ?", (now - LONGEST_DAYS * _DAY_S,))
            change.execute(
                "INSERT INTO invitations (token_sha256, expires_s) VALUES (?, ?)",
                (token_sha256(invitation.token), now + valid_days * _DAY_S),
            )
        return invitation

    def open(self) -> int:
        """How many invitations can still be used."""
        ((number,),) = self._log.query("SELECT COUNT(*) FROM invitations WHERE device IS NULL AND expires_s > ?", (int(self._clock()),))
        return int(str(number))

    def waiting(self) -> tuple[WaitingInvitation, ...]:
        """Those that can still be used, the one that ends first first."""
        rows = self._log.query(
            "SELECT token_sha256, expires_s FROM invitations WHERE device IS NULL AND expires_s > ? ORDER BY expires_s, token_sha256",
            (int(self._clock()),),
        )
        return tuple(WaitingInvitation(str(name), int(str(expires_s))) for name, expires_s in rows)

    def take_back(self, name: str) -> None:
        """Let nobody in by this invitation any more; once more, or after it was used, changes nothing.

        Args:
            name: As in `waiting`.
        """
        with self._log.writing() as change:
            change.execute("DELETE FROM invitations WHERE token_sha256 = ? AND device IS NULL", (name,))

    def redeem(self, token: bytes, *, device: str, change: Writing) -> bool:
        """Use an invitation up, inside a change; the laptop that used it may ask again, because an answer can get lost.

        Args:
            token: As the laptop sent it.
            device: Id of the laptop.
            change: Holds the lock of the database, so two laptops cannot use one invitation.

        Returns:
            Whether it was used now; otherwise this very laptop used it before.

        Raises:
            InvitationRefusedError: There is no such invitation, another laptop used it, or it has ended.
        """
        name = token_sha256(token)
        row = change.execute("SELECT expires_s, device FROM invitations WHERE token_sha256 = ?", (name,)).fetchone()
        if row is None:
            raise InvitationRefusedError("unknown")
        expires_s, used_by = row
        if used_by == device:
            return False
        if used_by is not None:
            raise InvitationRefusedError("used")
        if expires_s <= self._clock():
            raise InvitationRefusedError("expired")
        change.execute("UPDATE invitations SET device = ? WHERE token_sha256 = ?", (device, name))
        return True

"""Every error Hometone raises on purpose, in one tree.

HometoneError
├── UsageError          what was asked cannot be done that way (wrong option, empty text, missing name)
├── ConsentError        a purpose that was not consented to, or has expired
├── VaultError          the sealed store refuses or is damaged
│   ├── WrongSecretError    the PIN or phrase does not open this speaker
│   ├── DamagedVaultError   a file of the vault is not what was written
│   └── StorageError        the disk refuses (full, read-only, gone)
├── AudioError          a recording or a microphone cannot be used
│   └── TakeRejectedError   the quality gate says no, with figures and aims
├── TextError           text that cannot be read aloud
├── ModelError          weights are missing, damaged or do not fit
├── ResourceError       not enough memory or time on this machine
├── BudgetExhausted     the speaker's privacy ledger is used up
├── ProtocolError       bytes from elsewhere that do not parse or verify
└── FederationError     a round cannot go on

Each error has a `message` and a `hint`, in words a volunteer in a community centre understands. Neither ever holds a secret, a path
of somebody's home, or the text of a recording. Only the command line and the web layer turn errors into exit codes and pages.
"""

from typing import ClassVar, Self


class HometoneError(Exception):
    """Root of all deliberate errors.

    Args:
        message: What happened, one sentence, without a full stop.
        hint: What the person can do about it, one sentence, or an empty string.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep both texts; `str(error)` is the message alone."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def alone(self) -> Self:
        """Itself, without what it was raised through: frames hold what somebody typed, said or recorded. For whoever keeps it."""
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self


class UsageError(HometoneError):
    """What was asked cannot be done that way."""

    exit_code = 2


class ConsentError(HometoneError):
    """A purpose was not consented to, or the consent has ended."""

    exit_code = 3


class VaultError(HometoneError):
    """The sealed store refuses."""

    exit_code = 4


class WrongSecretError(VaultError):
    """The PIN or phrase does not open this speaker's data."""

    exit_code = 5


class DamagedVaultError(VaultError):
    """A file of the vault is not what was written; nothing was changed."""

    exit_code = 6


class StorageError(VaultError):
    """The disk refuses: full, read-only or gone."""

    exit_code = 7


class AudioError(HometoneError):
    """A recording or a microphone cannot be used."""

    exit_code = 8


class TakeRejectedError(AudioError):
    """The quality gate rejects a take, with figures and aims."""

    exit_code = 9


class TextError(HometoneError):
    """A text cannot be read aloud."""

    exit_code = 10


class ModelError(HometoneError):
    """Weights are missing, damaged, or do not fit together."""

    exit_code = 11


class ResourceError(HometoneError):
    """This machine has too little memory, disk or time for the work."""

    exit_code = 12


class BudgetExhausted(HometoneError):  # noqa: N818 - the name is fixed by the house style
    """The speaker's privacy ledger is used up."""

    exit_code = 13


class ProtocolError(HometoneError):
    """Bytes from elsewhere do not parse or verify."""

    exit_code = 14


class FederationError(HometoneError):
    """A round cannot go on."""

    exit_code = 15

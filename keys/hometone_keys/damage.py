"""The one wording for a file that is not what was written."""

from hometone_shared.errors import DamagedVaultError


def damaged(what: str) -> DamagedVaultError:
    """The error for a damaged file.

    Args:
        what: The part of the vault in plain words, never a name a person chose.
    """
    return DamagedVaultError(
        f"{what} is damaged", hint="nothing was changed; leave the folder as it is and ask whoever looks after this laptop"
    )

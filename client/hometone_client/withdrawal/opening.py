"""The one way in which commands and services open a vault: nobody comes in before those who have withdrawn are gone.

What it may see: what its parts may see. What it must never do: hand out a vault in which something waits to be forgotten.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hometone_client.speakers.forgetting import finish_forgetting
from hometone_client.withdrawal.reconciliation import reconcile
from hometone_keys import DeviceSecretSource, Vault
from hometone_shared.errors import DamagedVaultError


@contextmanager
def opened_vault(home: Path, *, finished: Callable[[], None] = lambda: None, although_damaged: bool = False) -> Iterator[Vault]:
    """Open the vault of a home.

    Args:
        home: The laptop's `--home`.
        finished: Called if somebody was forgotten now.
        although_damaged: Go on where what this laptop knows of its coordinator is damaged; only for what forgets somebody itself.

    Raises:
        DamagedVaultError: The vault, or what this laptop knows of its coordinator, is damaged.
        VaultError: The vault refuses.
    """
    with Vault(home, device_secret_source=DeviceSecretSource.from_environment()) as vault:
        forgotten = finish_forgetting(vault) + len(vault.finished_erasures)
        try:
            forgotten += reconcile(home, vault)
        except DamagedVaultError:
            if not although_damaged:
                raise
        if forgotten:
            finished()
        yield vault

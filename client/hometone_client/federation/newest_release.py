"""The release of the shared model that a new voice is made on: the newest whose vector is on this laptop.

A laptop that has joined nobody, or holds release 0 alone, makes voices on the base itself. Nothing is fetched here: `hometone node` does
that when it hears of a round.
"""

from pathlib import Path

from hometone_client.federation.membership import FOLDER, Membership
from hometone_client.federation.shared_releases import SharedReleases
from hometone_client.voices.parameters import SharedRelease


def newest_release(home: Path) -> SharedRelease | None:
    """The newest release that is held here, or None for the base itself.

    Raises:
        DamagedVaultError: What this laptop knows of its coordinator, or the release, is not what was written.
        ProtocolError: The pinned log does not verify any more.
    """
    membership = Membership.load(home)
    if membership is None:
        return None
    releases = SharedReleases(home / FOLDER, log=membership.log())
    newest = releases.newest()
    if newest is None or newest.number == 0:
        return None
    return SharedRelease(number=newest.number, basis_sha256=newest.basis_sha256, theta=releases.coordinates(newest.number))

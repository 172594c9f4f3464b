"""The release of the shared model that a new voice is made on, and what takes the place of a withdrawn one in a voice that was made before.

A laptop that has joined nobody, or holds release 0 alone, makes voices on the base itself. Nothing is fetched here: `hometone node` and
`hometone sync` do that when they hear of a release. Withdrawn and provisional releases are passed over (docs/withdrawal.md, section 6).
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from hometone_client.federation.membership import FOLDER, Membership
from hometone_client.federation.shared_releases import SharedReleases
from hometone_client.speakers.room import OWN, SpeakerRoom
from hometone_client.voices.container import from_bytes, to_bytes
from hometone_client.voices.parameters import SharedRelease, VoiceParameters
from hometone_client.voices.replacing import without_withdrawn
from hometone_keys import Vault
from hometone_shared.errors import HometoneError

VOICE: Final = "voice"
"""Kind of the artefact that holds a voice."""


def newest_release(home: Path) -> SharedRelease | None:
    """The newest release that is held here, or None for the base itself.

    Raises:
        DamagedVaultError: What this laptop knows of its coordinator, or the release, is not what was written.
        ProtocolError: The pinned log does not verify any more.
    """
    releases = _releases(home)
    return None if releases is None else _newest(releases)


def current_voice(voice: VoiceParameters, home: Path) -> VoiceParameters:
    """The voice as it may be used now: the same object, unless the shared release that it carries was withdrawn.

    Call it wherever a voice comes out of a vault; a voice without a shared release costs nothing.

    Args:
        voice: As it was kept.
        home: The data folder.

    Returns:
        The voice, or one with the newest release that is here in the place of the withdrawn one.

    Raises:
        DamagedVaultError: What this laptop knows of its coordinator, or the release, is not what was written.
        ProtocolError: The pinned log does not verify any more.
    """
    releases = None if voice.shared is None else _releases(home)
    if releases is None:
        return voice
    withdrawn = releases.withdrawn_vectors()
    if not withdrawn:
        return voice
    return without_withdrawn(voice, withdrawn=withdrawn, replacement=_newest(releases))


def renew_voice(room: SpeakerRoom, home: Path) -> bool:
    """Take a withdrawn release out of the voice that is kept in a vault; the old container is replaced in one step, or stays.

    Args:
        room: The speaker's things, unlocked.
        home: The data folder.

    Returns:
        Whether there was one.

    Raises:
        DamagedVaultError: What this laptop knows of its coordinator, or the release, is not what was written.
        ModelError: The voice is damaged.
        ProtocolError: The pinned log does not verify any more.
        StorageError: The disk refuses; the old voice is there, and `current_voice` lets nobody speak with it.
    """
    if not room.has_voice:
        return False
    kept = from_bytes(room.vault.read(VOICE, OWN))
    current = current_voice(kept, home)
    if current is kept:
        return False
    room.vault.put(VOICE, OWN, to_bytes(current), dict(room.vault.find(VOICE, OWN).metadata))
    return True


def renew_voices(vault: Vault, home: Path) -> int:
    """`renew_voice` for everybody who can be opened without a PIN, lent copies among them; the others when they are unlocked.

    Args:
        vault: The open vault.
        home: The data folder.

    Returns:
        In how many voices there was a withdrawn release.
    """
    releases = _releases(home)
    if releases is None or not releases.withdrawn_vectors():
        return 0
    renewed = 0
    for entry in vault.speakers():
        if not (entry.work_allowed or entry.is_guest):
            continue
        with suppress(HometoneError), SpeakerRoom(vault.unlock_for_work(entry.speaker_id)) as room:  # one that is damaged stops no other
            renewed += renew_voice(room, home)
    return renewed


def _releases(home: Path) -> SharedReleases | None:
    membership = Membership.load(home)
    return None if membership is None else SharedReleases(home / FOLDER, log=membership.log())


def _newest(releases: SharedReleases) -> SharedRelease | None:
    newest = releases.newest()
    if newest is None or newest.number == 0:
        return None
    return SharedRelease(number=newest.number, basis_sha256=newest.basis_sha256, theta=releases.coordinates(newest.number))

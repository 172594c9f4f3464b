"""Opening an archive, for its keeper: only while its owner still wants it, and only if everything in it proves what it says.

1. The deed is about the coordinator that this machine asks, too, or both ask none: somebody has to be able to say that it is over.
2. No tombstone has ended the archive or the voice, and the log knows its owner.
3. Now is between the day on which it was made and the end of her consent.
4. The contents open, and are the ones that the deed names (`sealing`).
5. Her consent verifies under the key that the deed names, is to the archive, was given aloud, ends when the deed does, and is to the very
   text that lies beside it.
6. The voice is a voice, and the sample says of itself that a machine has spoken it.

What it may see: an archive in memory, public records. What it must never do: give out a part before all of this holds.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hometone_client.audio.labels import read_label
from hometone_client.heritage.contents import CONSENT, CONSENT_TEXT, SAMPLE, VOICE, Contents
from hometone_client.heritage.deed import Deed
from hometone_client.heritage.sealing import SealedArchive
from hometone_client.lending.known_log import KnownLog
from hometone_client.speakers.consent import Consent, Purpose, verify_consent
from hometone_client.speakers.exports import write_file
from hometone_client.voices import VoiceParameters
from hometone_client.voices.container import from_bytes
from hometone_client.withdrawal.delivery import contact_if_joined
from hometone_keys import Vault
from hometone_shared.errors import AudioError, ConsentError, HometoneError, ModelError, ProtocolError, StorageError, UsageError

README: Final = "README.txt"
DEED: Final = "deed.json"
_CLOCK_PATIENCE_S: Final = 3600


@dataclass(frozen=True, slots=True)
class OpenedArchive:
    """An archive after all checks.

    Attributes:
        archive: The file.
        contents: Its parts.
        consent: What she agreed to.
        voice: Hers.
    """

    archive: SealedArchive
    contents: Contents
    consent: Consent
    voice: VoiceParameters


def require_kept(deed: Deed, *, log: KnownLog, now: dt.datetime) -> None:
    """Refuse an archive that may not be opened (1 to 3).

    Args:
        deed: Of the archive, verified.
        log: The pinned log, as new as it can be.
        now: The time, with a time zone.

    Raises:
        ConsentError: Its owner has taken it back, or its time is over or has not begun.
        UsageError: This machine cannot know whether it was taken back.
    """
    if log.has_ended(deed.pseudonym, Purpose.ARCHIVE):
        raise ConsentError("the owner of this voice has taken the archive back", hint="it must not be opened any more; delete it")
    if log.coordinator != deed.coordinator:
        raise UsageError(
            "this archive was made under another coordinator",
            hint="only who has joined the same one, or none like its owner, hears when it is taken back",
        )
    if log.is_joined and not log.book.knows(deed.pseudonym):
        raise UsageError("the coordinator's log does not know the owner of this archive", hint="run hometone sync and try again")
    now_s = int(now.timestamp())
    if deed.made > now_s + _CLOCK_PATIENCE_S:
        raise ConsentError("this archive was made in the future", hint="check the clock of this computer")
    if now_s >= deed.ends:
        raise ConsentError(
            f"the consent to this archive ended on {dt.datetime.fromtimestamp(deed.ends, dt.UTC).date().isoformat()}",
            hint="ask its owner for a new one; what has to be kept for longer needs another yes",
        )


def opened_archive(archive: SealedArchive, *, home: Path, vault: Vault, passphrase: str | None, now: dt.datetime) -> OpenedArchive:
    """Open an archive on its keeper's machine; where a coordinator was joined, it is asked first whether its owner has taken it back.

    Args:
        archive: The file.
        home: The machine's `--home`.
        vault: Its vault.
        passphrase: Where one opens it; None where this machine does.
        now: The time, with a time zone.

    Raises:
        FederationError: The coordinator cannot be asked; nobody knows then whether it may still be opened.
        ConsentError: As `require_kept`.
        UsageError: As `require_kept`, or it opens another way.
        WrongSecretError: It is another passphrase.
        ProtocolError: It was made for another machine, was changed, or does not prove what it says.
    """
    heard = contact_if_joined(home, vault)
    if isinstance(heard, HometoneError):
        raise heard
    require_kept(archive.deed, log=KnownLog.of(home), now=now)
    contents = archive.opened_by(vault.device.sealing_key) if passphrase is None else archive.opened_with(passphrase)
    return checked(archive, contents)


def checked(archive: SealedArchive, contents: Contents) -> OpenedArchive:
    """Hold the contents against the deed (5, 6).

    Args:
        archive: The file.
        contents: As `SealedArchive.opened_by` or `opened_with` gave them (4).

    Raises:
        ProtocolError: Something in it does not prove what it says.
    """
    deed = archive.deed
    consent = _checked_consent(contents, deed)
    try:
        voice = from_bytes(contents.parts[VOICE])
    except ModelError as error:
        raise ProtocolError("what this archive holds is not a voice", hint="ask for it again") from error
    try:
        label = read_label(contents.parts[SAMPLE])
    except AudioError as error:
        raise _unlabelled() from error
    if label is None:
        raise _unlabelled()
    return OpenedArchive(archive, contents, consent, voice)


def _checked_consent(contents: Contents, deed: Deed) -> Consent:
    try:
        consent = verify_consent(contents.parts[CONSENT], Ed25519PublicKey.from_public_bytes(deed.speaker_key))
    except (ConsentError, ValueError) as error:
        raise ProtocolError("the consent in this archive does not verify", hint="nothing proves that its owner wanted it") from error
    holds = (
        Purpose.ARCHIVE in consent.purposes
        and consent.spoken is not None
        and consent.given.timestamp() <= deed.made + _CLOCK_PATIENCE_S
        and int(consent.expires.timestamp()) == deed.ends
        and consent.text_sha256 == hashlib.sha256(contents.parts[CONSENT_TEXT]).hexdigest()
    )
    if not holds:
        raise ProtocolError("the consent in this archive is to something else", hint="nothing proves that its owner wanted it")
    return consent


def _unlabelled() -> ProtocolError:
    return ProtocolError("the sample of this archive is not marked as spoken by a machine", hint="ask for it again")


def write_folder(opened: OpenedArchive, folder: Path, *, with_voice: bool = False) -> tuple[str, ...]:
    """Write what was opened, for people to read and hear; the voice itself stays sealed unless it is asked for.

    Args:
        opened: The archive.
        folder: An empty folder, or one that is not there yet.
        with_voice: Write the voice, too. Whoever has that file can speak with it, and no tombstone reaches it any more.

    Returns:
        Names of the files, in their order.

    Raises:
        UsageError: The folder holds something.
        StorageError: The disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError("the folder is not empty", hint="name a new one")
        files = {name: data for name, data in opened.contents.parts.items() if with_voice or name != VOICE}
        files[DEED] = opened.archive.envelope.to_bytes()
        files[README] = resources.files("hometone_client.heritage").joinpath("data", README).read_bytes()
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, data)
    except OSError as error:
        raise StorageError("the folder cannot be written", hint="check its name and its permissions, and the room on the disk") from error
    return tuple(sorted(files))

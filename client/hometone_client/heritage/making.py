"""Making an archive of a voice (requirement 30; docs/heritage.md, "Making one").

1. She has consented to her own voice and, aloud, to the archive, and has not taken the latter back in the log. A refusal is noted.
2. It opens for one keeper: the card verifies and is of the same coordinator, or both of none; or a passphrase does.
3. Her pseudonym is in the log before the archive exists: a tombstone of hers can then reach every keeper.
4. Inside: her voice, the signed consent and the text that she agreed to, a sample that a machine has spoken and says so, a dialect pack.
   No recording of hers, nothing that she said about herself, not her name.
5. The deed names the hash of all that, the key of her consent, and its end; she signs it with the withdrawal key.
6. The registry is written before the archive is handed out.

What it may see: her unlocked voice, her recovery secret while the deed is signed. What it must never do: hand out an archive that is not
sealed.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from hometone_client.heritage.contents import CONSENT, CONSENT_TEXT, SAMPLE, SAMPLE_TEXT, VOICE, Contents
from hometone_client.heritage.deed import Deed
from hometone_client.heritage.registry import ArchiveEntry, keep_entry
from hometone_client.heritage.samples import Sample
from hometone_client.heritage.sealing import ARCHIVE_COST, SealedArchive, check_passphrase
from hometone_client.lending.known_log import KnownLog
from hometone_client.speakers.consent import Purpose, consent_text
from hometone_client.speakers.room import OWN, SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.voices import VoiceParameters
from hometone_keys import Argon2Cost, Vault
from hometone_shared.errors import ConsentError, UsageError
from hometone_shared.records.lease import RecipientCard
from hometone_shared.withdrawal.recovery import RecoverySecret

Speaks = Callable[[VoiceParameters], Sample]
PROGRAM: Final = f"Hometone {version('hometone-client')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Who can open an archive: exactly one of the two.

    Attributes:
        card: Of the machine, as `lending.giving.checked_card` gives it.
        passphrase: At least twelve characters.
        cost: Of one guess at the passphrase; cheaper ones are for tests.

    Raises:
        UsageError: Neither or both, or the passphrase protects nothing.
    """

    card: RecipientCard | None = None
    passphrase: str | None = field(default=None, repr=False)
    cost: Argon2Cost = ARCHIVE_COST

    def __post_init__(self) -> None:
        """Check that there is one way to open it."""
        if (self.card is None) is (self.passphrase is None):
            raise UsageError("an archive opens for one keeper", hint="give the keeper's card with --for, or a passphrase")
        if self.passphrase is not None:
            check_passphrase(self.passphrase)


def make_archive(
    room: SpeakerRoom,
    vault: Vault,
    *,
    keeper: Keeper,
    path: Path,
    speak: Speaks,
    log: KnownLog,
    register: Callable[[], None],
    now: dt.datetime,
    dialect: Mapping[str, bytes] | None = None,
    dialect_name: str = "",
) -> tuple[ArchiveEntry, bytes]:
    """Make an archive; its file is the caller's to write, with `speakers.exports.export`.

    Args:
        room: The owner of the voice, unlocked.
        vault: The vault.
        keeper: Who opens it.
        path: Where the file will be.
        speak: Speaks the sample in the voice that it is given.
        log: The pinned log.
        register: Makes sure that her pseudonym is in the log (3); called only where a coordinator has been joined.
        now: The time, with a time zone.
        dialect: Files of a dialect pack, as `heritage.dialect.pack_files` gives them.
        dialect_name: What that pack is called.

    Returns:
        What was noted in the registry, and the bytes of the file.

    Raises:
        ConsentError: She has not consented, or has taken it back.
        UsageError: She has no voice.
        FederationError: She could not be registered.
        ProtocolError: The pack is not one that an archive can hold, or the card's key is worthless.
        StorageError: The disk refuses.
    """
    room.require(Purpose.OWN_VOICE, now=now)  # (1)
    room.require(Purpose.ARCHIVE, now=now)
    consent = room.consent(Purpose.ARCHIVE)
    secret = RecoverySecret(vault.withdrawal_secret(room.speaker_id))
    if consent is None or log.has_ended(secret.pseudonym, Purpose.ARCHIVE):
        raise ConsentError("this voice was taken back from archives for ever", hint="enrol anew to archive a voice again")
    agreed = consent_text(Purpose.ARCHIVE, consent.locale).encode()
    if hashlib.sha256(agreed).hexdigest() != consent.text_sha256:
        raise ConsentError(
            "this Hometone no longer has the text that was agreed to", hint="ask again: hometone consent NAME --purpose archive"
        )
    voice = room.voice()
    if log.is_joined:
        register()  # (3)
    sample = speak(voice)
    room.note_speaking(Way.SAY, now=now)
    parts = {  # (4)
        VOICE: room.vault.read("voice", OWN),
        CONSENT: room.vault.read("consent", Purpose.ARCHIVE.value),
        CONSENT_TEXT: agreed,
        SAMPLE: sample.flac,
        SAMPLE_TEXT: sample.text.encode(),
        **(dialect or {}),
    }
    contents = Contents(parts=parts, languages=voice.languages, sample_language=sample.language, dialect=dialect_name, program=PROGRAM)
    deed = Deed(  # (5)
        archive=secrets.token_hex(16),
        pseudonym=secret.pseudonym,
        coordinator=log.coordinator,
        keeper=None if keeper.card is None else keeper.card.device,
        made=int(now.timestamp()),
        ends=int(consent.expires.timestamp()),
        speaker_key=room.vault.signing_key.public_key().public_bytes_raw(),
        contents_sha256=hashlib.sha256(contents.to_bytes()).hexdigest(),
    )
    data = _sealed(contents, deed, keeper=keeper, secret=secret).to_bytes()
    entry = ArchiveEntry(
        archive=deed.archive,
        keeper="" if keeper.card is None else keeper.card.label,
        path=str(path.absolute()),
        sha256=hashlib.sha256(data).hexdigest(),
        made=deed.made,
        ends=deed.ends,
    )
    keep_entry(room, entry)  # (6)
    room.note("archived", archive=entry.archive, keeper=entry.keeper, ends=consent.expires.isoformat())
    return entry, data


def _sealed(contents: Contents, deed: Deed, *, keeper: Keeper, secret: RecoverySecret) -> SealedArchive:
    envelope = deed.signed(secret.withdrawal_key())
    if keeper.card is not None:
        return SealedArchive.for_keeper(contents, envelope=envelope, sealing_key=keeper.card.sealing_key)
    return SealedArchive.with_passphrase(contents, envelope=envelope, passphrase=keeper.passphrase or "", cost=keeper.cost)

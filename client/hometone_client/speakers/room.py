"""A speaker's unlocked things by their meaning: what lies under which kind and name in her vault.

What it may see: everything of one speaker. What it must never do: keep any of it in the clear, or open another speaker.

| kind | name | content |
|---|---|---|
| `consent` | a purpose: `own-voice`, `federated-learning`, `announcements`, `archive`, `listening-test` | signed record (`consent`) |
| `phrase` | `spoken` | what is to be said for a consent, at most a day (`spoken_phrase`) |
| `declaration` | `self` | what she said about herself (`declaration`) |
| `take` | `take-0001` ... | FLAC bytes |
| `take-record` | the same | text, language, origin, seconds, measured quality |
| `checkpoint` | `adaptation`, `shared-training`, `shared-evaluation` | state of an adaptation; what was prepared for rounds |
| `voice` | `own` | the voice's container |
| `voice-record` | `own` | how it was made: time, memory, cost, figures |
| `export` | a random id | a file with speech in her voice: where, and its hash |
| `use` | day, way, process | how often the voice spoke (`uses`) |
| `lent` | number of the lease | who holds a copy (`lending.registry`) |
| `policy` | `retention` | what is to go by itself (`retention.policy`) |
| `listening-clip` | a random id | a sound of a listening test: her voice, a recording, or what they are compared with |
| `listening-rating` | a random id | what one listener answered about her (`listening.ratings`) |
| `heritage` | number of the archive | where it was written, who keeps it (`heritage.registry`) |
| `embedding` | `own` | centroid of her takes, once they were dropped (`spoken_phrase`) |
| `journal` | time and number | what was done or refused |
| `job` | `adaptation` | work that waits in the queue |
| `ledger` | number and random digits | what her privacy budget was spent on (`federation.ledger`) |
"""

import datetime as dt
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Self

from hometone_client.audio import RawTake, from_flac_bytes, to_flac_bytes
from hometone_client.speakers.consent import WORK_PURPOSES, Consent, Purpose, require_purpose, sign_consent, verify_consent
from hometone_client.speakers.declaration import Declaration
from hometone_client.speakers.entries import ADAPTATION, CheckpointSlot, Export, TakeRecord, damaged_take, take_record
from hometone_client.speakers.uses import Use, Way, note_speaking, uses
from hometone_client.voices import VoiceParameters
from hometone_client.voices.container import from_bytes, to_bytes
from hometone_keys import SpeakerVault
from hometone_shared.errors import ConsentError, DamagedVaultError, StorageError, UsageError, VaultError

OWN: Final = "own"


class SpeakerRoom:
    """One unlocked speaker. Use it as a context manager; leaving it locks her again."""

    def __init__(self, vault: SpeakerVault) -> None:
        """Take over an unlocked speaker."""
        self.vault = vault

    def __enter__(self) -> Self:
        """Nothing to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget the key."""
        self.vault.close()

    @property
    def name(self) -> str:
        """What people call the voice."""
        return self.vault.name

    @property
    def speaker_id(self) -> str:
        """The random pseudonym."""
        return self.vault.speaker_id

    @property
    def is_open(self) -> bool:
        """Whether her things can be read now: neither locked again nor forgotten, by this process or another.

        Raises:
            DamagedVaultError: A file of the vault is not what was written.
            StorageError: The disk refuses.
        """
        try:
            self.vault.list("voice")
        except (DamagedVaultError, StorageError):
            raise
        except VaultError:
            return False
        return True

    def keep_consent(self, consent: Consent) -> None:
        """Sign and store a consent; it replaces the former one to the same purpose, and the journal remembers both."""
        for purpose in consent.purposes:
            self.vault.put("consent", purpose.value, sign_consent(consent, self.vault.signing_key))
        self.note("consented", purposes=[purpose.value for purpose in consent.purposes], expires=consent.expires.isoformat())

    def withdraw_consent(self, purpose: Purpose) -> bool:
        """Remove the consent to a purpose; the journal remembers it.

        Returns:
            Whether there was one, valid or not.
        """
        if not self.vault.has("consent", purpose.value):
            return False
        self.vault.delete("consent", purpose.value)
        self.note("withdrew", purposes=[purpose.value])
        return True

    def consent(self, purpose: Purpose = Purpose.OWN_VOICE) -> Consent | None:
        """The consent to a purpose that was given last, verified.

        Raises:
            ConsentError: It does not verify.
        """
        if not self.vault.has("consent", purpose.value):
            return None
        return verify_consent(self.vault.read("consent", purpose.value), self.vault.signing_key.public_key())

    def require(self, purpose: Purpose, *, now: dt.datetime) -> None:
        """Let work go on only if she consented to it; a refusal is noted (requirement 52). Every use of a voice comes through here.

        Raises:
            ConsentError: She has not, or it has ended.
        """
        try:
            require_purpose(self.consent(purpose), purpose, now=now)
        except ConsentError as error:
            self.note_refusal(purpose, error)
            raise

    @property
    def needs_unattended_work(self) -> bool:
        """Whether something is left that this computer may do without her PIN: a job of hers, rounds, or listening tests."""
        return bool(self.vault.list("job")) or any(self.vault.has("consent", purpose.value) for purpose in WORK_PURPOSES)

    def keep_declaration(self, declaration: Declaration) -> None:
        """Store what she said about herself."""
        self.vault.put("declaration", "self", declaration.to_bytes())

    def declaration(self) -> Declaration:
        """What she said about herself; all "rather not say" if nothing."""
        return Declaration.from_bytes(self.vault.read("declaration", "self")) if self.vault.has("declaration", "self") else Declaration()

    def add_take(
        self,
        take: RawTake,
        *,
        text: str,
        language: str,
        speech_s: float,
        quality: Mapping[str, Any],
        passages: tuple[tuple[float, float, str], ...] = (),
        held_out: bool = False,
    ) -> TakeRecord:
        """Store a take that the gate let pass.

        Args:
            take: The recording.
            text: What was said; empty when nobody knows.
            language: BCP 47 tag; empty when nobody knows.
            speech_s: Seconds of speech in it.
            quality: Measured figures, plain JSON.
            passages: Stretches whose words are known: (start in s, end in s, words).
            held_out: Keep it for judging the voice.

        Raises:
            StorageError: The disk refuses; nothing was added.
        """
        taken = {artefact.name for kind in ("take", "take-record") for artefact in self.vault.list(kind)}
        number = 1 + max((int(name.removeprefix("take-")) for name in taken), default=0)
        record = TakeRecord(
            name=f"take-{number:04d}",
            seconds=round(take.duration_s, 3),
            speech_s=round(speech_s, 3),
            sample_rate_hz=take.sample_rate_hz,
            language=language,
            text=text,
            origin=take.origin.value,
            quality=dict(quality),
            passages=passages,
            held_out=held_out,
        )
        self.vault.put_json(record.name, asdict(record), kind="take-record")
        self.vault.put("take", record.name, to_flac_bytes(take), {"seconds": record.seconds})
        return record

    def take_names(self) -> tuple[str, ...]:
        """Names of all takes, damaged ones as well, in the order in which they were made."""
        return tuple(sorted(artefact.name for artefact in self.vault.list("take")))

    def whole_take(self, name: str) -> TakeRecord:
        """The record of a take whose sound is whole, too.

        Raises:
            DamagedVaultError: Its record or its sound is not what was written.
        """
        record = self._record(name)
        self._sound(name)
        return record

    def remove_take(self, name: str) -> None:
        """Remove a take, whole or damaged, what was measured on it, and what was made from it: unfinished work, sounds of listening tests.

        A finished voice stays as it is. The bytes are overwritten as far as the disk allows; only forgetting the speaker destroys keys.

        Raises:
            VaultError: There is no such take.
        """
        for artefact in self.vault.list("checkpoint"):
            self.vault.delete("checkpoint", artefact.name)
        for artefact in self.vault.list("listening-clip"):
            if artefact.metadata.get("take") == name:
                self.vault.delete("listening-clip", artefact.name)
        if self.vault.has("take-record", name):
            self.vault.delete("take-record", name)
        self.vault.delete("take", name)

    def takes(self) -> tuple[TakeRecord, ...]:
        """Records of all takes, in the order in which they were made.

        Raises:
            DamagedVaultError: A record is not what was written.
        """
        return tuple(self._record(name) for name in self.take_names())

    def recordings(self, *, held_out: bool | None = None) -> Iterator[tuple[TakeRecord, RawTake]]:
        """Takes with their sound, one after the other.

        Args:
            held_out: Only those kept for judging, or only the others; `None` gives all.
        """
        for record in self.takes():
            if held_out is not None and record.held_out is not held_out:
                continue
            yield record, self._sound(record.name)

    def keep_voice(self, voice: VoiceParameters, *, record: Mapping[str, Any]) -> None:
        """Store a finished voice and how it was made, and remove the checkpoint it grew from."""
        self.vault.put_json(OWN, dict(record), kind="voice-record")
        self.vault.put("voice", OWN, to_bytes(voice), {"recipe": voice.recipe, "languages": list(voice.languages)})
        CheckpointSlot(self.vault).clear()

    @property
    def has_voice(self) -> bool:
        """Whether a voice was made."""
        return self.vault.has("voice", OWN)

    @property
    def voice_languages(self) -> tuple[str, ...]:
        """Languages that the voice was made from; empty when there is none."""
        metadata = self.vault.find("voice", OWN).metadata if self.has_voice else {}
        return tuple(map(str, metadata.get("languages", ())))

    def voice(self) -> VoiceParameters:
        """The voice.

        Raises:
            UsageError: None was made yet.
            ModelError: It is damaged.
        """
        if not self.has_voice:
            raise UsageError("this speaker has no voice yet", hint=f"make it with: hometone train {self.name}")
        return from_bytes(self.vault.read("voice", OWN))

    def voice_record(self) -> dict[str, Any]:
        """How the voice was made; empty when there is none."""
        found = self.vault.read_json(OWN, kind="voice-record") if self.vault.has("voice-record", OWN) else {}
        return dict(found)

    def checkpoint(self, name: str = ADAPTATION) -> CheckpointSlot:
        """Where an adaptation, or other work on her takes, keeps its state."""
        return CheckpointSlot(self.vault, name)

    def note_export(self, path: Path, *, data: bytes) -> None:
        """Remember a file that is about to be written, so that forgetting her can remove it."""
        export = Export(path=os.fspath(path.absolute()), sha256=hashlib.sha256(data).hexdigest())
        self.vault.put_json(secrets.token_hex(8), asdict(export), kind="export")

    def exports(self) -> tuple[Export, ...]:
        """Files that were written in her voice.

        Raises:
            DamagedVaultError: An entry is not what was written.
        """
        return tuple(self.export(name) for name in self.export_names())

    def export_names(self) -> tuple[str, ...]:
        """Names of the entries about files that were written in her voice."""
        return tuple(artefact.name for artefact in self.vault.list("export"))

    def export(self, name: str) -> Export:
        """One such entry.

        Raises:
            DamagedVaultError: It is not what was written.
        """
        return Export(**self.vault.read_json(name, kind="export"))

    def note_speaking(self, way: Way, *, now: dt.datetime) -> None:
        """Count one piece of speech in her voice; never the text."""
        note_speaking(self.vault, way, now=now)

    def uses(self) -> tuple[Use, ...]:
        """What her voice was used for: spoken by whom and how often, lent to whom, in which rounds; oldest first.

        Raises:
            DamagedVaultError: An entry is not what was written.
        """
        return uses(self.vault)

    def note_refusal(self, purpose: Purpose, error: ConsentError) -> None:
        """Add a refusal to her journal, the same one once a day: a program that asks all day fills no vault."""
        mark = f"-r{hashlib.sha256(f'{purpose.value} {error.message}'.encode()).hexdigest()[:8]}"
        day = dt.datetime.now(dt.UTC).strftime("%Y%m%d")
        if not any(entry.name.startswith(day) and entry.name.endswith(mark) for entry in self.vault.list("journal")):
            self._write_note("refused", mark, purpose=purpose.value, why=error.message)

    def note(self, event: str, **details: Any) -> None:
        """Add a line to her journal of work."""
        self._write_note(event, f"-{secrets.token_hex(2)}", **details)

    def _write_note(self, event: str, mark: str, **details: Any) -> None:
        now = dt.datetime.now(dt.UTC)
        entry = {"event": event, "at": now.isoformat(timespec="seconds"), **details}
        self.vault.put_json(f"{now.strftime('%Y%m%dT%H%M%S.%f')}{mark}", entry, kind="journal")

    def journal(self) -> tuple[dict[str, Any], ...]:
        """Her journal, oldest first."""
        names = sorted(artefact.name for artefact in self.vault.list("journal"))
        return tuple(dict(self.vault.read_json(name, kind="journal")) for name in names)

    def _record(self, name: str) -> TakeRecord:
        try:
            return take_record(self.vault.read_json(name, kind="take-record"))
        except (DamagedVaultError, TypeError, KeyError, ValueError) as error:
            raise damaged_take(name) from error

    def _sound(self, name: str) -> RawTake:
        try:
            return from_flac_bytes(self.vault.read("take", name))
        except DamagedVaultError as error:
            raise damaged_take(name) from error

"""Consent as a record: what was shown, to which purposes somebody said yes, since when, until when, signed with her own key.

What it may see: a speaker's signing key, texts of this package, a time that is handed in. What it must never do: assume a consent, extend
one, or read one that does not verify as if it did.

1. The text that was shown is identified by purpose, locale, version and SHA-256, so that a later change of wording is visible.
2. The record is canonical JSON (sorted keys, no spaces, UTF-8) and is signed as it stands; the signature lies beside it.
3. A purpose is allowed when a record verifies, names the purpose, and has neither ended nor begun in the future (requirements 52, 53).
4. What lets others use a voice is agreed to aloud: the record then says how a phrase was spoken (`spoken_phrase`), never what was recorded.
"""

import base64
import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hometone_shared.errors import ConsentError
from hometone_shared.records.purposes import Purpose

__all__ = [
    "LONGEST_DAYS",
    "SPOKEN_PURPOSES",
    "WORK_PURPOSES",
    "Consent",
    "Locale",
    "Purpose",
    "SpokenCheck",
    "consent_text",
    "give_consent",
    "require_purpose",
    "sign_consent",
    "verify_consent",
]

Locale = Literal["en", "zh"]

TEXT_VERSION: Final = 1
RECORD_VERSION: Final = 2
"""Version 1 had no `spoken`."""
LONGEST_DAYS: Final = 365
"""Twelve months (requirement 53)."""
_SPOKEN_SINCE: Final = 2
_SIGNED_AS: Final = b"hometone/consent/v1\0"


SPOKEN_PURPOSES: Final = frozenset({Purpose.ANNOUNCEMENTS, Purpose.ARCHIVE})
"""Purposes that need a spoken phrase: with them a voice leaves her own hands."""
WORK_PURPOSES: Final = frozenset({Purpose.FEDERATED, Purpose.LISTENING})
"""Purposes that this computer serves without her PIN, for as long as she agrees."""
_ASKED_BY: Final = {
    Purpose.OWN_VOICE: "hometone enroll NAME --renew",
    Purpose.FEDERATED: "hometone contribute NAME",
    Purpose.ANNOUNCEMENTS: "hometone consent NAME --purpose announcements",
    Purpose.ARCHIVE: "hometone consent NAME --purpose archive",
    Purpose.LISTENING: "hometone consent NAME --purpose listening-test",
}
_ENDED_BY: Final = {Purpose.OWN_VOICE: "remove everything: hometone revoke"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenCheck:
    """What was measured on a spoken phrase; the recording itself is not kept.

    Attributes:
        phrase_sha256: Hash of the phrase that was to be said, hexadecimal.
        word_errors: Errors per word, or per Chinese character.
        likeness: Cosine between the recording's embedding and the centroid of her takes, 0 to 1.
        at: When, UTC, whole seconds.
    """

    phrase_sha256: str
    word_errors: float
    likeness: float
    at: dt.datetime

    def to_record(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "phrase_sha256": self.phrase_sha256,
            "word_errors": round(float(self.word_errors), 3),
            "likeness": round(float(self.likeness), 3),
            "at": self.at.isoformat(),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Read plain JSON; raises KeyError, TypeError or ValueError when it is something else."""
        return cls(
            phrase_sha256=str(record["phrase_sha256"]),
            word_errors=float(record["word_errors"]),
            likeness=float(record["likeness"]),
            at=dt.datetime.fromisoformat(record["at"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One consent.

    Attributes:
        purposes: What was said yes to.
        locale: Language of the text that was shown.
        text_version: Version of that text.
        text_sha256: Its hash, hexadecimal.
        given: When, UTC, whole seconds.
        expires: End, at most twelve months later.
        spoken: How the phrase was spoken; None if it was not asked for.
    """

    purposes: tuple[Purpose, ...]
    locale: Locale
    text_version: int
    text_sha256: str
    given: dt.datetime
    expires: dt.datetime
    spoken: SpokenCheck | None = None

    def to_bytes(self, *, version: int = RECORD_VERSION) -> bytes:
        """The canonical record (2); an older version is for reading one again."""
        record = {
            "version": version,
            "purposes": [purpose.value for purpose in self.purposes],
            "locale": self.locale,
            "text_version": self.text_version,
            "text_sha256": self.text_sha256,
            "given": self.given.isoformat(),
            "expires": self.expires.isoformat(),
        }
        if version >= _SPOKEN_SINCE:
            record["spoken"] = None if self.spoken is None else self.spoken.to_record()
        return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Consent":
        """Read a canonical record.

        Raises:
            ConsentError: It is not one of a version that this Hometone knows.
        """
        try:
            record: dict[str, Any] = json.loads(data)
            version = record["version"]
            if type(version) is not int or not 1 <= version <= RECORD_VERSION:
                raise _unreadable()
            spoken = record["spoken"] if version >= _SPOKEN_SINCE else None
            consent = cls(
                purposes=tuple(Purpose(name) for name in record["purposes"]),
                locale="zh" if record["locale"] == "zh" else "en",
                text_version=int(record["text_version"]),
                text_sha256=str(record["text_sha256"]),
                given=dt.datetime.fromisoformat(record["given"]),
                expires=dt.datetime.fromisoformat(record["expires"]),
                spoken=None if spoken is None else SpokenCheck.from_record(spoken),
            )
            canonical = consent.to_bytes(version=version) == data
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise _unreadable() from error
        if not canonical or consent.given.tzinfo is None or consent.expires.tzinfo is None:
            raise _unreadable()
        return consent


def _unreadable() -> ConsentError:
    return ConsentError("the record of consent cannot be read", hint="ask for consent again: hometone enroll")


def _unspoken(purpose: Purpose) -> ConsentError:
    return ConsentError(
        f"consent to {purpose.value} is given aloud", hint="add --microphone, or --spoken FILE with the phrase that `--phrase` shows"
    )


def consent_text(purpose: Purpose, locale: Locale) -> str:
    """The text that is shown before a person says yes."""
    return resources.files("hometone_client.speakers").joinpath(f"data/consent-{purpose.value}.{locale}.txt").read_text(encoding="utf-8")


def give_consent(
    *,
    locale: Locale,
    now: dt.datetime,
    days: int = LONGEST_DAYS,
    purpose: Purpose = Purpose.OWN_VOICE,
    spoken: SpokenCheck | None = None,
) -> Consent:
    """Make the record of somebody who has just said yes to the text of one purpose.

    Args:
        locale: Language of the text that was shown.
        now: The time, with a time zone.
        days: How long it holds, 1 to 365.
        purpose: What the text was about.
        spoken: How she spoke the phrase (4).

    Raises:
        ConsentError: It would hold for longer than twelve months, or not at all; or the purpose needs a spoken phrase.
    """
    if purpose in SPOKEN_PURPOSES and spoken is None:
        raise _unspoken(purpose)
    if not 1 <= days <= LONGEST_DAYS:
        raise ConsentError("a consent holds for 1 to 365 days", hint="ask again when it has ended")
    given = now.astimezone(dt.UTC).replace(microsecond=0)
    text = consent_text(purpose, locale)
    return Consent(
        purposes=(purpose,),
        locale=locale,
        text_version=TEXT_VERSION,
        text_sha256=hashlib.sha256(text.encode()).hexdigest(),
        given=given,
        expires=given + dt.timedelta(days=days),
        spoken=spoken,
    )


def sign_consent(consent: Consent, key: Ed25519PrivateKey) -> bytes:
    """Sign and frame: {"record": base64, "signature": base64} as canonical JSON."""
    record = consent.to_bytes()
    signature = key.sign(_SIGNED_AS + record)
    envelope = {"record": base64.b64encode(record).decode(), "signature": base64.b64encode(signature).decode()}
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()


def verify_consent(envelope: bytes, key: Ed25519PublicKey) -> Consent:
    """Open what `sign_consent` made.

    Raises:
        ConsentError: It is damaged, or somebody else signed it.
    """
    try:
        fields: dict[str, str] = json.loads(envelope)
        record = base64.b64decode(fields["record"], validate=True)
        signature = base64.b64decode(fields["signature"], validate=True)
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable() from error
    try:
        key.verify(signature, _SIGNED_AS + record)
    except InvalidSignature as error:
        raise ConsentError("the record of consent was not signed by this speaker", hint="ask for consent again: hometone enroll") from error
    return Consent.from_bytes(record)


def require_purpose(consent: Consent | None, purpose: Purpose, *, now: dt.datetime) -> None:
    """Let work go on only if it was consented to (3).

    Raises:
        ConsentError: Says which condition fails.
    """
    if consent is None or purpose not in consent.purposes:
        hint = f"ask for consent first: {_ASKED_BY[purpose].removesuffix(' --renew')}"
        raise ConsentError(f"this speaker has not consented to {purpose.value}", hint=hint)
    if purpose in SPOKEN_PURPOSES and consent.spoken is None:
        raise _unspoken(purpose)
    if now < consent.given - dt.timedelta(minutes=5):
        raise ConsentError("the consent lies in the future", hint="check the clock of this computer")
    if now >= consent.expires:
        raise ConsentError(
            f"the consent ended on {consent.expires.date().isoformat()}",
            hint=f"ask again: {_ASKED_BY[purpose]}, or {_ENDED_BY.get(purpose, 'leave it at that')}",
        )

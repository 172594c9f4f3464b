"""What she has agreed to, and what has to be there before another yes, for the command and for the pages; `enrolling.agreeing` stores it.

Where a purpose is agreed to aloud, a phrase was spoken and checked; a recording that says itself that a machine spoke it is refused.

What it may see: one speaker's unlocked things, a recording in memory. What it must never do: keep the recording, or take a yes for another.
"""

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hometone_client.audio import RawTake
from hometone_client.speakers.consent import SPOKEN_PURPOSES, Consent, Purpose, SpokenCheck
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.spoken_phrase import Phrase, WritesDown, check_spoken, own_embedding, use_up_phrase
from hometone_shared.errors import AudioError, ConsentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it stands with one purpose.

    Attributes:
        purpose: Which.
        consent: What she said yes to last; None if she has not, or it cannot be read.
        allowed: Whether it holds now.
        unreadable: Why it cannot be read, or empty.
    """

    purpose: Purpose
    consent: Consent | None
    allowed: bool
    unreadable: str = ""


def standings(room: SpeakerRoom, *, now: dt.datetime) -> tuple[Standing, ...]:
    """Every purpose: whether it is allowed now, until when, and whether it was agreed to aloud.

    Args:
        room: Her things, unlocked.
        now: The time, with a time zone.
    """
    return tuple(_standing(room, purpose, now=now) for purpose in Purpose)


def _standing(room: SpeakerRoom, purpose: Purpose, *, now: dt.datetime) -> Standing:
    try:
        consent = room.consent(purpose)
    except ConsentError as error:
        return Standing(purpose=purpose, consent=None, allowed=False, unreadable=error.message)
    if consent is None:
        return Standing(purpose=purpose, consent=None, allowed=False)
    allowed = consent.given <= now < consent.expires and (purpose not in SPOKEN_PURPOSES or consent.spoken is not None)
    return Standing(purpose=purpose, consent=consent, allowed=allowed)


def refuse_synthetic(data: bytes) -> None:
    """Refuse a recording that says itself that a machine has spoken it; whoever removes the label is not found out by this.

    Raises:
        ConsentError: It carries an AI label.
    """
    from hometone_client.audio.labels import read_label

    label = None
    with suppress(AudioError):  # a file that cannot carry one
        label = read_label(data)
    if label is not None:
        raise ConsentError("this recording is marked as spoken by a machine", hint="the owner of the voice has to say the phrase herself")


def checked_phrase(
    room: SpeakerRoom,
    phrase: Phrase,
    take: RawTake,
    *,
    transcriber: WritesDown,
    models: Path,
    progress: Callable[[str], None] | None = None,
    now: dt.datetime,
) -> SpokenCheck:
    """Check a spoken phrase with this computer's own speaker encoder; the phrase is then used up.

    Args:
        room: Her things, unlocked.
        phrase: What was to be said.
        take: The recording.
        transcriber: The local recogniser.
        models: Folder of public weights.
        progress: Told what is being done where weights are put together for the first time.
        now: The time, with a time zone.

    Raises:
        ConsentError: Other words, or another voice.
        AudioError: There is hardly any sound.
        UsageError: She has no recordings to compare it with.
        ModelError: Weights are missing.
    """
    from hometone_client.embedding.ge2e import SpeakerEncoder
    from hometone_client.models import ensure

    encoder = SpeakerEncoder(ensure("ge2e", progress=progress, folder=models))
    own = own_embedding(room, encoder)
    check = check_spoken(take, phrase=phrase, own=own, transcriber=transcriber, encoder=encoder, now=now)
    use_up_phrase(room)
    return check

"""Making a speaker's voice from her sealed takes: the same for `hometone train` and for the queue.

1. Consent, then memory: nothing is opened before both hold.
2. Takes become enrolment pieces in memory: known words where there are any, otherwise the whole recording without words. Held-out takes
   stay out.
3. Adaptation runs with its state in the vault, so that a closed lid loses little.
4. Voice and record (tier, time, memory, cost, figures) are sealed; the state is removed; the journal gets a line.
5. Whoever chose that recordings go after training: they go now.
"""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hometone_client.jobs.tiers import Tier, needed_mib
from hometone_client.jobs.usage import Meter, require_memory
from hometone_client.retention.takes import drop_takes, speaker_encoder
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices.parameters import SharedRelease
from hometone_shared.errors import UsageError

if TYPE_CHECKING:
    from hometone_client.adaptation import EnrolmentTake

Told = Callable[[float, str, float | None], None]
"""Called with the fraction done, what is being done, and the seconds still to go, if known."""


def enrolment(room: SpeakerRoom, *, held_out: bool = False) -> "list[EnrolmentTake]":
    """(2) The pieces that the voice is learnt from; or, with `held_out`, those that were kept for judging."""
    from hometone_client.adaptation import EnrolmentTake

    pieces: list[EnrolmentTake] = []
    for record, take in room.recordings(held_out=held_out):
        rate = take.sample_rate_hz
        passages = record.passages or ((0.0, take.duration_s, ""),)
        for start_s, end_s, words in passages:
            samples = take.samples[round(start_s * rate) : round(end_s * rate)]
            pieces.append(EnrolmentTake(samples=samples, sample_rate_hz=rate, text=words or None, language=record.language or "en"))
    return pieces


def make_voice(
    room: SpeakerRoom,
    *,
    tier: Tier,
    models: Path,
    progress: Told,
    price_per_hour: float | None = None,
    shared: SharedRelease | None = None,
) -> dict[str, Any]:
    """Make an unlocked speaker's voice.

    Args:
        room: Her things.
        tier: How much care.
        models: The model folder.
        progress: Told how far it is.
        price_per_hour: What an hour of this machine costs, for the record.
        shared: The newest release of the shared model on this laptop; None for the base itself.

    Returns:
        The record that is kept beside the voice.

    Raises:
        ConsentError: She did not consent.
        ResourceError: There is too little memory.
        UsageError: There are no takes.
        ModelError: Public weights are missing.
    """
    room.require(Purpose.OWN_VOICE, now=dt.datetime.now(dt.UTC))  # (1)
    if all(record.held_out for record in room.takes()):
        raise UsageError("this speaker has no takes to learn from", hint=f"add some: hometone take add {room.name} FILE")
    require_memory(needed_mib(tier))
    from hometone_client.adaptation import AdaptationSettings, adapt

    meter = Meter(price_per_hour=price_per_hour)
    pieces = enrolment(room)
    adapted = adapt(
        pieces,
        settings=AdaptationSettings.for_tier(tier.value),
        models=models,
        checkpoint=room.checkpoint(),
        progress=lambda step: progress(step.fraction, step.words, step.remaining_s),
        shared=shared,
    )
    seconds = sum(piece.samples.size / piece.sample_rate_hz for piece in pieces)
    record = {
        "tier": tier.value,
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "enrolment_s": round(seconds, 2),
        "usage": meter.usage().to_record(),
        "adaptation": adapted.record,
    }
    room.keep_voice(adapted.voice, record=record)  # (4)
    room.note("trained", tier=tier.value, usage=record["usage"])
    drop_takes(room, encoder=speaker_encoder(models))  # (5)
    return record

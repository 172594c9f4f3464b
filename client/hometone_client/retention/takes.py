"""Recordings that go after training, for whoever chose so.

The choice lies in her own vault. With it, a finished voice is followed by the end of every recording, its words, and what was prepared
from it; the centroid of the takes stays, sealed, so that she can still consent aloud. What it may see: one speaker's unlocked things. What
it must never do: drop a recording that the voice was not made from.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from hometone_client.speakers.room import OWN, SpeakerRoom
from hometone_client.speakers.spoken_phrase import Embeds, keep_own_embedding
from hometone_shared.errors import AudioError, DamagedVaultError, ModelError, StorageError

_KIND: Final = "policy"
_NAME: Final = "retention"
_DROP: Final = "drop_takes_after_training"


def choose_dropping(room: SpeakerRoom, *, drop: bool) -> None:
    """Keep her choice."""
    room.vault.put_json(_NAME, {_DROP: drop}, kind=_KIND)


def drops_takes(room: SpeakerRoom) -> bool:
    """Whether she chose that takes go after training."""
    return room.vault.has(_KIND, _NAME) and room.vault.read_json(_NAME, kind=_KIND) == {_DROP: True}


def takes_to_drop(room: SpeakerRoom) -> tuple[str, ...]:
    """Recordings that are over: all of them once a voice was made from the newest, none before that."""
    if not drops_takes(room) or not room.has_voice:
        return ()
    made_ms = room.vault.find("voice", OWN).created_ms
    takes = room.vault.list("take")
    return tuple(sorted(take.name for take in takes)) if all(take.created_ms <= made_ms for take in takes) else ()


def speaker_encoder(models: Path) -> Callable[[], Embeds | None]:
    """A way to load the speaker encoder; it gives None where that is not installed.

    Args:
        models: The model folder.
    """

    def load() -> Embeds | None:
        from hometone_client.embedding.ge2e import SpeakerEncoder
        from hometone_client.models import ensure

        try:
            return SpeakerEncoder(ensure("ge2e", folder=models))
        except (ModelError, StorageError):
            return None

    return load


def drop_takes(room: SpeakerRoom, *, encoder: Callable[[], Embeds | None]) -> int:
    """Remove recordings that are over; overwritten as far as the disk allows.

    Args:
        room: Her things, unlocked.
        encoder: Gives the speaker encoder, to keep the centroid; None where it is not installed, and then she can consent aloud only after
            a new recording.

    Returns:
        How many were removed.

    Raises:
        StorageError: The disk refuses.
    """
    names = takes_to_drop(room)
    if not names:
        return 0
    loaded = encoder()
    if loaded is not None:
        with suppress(AudioError, DamagedVaultError):  # a damaged or silent take keeps nothing from going; there is no centroid then
            keep_own_embedding(room, loaded)
    for name in names:
        room.remove_take(name)
    room.note("dropped-takes", count=len(names))
    return len(names)

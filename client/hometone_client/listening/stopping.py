"""The end of a speaker's consent to listening tests: her clips and all answers about her go."""

from hometone_client.listening.clips import remove_clips
from hometone_client.listening.ratings import remove_ratings
from hometone_client.speakers.room import SpeakerRoom


def stop_listening(room: SpeakerRoom) -> int:
    """Remove her clips and what listeners answered; the consent itself is the caller's to withdraw.

    Args:
        room: Her things, unlocked.

    Returns:
        How many things were removed.

    Raises:
        StorageError: The disk refuses; what is left goes with the next call.
    """
    return remove_clips(room.vault) + remove_ratings(room.vault)

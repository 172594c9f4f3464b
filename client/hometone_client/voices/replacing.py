"""Takes a withdrawn release of the shared model out of a voice that was made on it (docs/withdrawal.md, section 6).

What it does: puts the release that replaces it in its place. What the speaker's own recordings changed stays: that is hers. What it may
see: one voice. What it must never do: keep a withdrawn release, under whatever number; it goes by the hash of the coordinates.
"""

from collections.abc import Collection
from dataclasses import replace

from hometone_client.voices.parameters import SharedRelease, VoiceParameters


def without_withdrawn(voice: VoiceParameters, *, withdrawn: Collection[str], replacement: SharedRelease | None) -> VoiceParameters:
    """The voice without what was withdrawn.

    Args:
        voice: Any voice.
        withdrawn: SHA-256 of the coordinates of withdrawn releases, as float32, little-endian.
        replacement: What is put in their place; None is the base itself, until a voice is made anew.

    Returns:
        The same object if it carries no withdrawn release; the same bytes once more if it is handed in again.
    """
    if voice.shared is None or voice.shared.theta_sha256 not in withdrawn:
        return voice
    return replace(voice, shared=replacement)

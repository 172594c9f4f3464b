"""What a person can say yes to, and withdraw: each is a switch of its own (docs/withdrawal.md, section 2)."""

from enum import StrEnum


class Purpose(StrEnum):
    """One purpose; who takes back her own voice takes back all of them."""

    OWN_VOICE = "own-voice"
    FEDERATED = "federated-learning"
    ANNOUNCEMENTS = "announcements"
    ARCHIVE = "archive"
    LISTENING = "listening-test"

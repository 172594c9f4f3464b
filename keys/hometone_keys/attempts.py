"""Wrong PINs are counted and cost waiting time.

Five attempts are free; then the wait is 30 s and doubles with every further failure up to an hour. The counts are on the disk, sealed,
so that restarting the program does not help. They slow down somebody at the keyboard; somebody who copies the disk is stopped by the
device key and Argon2id, not by this.
"""

from dataclasses import dataclass, field
from typing import Self

from hometone_keys.sealing import canonical_json, parse_json

FREE_ATTEMPTS = 5
FIRST_WAIT_MS = 30_000
LONGEST_WAIT_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class AttemptBook:
    """Failures since the last success.

    Args:
        failures: Speaker id -> (number of failures, time of the last in milliseconds since 1970).
    """

    failures: dict[str, tuple[int, int]] = field(default_factory=dict)

    def wait_ms(self, speaker_id: str, *, now_ms: int) -> int:
        """Milliseconds until the next attempt is allowed. A clock that was set back does not lengthen the wait."""
        count, last_ms = self.failures.get(speaker_id, (0, 0))
        if count < FREE_ATTEMPTS:
            return 0
        wait_ms = min(FIRST_WAIT_MS << min(count - FREE_ATTEMPTS, 16), LONGEST_WAIT_MS)
        return max(0, wait_ms - max(0, now_ms - last_ms))

    def after_failure(self, speaker_id: str, *, now_ms: int) -> "AttemptBook":
        """The book with one more failure."""
        count, _ = self.failures.get(speaker_id, (0, 0))
        return AttemptBook({**self.failures, speaker_id: (count + 1, now_ms)})

    def only(self, speaker_ids: set[str]) -> "AttemptBook":
        """The book without anybody else."""
        return AttemptBook({speaker_id: entry for speaker_id, entry in self.failures.items() if speaker_id in speaker_ids})

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical_json({speaker_id: list(entry) for speaker_id, entry in self.failures.items()})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        return cls({str(speaker_id): (int(entry[0]), int(entry[1])) for speaker_id, entry in parse_json(data).items()})
